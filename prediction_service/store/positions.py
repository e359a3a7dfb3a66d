"""The table worker_positions: how far live workers are with each shard, kept in the transaction of predictions."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from prediction_service.runtime.position import Position, subtract
from prediction_service.runtime.shards import SHARDS
from shared.coin_metrics import read
from shared.coin_metrics.clock import AHEAD
from shared.db import Connection, Executor, Queries, Record

_queries = Queries.beside(__file__)

HOLES_SOUGHT = 10_000
"""Where nothing is known yet, holes are sought among so many of the newest rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far the rows of a shard are answered."""

    position: Position
    clock: datetime | None
    """The recording clock after the last batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """What the worker that owns a shard starts from."""

    standing: Standing
    models_version: int
    """Raised by every change of models."""
    counters: dict[str, Any]
    """Totals since the first start, such as rows left out by reason."""
    table_mark: dict[str, Any]
    """To know coin_metrics again: its file, and one row that was seen."""
    idle_seconds: float
    """How long ago a batch was done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """What the worker of a shard last said of itself."""

    shard: int
    owner: UUID | None
    clock: datetime | None
    """The recording clock after the last batch."""
    status: dict[str, Any]
    counters: dict[str, Any]


def name_of(shard: int) -> str:
    """Give the name of a shard's row."""
    return f"live-{shard}"


async def lock_and_capture(connection: Connection) -> dict[str, Any]:
    """Lock all shards until the transaction ends and give what is visible in coin_metrics, as jsonb of a position."""
    rows = await _queries.fetch(connection, "lock")
    if len(rows) < SHARDS:
        await ensure(connection)
        rows = await _queries.fetch(connection, "lock")
    # Each of them tells what was visible; the one that is furthest on leaves the least to look at.
    return (await _capture(connection, max(map(_position, rows), key=lambda position: position.high))).to_json()


async def ensure(executor: Executor) -> None:
    """Make the positions of all shards, at the end of what is visible, where there are none."""
    # Asked first: the clock must not know of rows that are still to be answered, or they would look late.
    clock = await _recording_clock(executor)
    position = await _capture(executor, None)
    pending = [list(item) for item in position.pending]
    await _queries.execute(executor, "create", high=position.high, pending=pending, clock=clock, shards=SHARDS)


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


async def own(executor: Executor, shards: Collection[int], owner: UUID) -> dict[int, Owned]:
    """Take shards over; whoever had one of them can save no more."""
    names = [name_of(shard) for shard in sorted(shards)]
    rows = await _queries.fetch(executor, "own", names=names, owner=owner)
    if len(rows) < len(names):
        await ensure(executor)
        rows = await _queries.fetch(executor, "own", names=names, owner=owner)
    return _by_shard(rows)


async def lock_all(connection: Connection) -> dict[int, Owned]:
    """Lock all shards until the transaction ends."""
    return _by_shard(await _queries.fetch(connection, "lock_all"))


async def move_to_file(connection: Connection, file: int, *, anew: bool) -> None:
    """Note for all shards in which file coin_metrics lies now; `anew` lets them start with its first row."""
    await _queries.execute(connection, "restart" if anew else "renew", file=file)


async def save(
    connection: Connection,
    *,
    owner: UUID,
    models_version: int,
    standings: Mapping[int, Standing],
    counters: dict[str, Any],
    table_mark: dict[str, Any],
) -> int | None:
    """Store how far the owned shards are, and the counters of the first; give the number of the transaction.

    None when another worker owns one of them, or models or table have changed.
    """
    shards = sorted(standings)
    # Mostly all of them stand at the same place, which then is sent once.
    places: dict[int, int] = {}
    different: list[Standing] = []
    for shard in shards:
        if id(standings[shard]) not in places:
            different.append(standings[shard])
            places[id(standings[shard])] = len(different)
    number: int | None = await _queries.fetchval(
        connection, "save", owner=owner, models_version=models_version, names=[name_of(shard) for shard in shards],
        places=[places[id(standings[shard])] for shard in shards],
        highs=[standing.position.high for standing in different],
        pendings=[[list(item) for item in standing.position.pending] for standing in different],
        clocks=[standing.clock for standing in different], counters=counters, table_mark=table_mark,
    )  # fmt: skip
    return number


async def report(executor: Executor, owner: UUID, status: dict[str, Any]) -> bool:
    """Store how the worker is; False when it owns nothing."""
    return not (await _queries.execute(executor, "report", owner=owner, status=status)).endswith(" 0")


async def reported(executor: Executor) -> list[Reported]:
    """Give what the workers last said of themselves, shard by shard; empty when there never was one."""
    return [
        Reported(
            shard=_shard(row), owner=row["owner"], clock=row["clock"], status=row["status"], counters=row["counters"]
        )
        for row in await _queries.fetch(executor, "reported")
    ]


async def least_clock(executor: Executor) -> datetime | None:
    """Give the recording clock that all shards have reached."""
    clock: datetime | None = await _queries.fetchval(executor, "least_clock")
    return clock


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


def _by_shard(rows: Sequence[Record]) -> dict[int, Owned]:
    return {
        _shard(row): Owned(
            standing=Standing(position=_position(row), clock=row["clock"]),
            models_version=row["models_version"],
            counters=row["counters"],
            table_mark=row["table_mark"],
            idle_seconds=row["idle_seconds"],
        )
        for row in rows
    }


def _position(row: Record) -> Position:
    return Position(high=row["high"], pending=tuple((low, high) for low, high in row["pending"]))


def _shard(row: Record) -> int:
    return int(row["name"].removeprefix("live-"))
