"""The rows of a soak: a history to learn from, then rows as they come: steady, in bursts, late, repeated, too late."""

import asyncio
import itertools
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np

from pumpcast.market.candle_feed import feed_candles
from shared.db import Connection, ConnectionLost, PostgresError, connect, open_pool
from tests.support.database import START, insert_rows
from tests.support.training import MINUTES, learnable_rows

COINS: Final = 25
CANDLES: Final = 1600
TICK_SECONDS: Final = 1.0
COINS_A_TICK: Final = 8
LATE_SECONDS: Final = 300
"""Well below CATCHUP_MAX_AGE_SECONDS: such rows are answered."""
STALE_SECONDS: Final = 7200
"""Well beyond it: such rows are left out as `stale`."""
STALE_WALLETS: Final = 777
"""Value of unique_wallets that marks them."""


@dataclass(slots=True)
class Market:
    """Writes rows, through every trouble of the database; what is in the table is the truth."""

    dsn: str
    seed: int
    burst_rows: int
    """Rows of one transaction, every twenty seconds."""
    start: datetime = field(default_factory=lambda: datetime.now(UTC) - timedelta(minutes=MINUTES))
    troubles: int = 0
    """Transactions whose end is unknown."""
    _rows: list[dict[str, Any]] = field(default_factory=list)

    async def fill(self) -> int:
        """Write the history; give its highest id."""
        rows = learnable_rows(coins=COINS)
        for row in rows:
            row["timestamp"] = self.start + (row["timestamp"] - START)
        self._rows = rows
        connection = await connect(self.dsn, application="soak")
        try:
            return max(await insert_rows(connection, rows))
        finally:
            await connection.close()

    async def fill_candles(self) -> None:
        """Write as many candles as a package looks back on."""
        pool = await open_pool(self.dsn, application="soak", max_size=2)
        try:
            await feed_candles(pool, stop=asyncio.Event(), bars=CANDLES, seed=self.seed, only_fill=True)
        finally:
            await pool.close()

    async def go_on(self, over: asyncio.Event) -> None:
        """Write rows of now until it is over."""
        rng, connection = np.random.default_rng(self.seed), None
        for number in itertools.count():
            if over.is_set():
                break
            began = time.monotonic()
            try:
                connection = connection or await connect(self.dsn, application="soak")
                for part in self._tick(rng, number):
                    await insert_rows(connection, part)
            except (*ConnectionLost, PostgresError):
                self.troubles += 1
                await _close(connection)
                connection = None
            await asyncio.sleep(max(0.0, TICK_SECONDS - (time.monotonic() - began)))
        await _close(connection)

    def _tick(self, rng: np.random.Generator, number: int) -> list[list[dict[str, Any]]]:
        now = datetime.now(UTC)
        size = self.burst_rows if number % 20 == 19 else COINS_A_TICK
        rows = [self._row(rng, now + timedelta(microseconds=place)) for place in range(size)]
        parts = [rows]
        if number % 3 == 1:
            late = now - timedelta(seconds=float(rng.uniform(30, LATE_SECONDS)))
            parts.append([self._row(rng, late)])
        if number % 4 == 2:
            # The same coin and moment once more, with another price.
            parts.append([{**rows[0], "price_close": float(rows[0]["price_close"]) * 1.1}])
        if number % 5 == 3:
            parts.append([{**self._row(rng, now - timedelta(seconds=STALE_SECONDS)), "unique_wallets": STALE_WALLETS}])
        return parts

    def _row(self, rng: np.random.Generator, at: datetime) -> dict[str, Any]:
        like = self._rows[int(rng.integers(len(self._rows)))]
        return {**like, "timestamp": at, "phase_id_at_time": [None, 1, 2][int(rng.integers(3))]}


async def _close(connection: Connection | None) -> None:
    if connection is not None:
        with suppress(*ConnectionLost, PostgresError):
            await connection.close(timeout=5)
