"""A stream of simulated rows of many coins into the database, paced or as fast as a worker follows."""

import asyncio
import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from pumpcast.market.simulate import simulate_history
from shared.coin_metrics.rows import Ints
from shared.db import Connection

COINS = 5_000
FEWEST_ROWS = 40
SKIPPED_COLUMNS = frozenset({"id", "mint", "timestamp"})
HEADLESS = csv.WriteOptions(include_header=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A stretch of the stream."""

    first_id: int
    last_id: int
    seconds: float

    @property
    def rows(self) -> int:
        """Give how many rows it holds."""
        return self.last_id - self.first_id + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Templates:
    values: pa.Table
    start: Ints
    """First row of each simulated coin that has enough of them."""
    length: Ints


@lru_cache(maxsize=1)
def _templates() -> _Templates:
    table = simulate_history(seed=2, start=datetime(2026, 1, 1, tzinfo=UTC), minutes=60, coins_per_minute=20)
    order = pc.sort_indices(table, sort_keys=[("mint", "ascending"), ("timestamp", "ascending"), ("id", "ascending")])
    table = table.take(order)
    runs = pc.run_end_encode(table["mint"].combine_chunks())
    ends = np.asarray(runs.run_ends, np.int64)
    starts = np.concatenate([[0], ends[:-1]])
    enough = ends - starts >= FEWEST_ROWS
    columns = [name for name in table.column_names if name not in SKIPPED_COLUMNS]
    return _Templates(values=table.select(columns), start=starts[enough], length=(ends - starts)[enough])


class Feed:
    """Coins take turns; each goes through the rows of a simulated coin, again and again, at new moments."""

    def __init__(self, connection: Connection, *, coins: int = COINS) -> None:
        self._connection = connection
        self.coins = coins
        """How many take turns from now on."""
        self._done = 0
        self._clock = 0
        self.committed = 0
        """The highest id that is committed."""

    async def history(self, rows_per_coin: int) -> None:
        """Give every coin a past, a row every five seconds up to now."""
        start = time.time_ns() // 1000 - rows_per_coin * 5_000_000
        times = start + np.repeat(np.arange(rows_per_coin), self.coins) * 5_000_000
        await self._send(self._encoded(times, per_transaction=len(times))[0])

    async def paced(self, *, rate: int, transactions_per_second: int, seconds: float) -> Sent:
        """Send so many rows a second in even transactions, whether or not anybody follows."""
        per_transaction = rate // transactions_per_second
        count = int(seconds * transactions_per_second)
        parts = self._prepared(count * per_transaction, per_transaction, 1 / transactions_per_second)
        first, started = self.committed + 1, time.perf_counter()
        for number, part in enumerate(parts):
            await asyncio.sleep(started + number / transactions_per_second - time.perf_counter())
            await self._send(part)
        return Sent(first_id=first, last_id=self.committed, seconds=time.perf_counter() - started)

    async def flooding(self, *, behind: Callable[[], int], most: int, seconds: float, rows: int) -> Sent:
        """Send at most so many rows, as long as the worker is at most `most` rows behind."""
        return await self.send(self.prepared(rows), behind=behind, most=most, seconds=seconds)

    def prepared(self, rows: int) -> list[bytes]:
        """Make rows, 200 a transaction, before the clock runs."""
        return self._prepared(rows, 200, 0.01)

    async def send(self, parts: list[bytes], *, behind: Callable[[], int], most: int, seconds: float) -> Sent:
        """Send what was made, as long as the worker is at most `most` rows behind."""
        first, started = self.committed + 1, time.perf_counter()
        for part in parts:
            while behind() > most:  # noqa: ASYNC110 - the worker's position is a number in a table
                await asyncio.sleep(0.001)
            if time.perf_counter() - started > seconds:
                break
            await self._send(part)
        return Sent(first_id=first, last_id=self.committed, seconds=time.perf_counter() - started)

    def _prepared(self, rows: int, per_transaction: int, spacing: float) -> list[bytes]:
        # Made before the clock runs: the stream must not take the processor from who is measured.
        start = max(self._clock + 1, time.time_ns() // 1000)
        times = start + (np.arange(rows) // per_transaction * (spacing * 1e6)).astype(np.int64)
        return self._encoded(times, per_transaction)

    def _encoded(self, times: Ints, per_transaction: int) -> list[bytes]:
        templates = _templates()
        turn = self._done + np.arange(len(times))
        coin, step = turn % self.coins, turn // self.coins
        model = coin % len(templates.start)
        chosen = templates.start[model] + (step + coin) % templates.length[model]
        table = templates.values.take(pa.array(chosen))
        table = table.add_column(0, "timestamp", pa.array(times, pa.timestamp("us", tz="UTC")))
        table = table.add_column(0, "mint", _names(self.coins).take(pa.array(coin)))
        self._columns = table.column_names
        self._done += len(times)
        self._clock = int(times[-1])
        parts = []
        for first in range(0, len(times), per_transaction):
            buffer = io.BytesIO()
            csv.write_csv(table.slice(first, per_transaction), buffer, HEADLESS)
            parts.append(buffer.getvalue())
        return parts

    async def _send(self, part: bytes) -> None:
        answer = await self._connection.copy_to_table(
            "coin_metrics", source=io.BytesIO(part), columns=self._columns, format="csv"
        )
        self.committed += int(answer.split()[1])


@lru_cache(maxsize=4)
def _names(count: int) -> pa.Array:
    return pa.array(
        [f"{number:06d}{'BenchCoinMintAddressOfUsualLength' + 'pump':0>38}"[:44] for number in range(count)]
    )
