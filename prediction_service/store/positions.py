"""The table worker_positions: where the live worker stands, kept in the transaction of its predictions."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from prediction_service.runtime.position import Position, subtract
from shared.coin_metrics import read
from shared.coin_metrics.clock import AHEAD
from shared.db import Connection, Executor, Queries, Record

_queries = Queries.beside(__file__)

HOLES_SOUGHT = 10_000
"""Where nothing is known yet, holes are sought among so many of the newest rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """What the worker that owns the position starts from."""

    position: Position
    clock: datetime | None
    """The recording clock after the last batch."""
    models_version: int
    """Raised by every change of models."""
    counters: dict[str, Any]
    """Totals since the first start, such as rows left out by reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """What the worker says of itself."""

    status: dict[str, Any]
    counters: dict[str, Any]


async def lock_and_capture(connection: Connection) -> dict[str, Any]:
    """Lock the position until the transaction ends and give what is visible in coin_metrics, as jsonb of a position."""
    row = await _queries.fetchrow(connection, "lock")
    if row is None:
        await ensure(connection)
        row = await _queries.fetchrow(connection, "lock")
        assert row is not None
    stored = Position(high=row["high"], pending=tuple((low, high) for low, high in row["pending"]))
    return (await _capture(connection, stored)).to_json()


async def ensure(executor: Executor) -> None:
    """Make the position, at the end of what is visible, when there is none."""
    # Asked first: the clock must not know of rows that are still to be answered, or they would look late.
    clock = await _recording_clock(executor)
    position = await _capture(executor, None)
    pending = [list(item) for item in position.pending]
    await _queries.execute(executor, "create", high=position.high, pending=pending, clock=clock)


async def _recording_clock(executor: Executor) -> datetime | None:
    if not await _queries.fetchval(executor, "table_exists"):
        return None
    return await read.clock(executor, now=datetime.now(UTC))


async def _capture(executor: Executor, stored: Position | None) -> Position:
    if not await _queries.fetchval(executor, "table_exists"):
        return stored or Position(high=0, pending=())
    if stored is None:
        stored = Position(high=await _queries.fetchval(executor, "floor", rows=HOLES_SOUGHT), pending=())
    lows, highs = [item[0] for item in stored.pending], [item[1] for item in stored.pending]
    row = await _queries.fetchrow(executor, "capture", floor=stored.high, lows=lows, highs=highs)
    assert row is not None
    kept = subtract(stored.pending, row["appeared"])
    return Position(high=row["high"], pending=(*kept, *((low, high) for low, high in row["holes"])))


async def own(executor: Executor, owner: UUID) -> Owned:
    """Take the position over; whoever had it can save no more."""
    row = await _queries.fetchrow(executor, "own", owner=owner)
    if row is None:
        await ensure(executor)
        row = await _queries.fetchrow(executor, "own", owner=owner)
        assert row is not None
    return _owned(row)


async def save(
    connection: Connection,
    *,
    owner: UUID,
    models_version: int,
    position: Position,
    clock: datetime | None,
    counters: dict[str, Any],
) -> bool:
    """Store where the worker stands; False when another worker owns the position, or models or table have changed."""
    value = position.to_json()
    saved = await _queries.fetchval(
        connection, "save", owner=owner, models_version=models_version, high=value["high"], pending=value["pending"],
        clock=clock, counters=counters,
    )  # fmt: skip
    return saved is not None


async def report(executor: Executor, owner: UUID, status: dict[str, Any]) -> bool:
    """Store how the worker is; False when another one owns the position."""
    return bool((await _queries.execute(executor, "report", owner=owner, status=status)).endswith(" 1"))


async def reported(executor: Executor) -> Reported | None:
    """Give what the worker last said of itself; None when there never was one."""
    row = await _queries.fetchrow(executor, "reported")
    return None if row is None else Reported(status=row["status"], counters=row["counters"])


async def oldest_transaction(executor: Executor) -> int:
    """Give the number of the oldest transaction still open: all below it have ended."""
    return int(await _queries.fetchval(executor, "oldest_transaction"))


async def next_transaction(executor: Executor) -> int:
    """Give a number above those of all transactions that are open now."""
    return int(await _queries.fetchval(executor, "next_transaction"))


async def table_identity(executor: Executor) -> tuple[int, int]:
    """Give a number that changes when coin_metrics is emptied or made anew, and its highest id."""
    row = await _queries.fetchrow(executor, "identity")
    assert row is not None
    return row["file"], row["highest"]


async def row_is(executor: Executor, row_id: int, mint: str, at: datetime) -> bool | None:
    """Tell whether a row of coin_metrics is of this coin and time; None when there is no row of the id."""
    same: bool | None = await _queries.fetchval(executor, "row_is", id=row_id, mint=mint, at=at)
    return same


async def newest_mints(executor: Executor, most: int) -> list[str]:
    """Give the coins of the newest rows that are believed."""
    ahead = timedelta(microseconds=AHEAD)
    found = await _queries.fetch(executor, "newest_mints", wall=datetime.now(UTC), ahead=ahead, most=most)
    return [row["mint"] for row in found]


def _owned(row: Record) -> Owned:
    return Owned(
        position=Position(high=row["high"], pending=tuple((low, high) for low, high in row["pending"])),
        clock=row["clock"],
        models_version=row["models_version"],
        counters=row["counters"],
    )
