"""Reading the last rows of thousands of coins at once, as numbers that need no parsing."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shared.coin_metrics.read import Histories, Layout, moment
from shared.coin_metrics.rows import Ints
from shared.db import Connection, OutOfRange, Pool, Queries

_queries = Queries.beside(__file__)

COINS_AT_ONCE = 2_000
"""So many coins are read by one statement: what comes back stays a few megabytes."""
NO_ROW = -1
_HEADER_BYTES = 19
_TRAILER_BYTES = 2
# PostgreSQL counts microseconds from 2000.
_EPOCH_2000 = 946_684_800_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Tails:
    """The last rows of n coins."""

    histories: Histories
    ids: Ints
    """int64[n, H] like the timestamps; `NO_ROW` where there is none."""


async def newest_coins(pool: Pool, *, up_to: int, rows: int) -> list[str]:
    """Give the coins of the newest rows up to an id, the one seen last first."""
    return [row["mint"] for row in await _queries.fetch(pool, "newest_coins", up_to=up_to, rows=rows)]


async def tails(pool: Pool, layout: Layout, *, mints: Sequence[str], ids: Ints, until: int, rows: int) -> Tails:
    """Give the newest rows of each coin up to `until` (microseconds) and an id of its own, one per timestamp."""
    values = np.full((len(mints), rows, len(layout.columns)), np.nan)
    timestamp = np.zeros((len(mints), rows), np.int64)
    found_ids = np.full((len(mints), rows), NO_ROW)
    count = np.zeros(len(mints), np.int64)
    async with pool.acquire() as connection:
        for first in range(0, len(mints), COINS_AT_ONCE):
            part = slice(first, first + COINS_AT_ONCE)
            found = await _read(connection, layout, [mints[part], ids[part].tolist(), moment(until), rows])
            coin = first + found["ordinal"] - 1
            starts = np.searchsorted(coin, coin)
            slot = rows - 1 - (np.arange(len(coin)) - starts)
            timestamp[coin, slot] = found["time"] + _EPOCH_2000
            found_ids[coin, slot] = found["id"]
            values[coin, slot] = found["values"]["value"]
            np.add.at(count, coin, 1)
    return Tails(histories=Histories(values=values, timestamp=timestamp, count=count), ids=found_ids)


async def _read(connection: Connection, layout: Layout, arguments: list[object]) -> np.ndarray:
    try:
        content = await _copied(connection, layout, layout.fast, arguments)
    except OutOfRange:
        content = await _copied(connection, layout, layout.safe, arguments)
    # No field is NULL, so that every row has the same bytes: a number of fields, and a length before each.
    fixed = [("fields", ">i2")]
    for name in ("ordinal", "id", "time"):
        fixed += [(f"{name}_size", ">i4"), (name, ">i8")]
    value = np.dtype([("size", ">i4"), ("value", ">f8")])
    shape = np.dtype([*fixed, ("values", value, (len(layout.columns),))])
    found: np.ndarray = np.frombuffer(content[_HEADER_BYTES:-_TRAILER_BYTES], shape)
    return found


async def _copied(connection: Connection, layout: Layout, columns: str, arguments: list[object]) -> bytes:
    outer = ", ".join(f"coalesce(tail.{name}, 'NaN'::float8)" for name in layout.columns)
    query = _queries["tails"]
    named = dict(zip(("mints", "ids", "until", "rows"), arguments, strict=True))
    text = query.text.replace("/*outer*/", outer).replace("/*columns*/", columns)
    output = io.BytesIO()
    await connection.copy_from_query(text, *query.arguments(named), output=output, format="binary")
    return output.getvalue()
