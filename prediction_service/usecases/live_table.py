"""Which table the live positions tell of: coin_metrics may be emptied or made anew, and then counts from 1 again."""

from collections.abc import Mapping
from typing import Any

import structlog

from prediction_service.store import active_models, cooldowns, positions
from prediction_service.store.positions import Owned
from shared.coin_metrics.read import Batch, moment
from shared.db import Connection, Pool, transaction
from shared.errors import PumpcastError

log = structlog.get_logger(__name__)


class Superseded(PumpcastError):
    """A shard was taken over, the models or the table changed: what is in memory counts no more."""

    code = "superseded"


def marked(seen: Batch) -> dict[str, Any]:
    """Give what is kept with the positions to know the table again: one of the rows that were seen."""
    if len(seen) == 0:
        return {}
    at = int(seen.id.argmax())
    return {"mark": [int(seen.id[at]), seen.mint[at], int(seen.timestamp[at])]}


async def start_again_if_made_anew(pool: Pool, owned: Mapping[int, Owned]) -> int:
    """Give the highest id of the table, if it is the one that the positions tell of."""
    file, highest = await positions.table_identity(pool)
    if all(one.table_mark.get("file") == file for one in owned.values()):
        return highest
    async with transaction(pool) as connection:
        # All shards at once, and by the first who notices: whoever comes later finds that it was done.
        known = await positions.lock_all(connection)
        file, highest = await positions.table_identity(connection)
        if any(one.table_mark.get("file") != file for one in known.values()):
            anew = await _made_anew(connection, known, highest)
            await positions.move_to_file(connection, file, anew=anew)
            if anew:
                log.warning("coin_metrics starts anew, all of its rows are new", highest_id=highest)
                await active_models.restart_intervals(connection)
                await cooldowns.forget_all(connection)
            await active_models.announce(connection)
    raise Superseded("the positions were set to another table")


async def _made_anew(connection: Connection, known: Mapping[int, Owned], highest: int) -> bool:
    """Tell a table that was emptied from one that was only written to another file, as VACUUM FULL does."""
    if all("file" not in one.table_mark for one in known.values()):
        return False
    for row_id, mint, at in sorted(one.table_mark["mark"] for one in known.values() if "mark" in one.table_mark):
        there = await positions.row_is(connection, row_id, mint, moment(at))
        if there is not None:
            return not there
    return highest < max(one.standing.position.high for one in known.values())
