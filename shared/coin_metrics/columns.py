"""The columns of `coin_metrics`: name, type, unit, meaning. Whatever else the table holds is ignored."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of the tracker's table."""

    name: str
    sql_type: str
    unit: str
    """What a stored number counts; empty where nothing is counted."""
    meaning: str


COLUMNS: tuple[Column, ...] = (
    Column(name="id", sql_type="bigint", unit="", meaning="Row number of the tracker; the highest wins among repeats"),
    Column(name="mint", sql_type="text", unit="", meaning="Address of the coin"),
    Column(name="timestamp", sql_type="timestamptz", unit="", meaning="End of the interval the row sums up"),
    Column(name="phase_id_at_time", sql_type="integer", unit="", meaning="Phase of the coin's life at that moment"),
    Column(name="price_open", sql_type="double precision", unit="SOL per token", meaning="First price of the interval"),
    Column(
        name="price_high", sql_type="double precision", unit="SOL per token", meaning="Highest price of the interval"
    ),
    Column(name="price_low", sql_type="double precision", unit="SOL per token", meaning="Lowest price of the interval"),
    Column(name="price_close", sql_type="double precision", unit="SOL per token", meaning="Last price of the interval"),
    Column(name="volume_sol", sql_type="double precision", unit="SOL", meaning="Traded in the interval"),
    Column(
        name="market_cap_close",
        sql_type="double precision",
        unit="SOL",
        meaning="Last price times the 1e9 tokens there are",
    ),
    Column(name="buy_volume_sol", sql_type="double precision", unit="SOL", meaning="Bought in the interval"),
    Column(name="sell_volume_sol", sql_type="double precision", unit="SOL", meaning="Sold in the interval"),
    Column(name="num_buys", sql_type="integer", unit="trades", meaning="Buys in the interval"),
    Column(name="num_sells", sql_type="integer", unit="trades", meaning="Sells in the interval"),
    Column(
        name="bonding_curve_pct",
        sql_type="double precision",
        unit="%",
        meaning="Way of the coin to its graduation, 0 to 100",
    ),
    Column(
        name="virtual_sol_reserves",
        sql_type="double precision",
        unit="SOL",
        meaning="SOL side of the bonding curve, 30 at birth",
    ),
    Column(name="unique_wallets", sql_type="integer", unit="wallets", meaning="Different wallets that traded"),
    Column(name="is_koth", sql_type="boolean", unit="", meaning="King of the hill: 1 while shown on the front page"),
)

BASE_FEATURES: tuple[str, ...] = tuple(column.name for column in COLUMNS[4:])
PRICE_COLUMNS: tuple[str, ...] = ("price_open", "price_high", "price_low", "price_close")
