"""One live worker at a time: the others stand by until its session ends."""

import asyncio

import structlog

from shared.db import Connection, ConnectionLost, PostgresError, connect

log = structlog.get_logger(__name__)

LOCK = 0x70756D6C
TRY_SECONDS = 1.0
PROOF_SECONDS = 2.0
PROOF_TIMEOUT_SECONDS = 3.0
SILENT_SECONDS = 10
"""The server ends the session of a worker that proves nothing for so long: frozen, or cut off from it."""


async def lead(dsn: str, leading: asyncio.Event) -> None:
    """Keep `leading` set while this process holds the advisory lock; try for ever.

    The lock decides who works; that two never write is made sure by the owner written into the position.
    """
    while True:
        try:
            connection = await connect(dsn, application="pumpcast live lock")
            try:
                await _hold(connection, leading)
            finally:
                connection.terminate()
        except (*ConnectionLost, PostgresError) as error:
            log.warning("live lock lost", error=type(error).__name__)
        finally:
            leading.clear()
        await asyncio.sleep(TRY_SECONDS)


async def _hold(connection: Connection, leading: asyncio.Event) -> None:
    told = False
    await connection.execute(f"SET idle_session_timeout = '{SILENT_SECONDS}s'", timeout=PROOF_TIMEOUT_SECONDS)
    while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK, timeout=PROOF_TIMEOUT_SECONDS):
        if not told:
            log.info("another worker is live, standing by")
            told = True
        await asyncio.sleep(TRY_SECONDS)
    log.info("this worker is live")
    leading.set()
    while True:
        await asyncio.sleep(PROOF_SECONDS)
        await connection.fetchval("SELECT 1", timeout=PROOF_TIMEOUT_SECONDS)
