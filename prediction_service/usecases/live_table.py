"""Which table the live position tells of: coin_metrics may be emptied or made anew, and then counts from 1 again."""

from typing import Any
from uuid import UUID

import structlog

from prediction_service.runtime.position import Position
from prediction_service.store import active_models, positions
from shared.coin_metrics.read import Batch, moment
from shared.db import Pool, transaction
from shared.errors import PumpcastError

log = structlog.get_logger(__name__)


class Superseded(PumpcastError):
    """The position was taken over, the models or the table changed: what is in memory counts no more."""

    code = "superseded"


def marked(seen: Batch) -> dict[str, Any]:
    """Give what is kept with the position to know the table again: one of the rows that were seen."""
    if len(seen) == 0:
        return {}
    at = int(seen.id.argmax())
    return {"mark": [int(seen.id[at]), seen.mint[at], int(seen.timestamp[at])]}


async def start_again_if_made_anew(pool: Pool, owner: UUID, owned: positions.Owned) -> int:
    """Give the highest id of the table, if it is the one that the position tells of."""
    file, highest = await positions.table_identity(pool)
    known = owned.counters.get("file")
    if known == file:
        return highest
    position, clock, counters = owned.position, owned.clock, owned.counters | {"file": file}
    anew = known is not None and await _made_anew(pool, owned, highest)
    async with transaction(pool) as connection:
        if anew:
            log.warning("coin_metrics starts anew, all of its rows are new", highest_id=highest, was=position.high)
            position, clock = Position(high=0, pending=()), None
            counters.pop("mark", None)
            await active_models.restart_intervals(connection)
        saved = await positions.save(
            connection, owner=owner, models_version=owned.models_version, position=position, clock=clock,
            counters=counters,
        )  # fmt: skip
    raise Superseded("the position was " + ("set to another table" if saved else "taken over"))


async def _made_anew(pool: Pool, owned: positions.Owned, highest: int) -> bool:
    """Tell a table that was emptied from one that was only written to another file, as VACUUM FULL does."""
    if "mark" in owned.counters:
        row_id, mint, at = owned.counters["mark"]
        there = await positions.row_is(pool, row_id, mint, moment(at))
        if there is not None:
            return not there
    return highest < owned.position.high
