"""Fill the memory at a take-over: the coins seen last come from one question instead of one for each batch."""

from collections.abc import Mapping

import numpy as np

from prediction_service.runtime.rings import Rings
from prediction_service.runtime.shards import shards_of
from prediction_service.store.positions import Standing
from shared.coin_metrics import warm
from shared.coin_metrics.read import Layout, microseconds
from shared.db import Pool

RECENT_ROWS = 100_000
MOST_COINS = 10_000


async def fill(pool: Pool, layout: Layout, rings: Rings, standings: Mapping[int, Standing]) -> None:
    """Read what the shards have done of their coins; a coin that is left out is read when its next row comes."""
    believed = [standing.clock for standing in standings.values() if standing.clock is not None]
    if not believed:
        return
    most = min(MOST_COINS, rings.capacity - len(rings))
    tops = np.full(max(standings) + 1, -1)
    for shard, standing in standings.items():
        tops[shard] = standing.position.high
    mints = await warm.newest_coins(pool, up_to=int(tops.max()), rows=RECENT_ROWS)
    shards = shards_of(mints)
    chosen = np.flatnonzero(np.isin(shards, list(standings)))[:most]
    if len(chosen) == 0:
        return
    mints, shards = [mints[index] for index in chosen], shards[chosen]
    until = microseconds(max(believed))
    found = await warm.tails(pool, layout, mints=mints, ids=tops[shards], until=until, rows=rings.depth)
    known = found.histories.count > 0
    for shard, standing in standings.items():
        # What was not there, or was held back, when the shard got there will still be answered.
        done = standing.position.contains(found.ids) | (found.ids == warm.NO_ROW)
        known &= (shards != shard) | done.all(axis=1)
    rings.fill([mints[index] for index in np.flatnonzero(known)], found.histories.take(known))
