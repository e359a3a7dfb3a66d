"""The trigger on coin_metrics that wakes the live worker."""

import structlog

from shared.db import InsufficientPrivilege, LockNotAvailable, Pool, transaction
from shared.migrate import SQL_FOLDER

log = structlog.get_logger(__name__)

LOCK_TIMEOUT_MS = 200


async def ensure_trigger(pool: Pool) -> bool:
    """Install the trigger when it is not there; False without the table, the right to it, or a quiet moment."""
    if await pool.fetchval("SELECT to_regclass('coin_metrics') IS NULL"):
        return False
    script = (SQL_FOLDER / "wakeup_trigger.sql").read_text(encoding="utf-8")
    try:
        async with transaction(pool) as connection:
            # Whoever waits for the lock makes every writer behind it wait too: a busy table is tried again later.
            await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_MS}ms'")
            await connection.execute(script)
    except LockNotAvailable:
        log.info("coin_metrics is busy, the trigger is tried again later")
        return False
    except InsufficientPrivilege:
        log.warning("no right to create the trigger pumpcast_wakeup on coin_metrics, rows are polled")
        return False
    return True
