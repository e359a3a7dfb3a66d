"""All that the live loop holds in memory: taken from the database at the start, kept when only a part has changed."""

import asyncio
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import numpy as np

from prediction_service.clients.training import TrainingClient
from prediction_service.runtime import metrics
from prediction_service.runtime.admission import RECENT_ROWS, Admission
from prediction_service.runtime.gaps import Gaps
from prediction_service.runtime.position import Position, common
from prediction_service.runtime.rings import Rings
from prediction_service.runtime.shards import ALL, shard_of, shards_of
from prediction_service.settings import PredictionSettings
from prediction_service.store import batches, positions
from prediction_service.store.positions import Standing
from prediction_service.usecases.cooldowns import Cooldowns, load_cooldowns
from prediction_service.usecases.live_models import LiveModels, Shelf, load_live_models
from prediction_service.usecases.live_table import start_again_if_made_anew
from prediction_service.usecases.warm_start import fill
from shared.coin_metrics import read
from shared.coin_metrics.columns import BASE_FEATURES
from shared.coin_metrics.read import Batch, Layout, microseconds, moment
from shared.coin_metrics.rows import Bools, Ints
from shared.db import Pool
from shared.errors import PumpcastError

OUTAGE_SECONDS = 5.0
"""A shard without a batch for so long had no worker, if rows came meanwhile."""


class TableMissing(PumpcastError):
    """There is no coin_metrics yet."""

    code = "table_missing"


@dataclass(slots=True, kw_only=True)
class Stand:
    """What the loop holds; it changes only when a batch is committed."""

    owner: UUID
    shards: frozenset[int]
    """Rows of these are answered; all others are only looked at, for the clock and the gaps."""
    position: Position
    """What is done in all of the shards."""
    ahead: dict[int, Standing]
    """Shards whose last worker was further than that."""
    models_version: int
    counters: dict[str, Any]
    table_mark: dict[str, Any]
    layout: Layout
    admission: Admission
    rings: Rings
    gaps: Gaps
    models: LiveModels
    cooldowns: Cooldowns
    newest_prediction: int
    """An id that all predictions to come will exceed."""
    catching_up: bool
    """True after a start or a fault until nothing new is visible."""
    missed: int
    """Rows with ids up to this one came during an outage."""
    limit: int
    """How many rows the next look may bring."""
    looked: float
    """Monotonic time of the last look for rows."""
    unanswered_since: float | None = None
    """Monotonic time from which rows may have been there that are not answered; None: not known, or none."""
    looked_at_table: float = 0.0
    """Monotonic time of the last look whether the table was emptied."""
    tend_due: bool = False
    """True when that look was left out, since the one before was a moment ago."""
    following: asyncio.Task[Any] | None = None
    """The next batch, prepared while the one before is written."""

    def mine(self, rows: Batch) -> Bools | None:
        """Tell which rows are to be answered here; None: all of them."""
        if self.shards == ALL and not self.ahead:
            return None
        shards = shards_of(rows.mint)
        chosen = np.isin(shards, list(self.shards))
        for shard, standing in self.ahead.items():
            chosen &= ~((shards == shard) & standing.position.contains(rows.id))
        return chosen

    def done_up_to(self, rows: Batch, here: int) -> int | Ints:
        """Give the highest id that is done in the shard of each row when the loop is at `here`."""
        if not self.ahead:
            return here
        high = {shard: max(here, standing.position.high) for shard, standing in self.ahead.items()}
        return np.array([high.get(shard, here) for shard in shards_of(rows.mint).tolist()], np.int64)

    def standings(self, position: Position, clock: int | None) -> dict[int, Standing]:
        """Give where each shard stands when the loop stands here."""
        here = Standing(position=position, clock=None if clock is None else moment(clock))
        return {shard: _further(self.ahead[shard], here) if shard in self.ahead else here for shard in self.shards}

    def move(self, position: Position, standings: Mapping[int, Standing]) -> None:
        """Take over what was committed."""
        self.position = position
        self.ahead = {shard: one for shard, one in standings.items() if one.position is not position}


