"""What can be a feature: the columns and the engineered families, with unit and meaning."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.coin_metrics.columns import BASE_FEATURES, COLUMNS, PRICE_COLUMNS

DEFAULT_WINDOWS = (5, 10, 15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """An engineered feature that exists for every window."""

    name: str
    columns: tuple[str, ...]
    """Base columns the formula reads."""
    reaches_back: bool
    """Whether it reads the row w rows earlier (w + 1 rows) or the window alone (w rows)."""
    neutral: float
    """Value where a divisor is 0 or the coin has one row only."""
    unit: str
    meaning: str


FAMILIES: tuple[Family, ...] = (
    Family(
        name="price_change",
        columns=("price_close",),
        reaches_back=True,
        neutral=0.0,
        unit="%",
        meaning="Change of the closing price since w rows ago",
    ),
    Family(
        name="price_roc",
        columns=("price_close",),
        reaches_back=True,
        neutral=0.0,
        unit="% per minute",
        meaning="Log return since w rows ago, per minute between the two rows",
    ),
    Family(
        name="volume_ratio",
        columns=("volume_sol",),
        reaches_back=False,
        neutral=1.0,
        unit="ratio",
        meaning="Volume of the row against the mean volume of the last w rows",
    ),
    Family(
        name="price_volatility",
        columns=("price_close",),
        reaches_back=False,
        neutral=0.0,
        unit="%",
        meaning="Sample standard deviation of the row-to-row log returns within the last w rows",
    ),
    Family(
        name="mcap_velocity",
        columns=("market_cap_close",),
        reaches_back=True,
        neutral=0.0,
        unit="SOL per minute",
        meaning="Change of the market cap since w rows ago, per minute between the two rows",
    ),
    Family(
        name="price_range",
        columns=("price_high", "price_low", "price_close"),
        reaches_back=False,
        neutral=0.0,
        unit="%",
        meaning="Highest high minus lowest low of the last w rows, against the closing price",
    ),
    Family(
        name="order_book_imbalance",
        columns=("buy_volume_sol", "sell_volume_sol"),
        reaches_back=False,
        neutral=0.0,
        unit="-1..1",
        meaning="Bought minus sold against both together over the last w rows",
    ),
)
FAMILY = {family.name: family for family in FAMILIES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One feature in the catalogue."""

    name: str
    unit: str
    """Unit of the number that enters a model."""
    meaning: str
    family: str | None
    """Family of an engineered feature, None for a column."""
    windows: tuple[int, ...]
    """Windows by default; any from 1 to 200 is allowed."""


def catalogue(windows: Sequence[int] = DEFAULT_WINDOWS) -> tuple[Feature, ...]:
    """Give every column and every family that can be a feature.

    >>> [feature.name for feature in catalogue()][-2:]
    ['price_range_<w>', 'order_book_imbalance_<w>']
    """
    columns = {column.name: column for column in COLUMNS}
    base = tuple(
        Feature(
            name=name,
            unit="SOL per 1e9 tokens" if name in PRICE_COLUMNS else columns[name].unit,
            meaning=columns[name].meaning,
            family=None,
            windows=(),
        )
        for name in BASE_FEATURES
    )
    engineered = tuple(
        Feature(
            name=f"{family.name}_<w>",
            unit=family.unit,
            meaning=family.meaning,
            family=family.name,
            windows=tuple(windows),
        )
        for family in FAMILIES
    )
    return base + engineered
