"""Candles of a file: what none of them may be."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from shared.contracts.candles import DAY_SECONDS, interval_seconds, interval_text
from shared.errors import Invalid

LONGEST_SYMBOL: Final = 100
_SECOND: Final = 1_000_000


def checked_interval(text: str) -> str:
    """Give an interval as it is stored; what is none is `Invalid`."""
    try:
        return interval_text(interval_seconds(text))
    except ValueError as error:
        raise Invalid(str(error)) from error


def intervals(columns: Mapping[str, pa.ChunkedArray], given: str | None, file: str) -> pa.Array:
    """Give the interval of each row: the given one, that of the file, or that of its spacing."""
    rows = len(columns["symbol"])
    if given is None and "interval" in columns:
        encoded = pa.array(columns["interval"].combine_chunks()).dictionary_encode()
        if encoded.null_count:
            raise Invalid(f"{file}: {encoded.null_count} rows have no interval")
        words = pa.array([checked_interval(word) for word in encoded.dictionary.to_pylist()], pa.string())
        return words.take(encoded.indices)
    return pa.array([given or _spacing(columns, file)] * rows, pa.string())


def check_candles(columns: Mapping[str, pa.ChunkedArray], file: str) -> None:
    """Refuse a file with a candle that cannot be: off the grid, in the future, or with impossible prices."""
    times = np.asarray(columns["open_time"].cast(pa.int64()).to_numpy(), np.int64)
    encoded = pa.array(columns["interval"]).dictionary_encode()
    lengths = np.array([interval_seconds(text) * _SECOND for text in encoded.dictionary.to_pylist()], np.int64)
    length = lengths[encoded.indices.to_numpy()]
    opened, high, low, close, volume = (_floats(columns[name]) for name in ("open", "high", "low", "close", "volume"))
    highest, lowest = np.maximum(opened, close), np.minimum(opened, close)
    faults = {
        "prices that cannot be: low ≤ open and close ≤ high must hold, all of them above 0": ~(
            (low > 0) & (low <= lowest) & (highest <= high) & (high < np.inf)
        ),
        "a volume that is not 0 or more": ~((volume >= 0) & (volume < np.inf)),
        "an open_time that is not a whole number of intervals after 1970": (times % length != 0) | (times < 0),
        "an open_time in the future": times > datetime.now(UTC).timestamp() * _SECOND + length,
        f"a symbol of more than {LONGEST_SYMBOL} characters": np.asarray(
            pc.greater(pc.utf8_length(columns["symbol"]), LONGEST_SYMBOL)
        ),
    }
    for words, wrong in faults.items():
        if wrong.any():
            first = int(np.flatnonzero(wrong)[0])
            who = (
                f"{columns['symbol'][first].as_py()[:LONGEST_SYMBOL]} {columns['open_time'][first].as_py().isoformat()}"
            )
            raise Invalid(f"{file}: {int(wrong.sum())} candles have {words}; the first is {who} (row {first + 1})")


def _spacing(columns: Mapping[str, pa.ChunkedArray], file: str) -> str:
    times = pa.table({"symbol": columns["symbol"], "time": columns["open_time"].cast(pa.int64())})
    times = times.sort_by([("symbol", "ascending"), ("time", "ascending")])
    step = pc.subtract(times["time"][1:], times["time"][:-1])
    same = pc.equal(times["symbol"][1:], times["symbol"][:-1])
    # The commonest: gaps make it longer here and there, a time off the grid shorter.
    common = pc.mode(pc.filter(step, pc.and_(same, pc.greater(step, 0))))
    length = common[0]["mode"].as_py() if len(common) else 0
    if not length or DAY_SECONDS * _SECOND % length or length % _SECOND:
        raise Invalid(f"{file} does not say the interval of its candles: give --interval, for example 15m")
    return interval_text(length // _SECOND)


def _floats(column: pa.ChunkedArray) -> NDArray[np.float64]:
    return np.asarray(column.cast(pa.float64()).to_numpy(), np.float64)
