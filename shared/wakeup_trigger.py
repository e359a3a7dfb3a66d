"""The trigger on coin_metrics that wakes the live worker."""

import structlog

from shared.db import InsufficientPrivilege, Pool
from shared.migrate import SQL_FOLDER

log = structlog.get_logger(__name__)


async def ensure_trigger(pool: Pool) -> bool:
    """Install the trigger when it is not there; False without the table or the right to it."""
    if await pool.fetchval("SELECT to_regclass('coin_metrics') IS NULL"):
        return False
    try:
        await pool.execute((SQL_FOLDER / "wakeup_trigger.sql").read_text(encoding="utf-8"))
    except InsufficientPrivilege:
        log.warning("no right to create the trigger pumpcast_wakeup on coin_metrics, rows are polled")
        return False
    return True
