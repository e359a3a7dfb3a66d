"""Which shards this worker answers: locks that end with its session, shared out among the workers there are."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import structlog

from prediction_service.runtime.shards import ALL, SHARDS, fair_share
from shared.db import Connection, ConnectionLost, PostgresError, connect

log = structlog.get_logger(__name__)

LOCK = 0x70756D6C
"""First key of all locks here; the second one is the shard, or `MEMBER`."""
MEMBER = SHARDS
"""Held by every worker, so that each can count them."""
APPLICATION = "prediction-worker"
"""Name of the sessions that write."""
LOOK_SECONDS = 0.5
PROOF_TIMEOUT_SECONDS = 3.0
SILENT_SECONDS = 10
"""The server ends the session of a worker that proves nothing for so long: frozen, or cut off from it."""

_LOCKS = """
SELECT objid::int FROM pg_locks
WHERE locktype = 'advisory' AND classid::bigint = $1 AND objsubid = 2 AND granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


# No timeout of the server ends a session that waits for the rest of what it was to write; rows it has written already
# would keep whoever takes over waiting.
_END_FROZEN = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE application_name = $1 AND datname = current_database() AND usename = current_user
  AND state = 'active' AND wait_event = 'ClientRead' AND state_change < clock_timestamp() - $2::interval
"""


class Duty:
    """The shards of this worker, as the locks have it and as the live loop does."""

    def __init__(self, wake: Callable[[], None] = lambda: None) -> None:
        self.assigned: frozenset[int] = frozenset()
        """What the loop is to answer from its next batch on."""
        self.in_use: frozenset[int] = frozenset()
        """What it answers now."""
        self.workers = 0
        """How many workers there are."""
        self._wake = wake
        self._changed = asyncio.Event()
        self._left = asyncio.Event()

    def assign(self, shards: frozenset[int]) -> None:
        """Tell the loop what to answer."""
        if shards != self.assigned:
            self.assigned = shards
            self._changed.set()
            self._wake()

    def use(self, shards: frozenset[int]) -> None:
        """Note what the loop answers from now on."""
        self.in_use = shards
        self._left.set()

    async def change(self) -> None:
        """Wait until something else is assigned than is in use."""
        while self.assigned == self.in_use:
            self._changed.clear()
            await self._changed.wait()

    async def left(self, shards: frozenset[int], *, seconds: float) -> bool:
        """Wait until the loop answers none of these shards; False when that takes longer."""
        try:
            async with asyncio.timeout(seconds):
                while self.in_use & shards:
                    self._left.clear()
                    await self._left.wait()
        except TimeoutError:
            return False
        return True


async def lead(dsn: str, duty: Duty) -> None:
    """Hold this worker's share of the shards; try for ever.

    The locks decide who works; that two never write is made sure by the owner written into the positions.
    """
    while True:
        try:
            connection = await connect(dsn, application="pumpcast live lock")
            try:
                await _hold(connection, duty)
            finally:
                connection.terminate()
        except (*ConnectionLost, PostgresError) as error:
            log.warning("live locks lost", error=type(error).__name__)
        finally:
            duty.assign(frozenset())
        await asyncio.sleep(LOOK_SECONDS)


async def _hold(connection: Connection, duty: Duty) -> None:
    await connection.execute(f"SET idle_session_timeout = '{SILENT_SECONDS}s'", timeout=PROOF_TIMEOUT_SECONDS)
    await connection.execute("SELECT pg_advisory_lock_shared($1, $2)", LOCK, MEMBER, timeout=PROOF_TIMEOUT_SECONDS)
    held: frozenset[int] = frozenset()
    while True:
        # This also proves to both sides that the session is alive.
        locks = [row[0] for row in await connection.fetch(_LOCKS, LOCK, timeout=PROOF_TIMEOUT_SECONDS)]
        await connection.fetchval(
            _END_FROZEN, APPLICATION, timedelta(seconds=SILENT_SECONDS), timeout=PROOF_TIMEOUT_SECONDS
        )
        duty.workers = locks.count(MEMBER)
        share = fair_share(duty.workers)
        before = held
        if len(held) > share:
            held = await _give_back(connection, duty, held, share)
        elif len(held) < share:
            held |= await _take(connection, sorted(ALL - {*locks}), share - len(held))
        if held != before:
            log.info("shards of this worker", shards=sorted(held), workers=duty.workers)
        duty.assign(frozenset(sorted(held)[:share]))
        await asyncio.sleep(LOOK_SECONDS)


async def _take(connection: Connection, free: list[int], most: int) -> frozenset[int]:
    taken: set[int] = set()
    for shard in free:
        if len(taken) == most:
            break
        if await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", LOCK, shard, timeout=PROOF_TIMEOUT_SECONDS):
            taken.add(shard)
    return frozenset(taken)


async def _give_back(connection: Connection, duty: Duty, held: frozenset[int], share: int) -> frozenset[int]:
    """Let go of what is more than the share, once the batch that is being answered is done."""
    kept = frozenset(sorted(held)[:share])
    duty.assign(kept)
    if not await duty.left(held - kept, seconds=LOOK_SECONDS):
        return held
    for shard in held - kept:
        await connection.execute("SELECT pg_advisory_unlock($1, $2)", LOCK, shard, timeout=PROOF_TIMEOUT_SECONDS)
    return kept
