"""Candles of one market from a file, without a gap: what packages are trained and tried on."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from prediction_service.runtime.packages.candles import Candles
from prediction_service.runtime.packages.core import check_features, core_features
from pumpcast.market.files import read_file
from shared.contracts.candles import interval_seconds
from shared.errors import CandlesUnusable, Invalid

MICROSECONDS: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The longest run without a gap of one market."""

    symbol: str
    candles: Candles
    left_out: int
    """Candles of the market in the asked range that lie beyond a gap."""

    @property
    def start(self) -> datetime:
        """Give when the first candle opened."""
        return moment(self.candles.open_time[0])

    @property
    def end(self) -> datetime:
        """Give when the last candle closed."""
        return moment(self.candles.close_time[-1])


def moment(microseconds: np.int64 | int) -> datetime:
    """Give a moment counted in microseconds since 1970."""
    return datetime.fromtimestamp(int(microseconds) // MICROSECONDS, UTC)


def read_history(
    path: Path, *, symbol: str | None = None, since: datetime | None = None, until: datetime | None = None
) -> History:
    """Read the candles of a market that opened at or after `since` and closed by `until`.

    Of several runs between gaps the longest is taken, of equally long ones the newest. Anything that candles cannot be
    is `Invalid` in one sentence.
    """
    rows = read_file(path, table="candles").rows
    chosen = _chosen(rows, symbol, path)
    rows = rows.filter(pc.equal(rows["symbol"], chosen)).sort_by("open_time")
    intervals = sorted(set(rows["interval"].to_pylist()))
    if len(intervals) != 1:
        raise Invalid(f"{path.name} holds candles of {chosen} of {' and '.join(intervals)}: give a file with one kind")
    seconds = interval_seconds(intervals[0])
    times = rows["open_time"].cast(pa.int64()).to_numpy()
    inside = np.ones(len(times), dtype=bool)
    if since is not None:
        inside &= times >= _microseconds(since)
    if until is not None:
        inside &= times + seconds * MICROSECONDS <= _microseconds(until)
    if not inside.any():
        raise Invalid(f"{path.name} has no candle of {chosen} in the asked range")
    candles = as_candles(rows.filter(pa.array(inside)), seconds)
    _check_once(candles, f"{path.name}, {chosen}")
    start, end = longest_run(candles.open_time, seconds)
    run = candles.part(start, end)
    try:
        check_features(core_features(run), run, len(run))
    except CandlesUnusable as error:
        raise Invalid(f"{path.name}, {chosen}: {error.message}") from error
    return History(symbol=chosen, candles=run, left_out=len(candles) - len(run))


def longest_run(open_time: NDArray[np.int64], seconds: int) -> tuple[int, int]:
    """Give where the longest run without a gap starts and ends; of equally long ones the last.

    >>> longest_run(np.array([0, 60, 180, 240, 300]) * 1_000_000, 60)
    (2, 5)
    """
    breaks = np.flatnonzero(np.diff(open_time) != seconds * MICROSECONDS) + 1
    edges = np.concatenate([[0], breaks, [len(open_time)]])
    lengths = np.diff(edges)
    longest = len(lengths) - 1 - int(np.argmax(lengths[::-1]))
    return int(edges[longest]), int(edges[longest + 1])


def _chosen(rows: pa.Table, symbol: str | None, path: Path) -> str:
    present = sorted(set(rows["symbol"].to_pylist()))
    if symbol is None and len(present) == 1:
        return str(present[0])
    names = ", ".join(present[:12])
    if symbol is None:
        raise Invalid(f"{path.name} holds {len(present)} markets: choose one with --symbol, of {names}")
    if symbol not in present:
        raise Invalid(f"{path.name} has no candles of {symbol}, only of {names}")
    return symbol


def _microseconds(at: datetime) -> int:
    return int(at.timestamp() * MICROSECONDS)


def as_candles(rows: pa.Table, seconds: int) -> Candles:
    """Give the rows of one market as arrays."""
    columns = {name: rows[name].cast(pa.float64()).to_numpy() for name in ("open", "high", "low", "close", "volume")}
    return Candles(open_time=rows["open_time"].cast(pa.int64()).to_numpy(), **columns, interval_seconds=seconds)


def _check_once(candles: Candles, where: str) -> None:
    twice = np.diff(candles.open_time) == 0
    if twice.any():
        first = moment(candles.open_time[int(np.argmax(twice))])
        raise Invalid(f"{where}: the candle of {first:%Y-%m-%dT%H:%M:%SZ} is there twice ({int(twice.sum())} such)")