def _further(known: Standing, here: Standing) -> Standing:
    if here.position.covers(known.position):
        return here
    clocks = [clock for clock in (known.clock, here.clock) if clock is not None]
    return Standing(position=here.position.joined(known.position), clock=max(clocks, default=None))


async def take_stand(
    pool: Pool,
    training: TrainingClient,
    settings: PredictionSettings,
    shelf: Shelf,
    *,
    owner: UUID,
    catching_up: bool,
    shards: frozenset[int] = ALL,
    kept: Stand | None = None,
) -> Stand:
    """Take shards over as `owner` and read everything the loop needs that `kept` does not hold."""
    owned = await positions.own(pool, shards, owner)
    standings = {shard: one.standing for shard, one in owned.items()}
    position = common(standing.position for standing in standings.values())
    models = await load_live_models(pool, training, settings, shelf, position)
    columns = tuple(name for name in BASE_FEATURES if name in models.base_columns | {"price_close"})
    if kept is not None and kept.rings.depth >= models.history_needed and {*columns} <= {*kept.rings.columns}:
        columns = kept.rings.columns
    layout = await read.layout(pool, columns)
    if layout is None:
        raise TableMissing("the table coin_metrics does not exist yet")
    highest = await start_again_if_made_anew(pool, owned)
    metrics.LOADED.set(len(models.models))
    changed: dict[str, Any] = {
        "owner": owner,
        "models": models,
        "models_version": owned[min(shards)].models_version,
        "counters": owned[min(shards)].counters,
        "table_mark": owned[min(shards)].table_mark,
        "looked": time.monotonic(),
        "cooldowns": await load_cooldowns(pool, models.actives),
    }
    known = _unchanged(kept, standings)
    if kept is not None and kept.layout == layout and kept.rings.depth >= models.history_needed:
        rings = kept.rings
        # Also of shards that were never answered here: a take-over that failed half-way has read their coins.
        _forget(rings, ALL - known)
    else:
        rings, known = Rings(depth=models.history_needed, columns=columns), frozenset()
    new = {shard: standing for shard, standing in standings.items() if shard not in known}
    if new:
        await fill(pool, layout, rings, new)
    if kept is not None and kept.shards == shards == _unchanged(kept, standings):
        if catching_up:
            changed |= {"catching_up": True, "missed": highest}
        return replace(kept, layout=layout, rings=rings, **changed)
    # The clock of the shard that is furthest behind, as if the others had done nothing yet.
    clock = min(standings.values(), key=lambda standing: (standing.position.high, standing.clock is not None)).clock
    gaps = Gaps()
    if position.pending:
        # Also rows that were held back, which only memory knew to be there.
        following = await positions.next_transaction(pool)
        gaps.watch(position.pending, now=time.monotonic(), next_transaction=following)
    late = catching_up or any(owned[shard].idle_seconds > OUTAGE_SECONDS for shard in new)
    return Stand(
        shards=shards,
        position=position,
        ahead={shard: one for shard, one in standings.items() if not position.covers(one.position)},
        layout=layout,
        admission=Admission(
            clock=None if clock is None else microseconds(clock),
            max_age=int(settings.catchup_max_age_seconds * 1e6),
            recent=await positions.newest_mints(pool, RECENT_ROWS),
        ),
        rings=rings,
        gaps=gaps,
        newest_prediction=await batches.newest_id(pool),
        catching_up=catching_up,
        missed=highest if late else 0,
        limit=settings.batch_size,
        **changed,
    )


def _unchanged(kept: Stand | None, standings: Mapping[int, Standing]) -> frozenset[int]:
    """Give the shards that nobody else has worked on since they were left, and whose last batch is not in doubt."""
    if kept is None:
        return frozenset()
    before = kept.standings(kept.position, kept.admission.clock)
    return frozenset(
        shard
        for shard, standing in standings.items()
        if shard in before and before[shard].position == standing.position
    )


def _forget(rings: Rings, shards: Collection[int]) -> None:
    if shards:
        for mint in rings.mints():
            if shard_of(mint) in shards:
                rings.forget(mint)
