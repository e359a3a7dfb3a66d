"""Writers that commit in all the ways a tracker can, and models that come and go meanwhile."""

import asyncio
import itertools
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import numpy as np

from shared.db import Connection, connect
from tests.support.database import START, insert_rows, row


@asynccontextmanager
async def open_transaction(database: str) -> AsyncIterator[Connection]:
    """Give a connection inside a transaction; the test commits it, or it is rolled back."""
    session = await connect(database, application="tests")
    try:
        await session.execute("BEGIN")
        yield session
    finally:
        await session.close()


async def burn_ids(connection: Connection, count: int) -> None:
    """Use up ids as rolled back transactions and ON CONFLICT do."""
    await connection.fetchval(
        "SELECT max(nextval(pg_get_serial_sequence('coin_metrics', 'id'))) FROM generate_series(1, $1)", count
    )


@dataclass(slots=True)
class Written:
    """A row whose transaction committed, and between which two moments it did."""

    mint: str
    at: float
    began: float
    ended: float
    phase: int | None


@dataclass(slots=True)
class Switched:
    """A model that was active between the ends of two calls, and owes nothing outside of their beginnings."""

    on_began: float
    on_ended: float
    off_began: float = math.inf
    off_ended: float = math.inf

    def owes(self, row: Written) -> bool | None:
        """Tell whether the row is owed; None where it committed beside a call."""
        if row.began > self.on_ended and row.ended < self.off_began:
            return True
        return False if row.ended < self.on_began or row.began > self.off_ended else None


async def write_randomly(database: str, written: list[Written], *, writer: int, seed: int, stop: asyncio.Event) -> None:
    """Commit and roll back transactions of rows that stay open for random times, and burn ids as upserts do."""
    rng = np.random.default_rng([seed, writer])
    session = await connect(database, application="tests")
    try:
        for number in itertools.takewhile(lambda _: not stop.is_set(), itertools.count()):
            rows = []
            for place in range(int(rng.integers(1, 6))):
                # No key comes twice: of every row it is plain whether it was answered.
                at = 2.0 * number + writer / 16 + place / 256 - 99.999 * float(rng.integers(0, 4))
                phase = [None, 1, 2, 99][int(rng.integers(4))]
                rows.append(
                    row(f"coin{rng.integers(40):02d}", at, phase_id_at_time=phase, volume_sol=float(rng.random()))
                )
            await session.execute("BEGIN")
            await insert_rows(session, rows)
            await asyncio.sleep(float(rng.choice([0, 0, 0.005, 0.02, 0.1])))
            if rng.random() < 0.2:
                await session.execute("ROLLBACK")
                continue
            began = time.monotonic()
            await session.execute("COMMIT")
            ended = time.monotonic()
            written += [
                Written(entry["mint"], (entry["timestamp"] - START).total_seconds(), began, ended,
                        entry["phase_id_at_time"])
                for entry in rows
            ]  # fmt: skip
            if rng.random() < 0.1:
                await burn_ids(session, int(rng.integers(1, 50)))
    finally:
        await session.close()


async def answered_rows(connection: Connection, active_id: int) -> set[tuple[str, float]]:
    """Give the rows that a model has answered; twice is an error."""
    records = await connection.fetch(
        "SELECT coin_id, extract(epoch FROM data_timestamp - $2)::float8 FROM predictions WHERE active_model_id = $1",
        active_id, START,
    )  # fmt: skip
    found = {(record[0], record[1]) for record in records}
    assert len(found) == len(records)
    return found
