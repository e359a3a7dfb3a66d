"""The tracker that watches the simulated market: rows of coin_metrics, with the flaws that real recordings have."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pumpcast.market import bonding_curve
from pumpcast.market.coins import TICK_SECONDS, Bools, Coins, Floats, Ints, Trades

FINISHED: Final = 99
GRADUATED: Final = 100
# Phases by age: from this age in ticks on, one row per so many ticks.
PHASE_FROM: Final = np.array([0, 10, 60]) * 60 // TICK_SECONDS
PHASE_TICKS: Final = np.array([5, 30, 60]) // TICK_SECONDS

PRICES: Final = ("price_open", "price_high", "price_low", "price_close")
ROW: Final = np.dtype(
    [("coin", "i8"), ("timestamp", "i8"), ("phase_id_at_time", "i8")]
    + [(name, "f8") for name in (*PRICES, "volume_sol", "market_cap_close", "buy_volume_sol", "sell_volume_sol")]
    + [(name, "i8") for name in ("num_buys", "num_sells")]
    + [(name, "f8") for name in ("bonding_curve_pct", "virtual_sol_reserves")]
    + [(name, "i8") for name in ("unique_wallets", "is_koth")]
)
Rows = NDArray[np.void]
NULL: Final = -1  # of the integer columns; NaN in the others


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaws:
    """Shares of rows that are recorded wrongly, late or twice."""

    phase_missing: float = 0.04
    price_missing: float = 0.003
    price_zero: float = 0.002
    volume_missing: float = 0.002
    repeated: float = 0.003
    late: float = 0.01
    late_ticks: int = 6


@dataclass(slots=True, kw_only=True)
class _Interval:
    """What has gathered for each coin since its last row; aligned with the living coins."""

    open: Floats
    high: Floats
    low: Floats
    buy_sol: Floats
    sell_sol: Floats
    num_buys: Ints
    num_sells: Ints

    @classmethod
    def empty(cls, size: int) -> "_Interval":
        zeros, counts = np.zeros(size), np.zeros(size, dtype=np.int64)
        return cls(
            open=np.full(size, np.nan),
            high=np.full(size, -np.inf),
            low=np.full(size, np.inf),
            buy_sol=zeros,
            sell_sol=zeros.copy(),
            num_buys=counts,
            num_sells=counts.copy(),
        )


def phase_of(age_ticks: Ints) -> Ints:
    """Give the phase 1, 2 or 3 of coins that are so many ticks old."""
    return np.searchsorted(PHASE_FROM, age_ticks, side="right").astype(np.int64)


class Recorder:
    """Gathers trades into rows of 5, 30 or 60 seconds and hands them out in the order in which they are committed."""

    def __init__(self, rng: np.random.Generator, *, start_us: int, flaws: Flaws) -> None:
        self._rng = rng
        self._start_us = start_us
        self._flaws = flaws
        self._interval = _Interval.empty(0)
        self._held: list[tuple[int, Rows]] = []

    def watch(self, coins: Coins, trades: Trades, *, tick: int, gone: Bools, finished: Bools) -> Rows:
        """Take one tick of trades; give the rows that are committed at its end.

        `gone` coins leave after this tick, `finished` ones because they are old: both close their interval early.
        """
        self._gather(trades)
        interval = self._interval
        age = tick - coins.born
        phase = phase_of(age)
        traded = interval.num_buys + interval.num_sells > 0
        due = traded & (((tick + 1) % PHASE_TICKS[phase - 1] == 0) | gone | finished)
        phase = np.where(finished, FINISHED, phase)
        phase = np.where(trades.close >= bonding_curve.VIRTUAL_SOL + bonding_curve.GRADUATION_SOL, GRADUATED, phase)
        rows = self._rows(coins, trades.close, phase, np.flatnonzero(due), tick)
        self._start_over(due, keep=~gone)
        return self._committed(self._flawed(rows), tick)

    def blind(self, size: int) -> None:
        """Forget what has gathered, for so many living coins: nothing is recorded in an outage."""
        self._interval = _Interval.empty(size)
        self._held = []

    def _gather(self, trades: Trades) -> None:
        interval = self._interval
        fresh = len(trades.open) - len(interval.open)
        if fresh:
            more = _Interval.empty(fresh)
            for name in _Interval.__slots__:
                setattr(interval, name, np.concatenate([getattr(interval, name), getattr(more, name)]))
        interval.open = np.where(np.isnan(interval.open), trades.open, interval.open)
        interval.high = np.maximum(interval.high, trades.high)
        interval.low = np.minimum(interval.low, trades.low)
        interval.buy_sol = interval.buy_sol + trades.buy_sol
        interval.sell_sol = interval.sell_sol + trades.sell_sol
        interval.num_buys = interval.num_buys + trades.num_buys
        interval.num_sells = interval.num_sells + trades.num_sells

    def _start_over(self, due: Bools, *, keep: Bools) -> None:
        empty = _Interval.empty(len(due))
        for name in _Interval.__slots__:
            setattr(self._interval, name, np.where(due, getattr(empty, name), getattr(self._interval, name))[keep])

    def _rows(self, coins: Coins, close: Floats, phase: Ints, due: Ints, tick: int) -> Rows:
        interval = self._interval
        rows = np.zeros(len(due), dtype=ROW)
        rows["coin"] = coins.number[due]
        rows["timestamp"] = self._start_us + (tick + 1) * TICK_SECONDS * 1_000_000
        rows["phase_id_at_time"] = phase[due]
        for name, reserves in zip(PRICES, (interval.open, interval.high, interval.low, close), strict=True):
            rows[name] = bonding_curve.price(reserves[due])
        rows["buy_volume_sol"], rows["sell_volume_sol"] = interval.buy_sol[due], interval.sell_sol[due]
        rows["volume_sol"] = rows["buy_volume_sol"] + rows["sell_volume_sol"]
        rows["market_cap_close"] = rows["price_close"] * bonding_curve.SUPPLY_TOKENS
        rows["num_buys"], rows["num_sells"] = interval.num_buys[due], interval.num_sells[due]
        rows["bonding_curve_pct"] = bonding_curve.percent(close[due])
        rows["virtual_sol_reserves"] = close[due]
        known = coins.knows_wallets[due]
        rows["unique_wallets"] = np.where(known, coins.wallets[due], NULL)
        rows["is_koth"] = np.where(known, rows["bonding_curve_pct"] >= 50, NULL)
        return rows

    def _flawed(self, rows: Rows) -> Rows:
        if not len(rows):
            return rows
        flaws, size = self._flaws, len(rows)
        repeated = self._rng.random(size) < flaws.repeated
        # A repeat is a correction: first half of the volume, then, with a higher id, the whole of it.
        corrected = rows[repeated].copy()
        for name in ("volume_sol", "buy_volume_sol", "sell_volume_sol"):
            rows[name][repeated] *= 0.5
        rows["phase_id_at_time"][self._rng.random(size) < flaws.phase_missing] = NULL
        rows["volume_sol"][self._rng.random(size) < flaws.volume_missing] = np.nan
        draw = self._rng.random(size)
        for name in PRICES:
            rows[name][draw < flaws.price_missing] = np.nan
            rows[name][draw > 1 - flaws.price_zero] = 0
        return np.concatenate([rows, corrected])

    def _committed(self, rows: Rows, tick: int) -> Rows:
        ready = [held for until, held in self._held if until <= tick]
        self._held = [(until, held) for until, held in self._held if until > tick]
        late = self._rng.random(len(rows)) < self._flaws.late
        if late.any():
            self._held.append((tick + int(self._rng.integers(1, self._flaws.late_ticks + 1)), rows[late]))
        return np.concatenate([rows[~late], *ready]) if ready else rows[~late]


def to_table(rows: Rows, mints: list[str], *, first_id: int) -> pa.Table:
    """Give rows as the columns of coin_metrics; ids count up in the order of the rows."""
    columns: dict[str, pa.Array] = {
        "id": pa.array(np.arange(first_id, first_id + len(rows))),
        "mint": pa.array(mints, pa.string()).take(pa.array(rows["coin"])),
        "timestamp": pa.array(rows["timestamp"], pa.timestamp("us", tz="UTC")),
    }
    for name in ROW.names[2:] if ROW.names else ():
        values = np.ascontiguousarray(rows[name])
        if values.dtype.kind == "f":
            columns[name] = pa.array(values, mask=np.isnan(values))
        else:
            kind = pa.bool_() if name == "is_koth" else pa.int32()
            columns[name] = pa.array(values, mask=values == NULL).cast(kind)
    return pa.table(columns)
