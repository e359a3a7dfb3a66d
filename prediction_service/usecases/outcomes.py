"""What became of predictions whose horizon is over: told by the label rule of their own model, written once."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from prediction_service.runtime.tallies import Tally, count_calibration, count_outcomes
from prediction_service.runtime.verdicts import Pending, Recorded, Verdicts, judge, news
from prediction_service.settings import PredictionSettings
from prediction_service.store import dues, positions, statistics
from prediction_service.store.dues import Due, Stretch
from prediction_service.usecases.endings import KnownEndings
from shared.coin_metrics import read, spans
from shared.coin_metrics.read import Layout, microseconds
from shared.coin_metrics.rows import Ints
from shared.db import Connection, Pool, transaction
from shared.labels import RuleTarget, Target, TimeTarget

MOST_DUES = 500
CHUNK_PREDICTIONS, CHUNK_COINS, CHUNK_ROWS = 5_000, 1_000, 100_000
"""Coins are taken together up to one of these; how many rows they have is known from the ones before."""
FIRST_COINS = 50
STATEMENT_PREDICTIONS = 1_000
"""So many outcomes are handed over at a time: encoding them holds up the rows that are answered beside it."""


class Outcomes:
    """Resolves predictions, and remembers how many rows coins have and which of them left tracking."""

    def __init__(self) -> None:
        self._endings = KnownEndings()
        self._coins = FIRST_COINS

    async def resolve_due(self, pool: Pool, _settings: PredictionSettings) -> bool:
        """Resolve what the recording clock has passed; True when more waits. Done again, it changes nothing."""
        clock = await positions.least_clock(pool)
        due = [] if clock is None else await dues.list_due(pool, clock=clock, most=MOST_DUES)
        if clock is None or not due:
            return False
        columns = dict.fromkeys(["bonding_curve_pct", *(one.target.target_var for one in due)])
        layout = await read.layout(pool, tuple(columns))
        if layout is None:
            return False
        work = _Work(pool, due, clock, layout, self._endings, await spans.untracked_phases(pool))
        await self._endings.look(pool)
        stretches, are_second = [one.stretch for one in due], [one.is_second for one in due]
        coins = list((await dues.list_coins(pool, stretches, are_second)).items())
        while coins:
            taken = _first(coins, self._coins)
            rows = await work.resolve([coin for coin, _ in coins[:taken]])
            if rows is None:
                return False
            self._coins = max(1, min(CHUNK_COINS, CHUNK_ROWS * taken // max(rows, taken)))
            del coins[:taken]
        await work.forget()
        return len(due) == MOST_DUES


def _first(coins: Sequence[tuple[str, int]], most: int) -> int:
    """Tell how many of the first coins make a chunk."""
    waiting = np.cumsum([count for _, count in coins[:most]])
    return max(1, int(np.searchsorted(waiting, CHUNK_PREDICTIONS, side="right")))


class _Work:
    """What one look found due."""

    def __init__(
        self,
        pool: Pool,
        due: Sequence[Due],
        clock: datetime,
        layout: Layout,
        endings: KnownEndings,
        untracked: frozenset[int],
    ) -> None:
        self._pool = pool
        self._ids = [one.id for one in due]
        self._clock = microseconds(clock)
        self._layout = layout
        self._endings = endings
        self._untracked = untracked
        self._asked, self._questions, self._are_second = _by_model(due)
        self._active_ids = [stretch.active_model_id for stretch in self._asked]
        self._horizons = np.array(
            [0 if isinstance(target, RuleTarget) else target.horizon for target in self._questions], np.int64
        )

    async def resolve(self, coins: Sequence[str]) -> int | None:
        """Resolve what waits of some coins; give how many rows that took, None when another worker is at it."""
        pending = await dues.list_waiting(self._pool, coins, self._asked, self._are_second)
        if not len(pending):
            return 0
        # First and second look at a model may reach over each other.
        pending = pending.take(np.unique(pending.id, return_index=True)[1])
        # Of some of them another worker may have resolved everything.
        present = np.unique(pending.coin)
        pending = replace(pending, coin=np.searchsorted(present, pending.coin))
        recorded = await self._read([coins[place] for place in present.tolist()], pending)
        verdicts = await asyncio.to_thread(judge, pending, self._questions, recorded)
        pending, verdicts = news(pending, verdicts)
        if not len(pending):
            return len(recorded.rows)
        counted = await asyncio.to_thread(self._count, pending, verdicts)
        async with transaction(self._pool) as connection:
            # Who has all of them has no rival; others may have been at work since they were read.
            if not await dues.lock(connection, self._ids):
                return None
            written = await _write(connection, pending, verdicts)
            if len(written) < len(pending):
                kept = np.isin(pending.id, written)
                counted = await asyncio.to_thread(self._count, pending.take(kept), verdicts.take(kept))
            if len(written):
                await statistics.lock(connection)
                await statistics.add_outcomes(connection, *counted)
        return len(recorded.rows)

    async def forget(self) -> None:
        """Delete the dues, nothing of which waits any more."""
        async with transaction(self._pool) as connection:
            if await dues.lock(connection, self._ids):
                await dues.delete(connection, self._ids)

    async def _read(self, coins: Sequence[str], pending: Pending) -> Recorded:
        starts, ends = np.full(len(coins), self._clock), np.zeros(len(coins), np.int64)
        np.minimum.at(starts, pending.coin, pending.timestamp)
        np.maximum.at(ends, pending.coin, pending.timestamp + self._horizons[pending.question])
        rows = await spans.rows_of(self._pool, self._layout, mints=coins, starts=starts, ends=ends)
        left_at = await self._endings.before(self._pool, self._layout, coins, starts, untracked=self._untracked)
        return Recorded(
            rows=rows,
            last_seen=await self._last_seen(coins),
            left_at=left_at,
            clock=self._clock,
            untracked_phases=self._untracked,
        )

    async def _last_seen(self, coins: Sequence[str]) -> Ints:
        if not any(isinstance(one, TimeTarget) and one.label_resolution == "observed" for one in self._questions):
            return np.zeros(len(coins), np.int64)
        return await spans.last_seen(self._pool, mints=coins, clock=self._clock)

    def _count(self, pending: Pending, verdicts: Verdicts) -> tuple[Tally, Tally]:
        ids = self._active_ids
        return count_outcomes(pending, verdicts, ids), count_calibration(pending, verdicts, ids)


def _by_model(due: Sequence[Due]) -> tuple[list[Stretch], list[Target], list[bool]]:
    """Join the stretches of each model and look; what else lies between is due as well."""
    joined: dict[tuple[int, bool], Stretch] = {}
    targets: dict[tuple[int, bool], Target] = {}
    for one in due:
        new = one.stretch
        key = (new.active_model_id, one.is_second)
        old = joined.get(key, new)
        targets[key] = one.target
        joined[key] = Stretch(
            active_model_id=new.active_model_id,
            data_from=min(old.data_from, new.data_from),
            data_to=max(old.data_to, new.data_to),
            first_id=min(old.first_id, new.first_id),
            last_id=max(old.last_id, new.last_id),
        )
    return list(joined.values()), list(targets.values()), [is_second for _, is_second in joined]


async def _write(connection: Connection, pending: Pending, verdicts: Verdicts) -> Ints:
    written = []
    for start in range(0, len(pending), STATEMENT_PREDICTIONS):
        part = np.arange(start, min(start + STATEMENT_PREDICTIONS, len(pending)))
        written.append(await dues.resolve(connection, pending.take(part), verdicts.take(part)))
    return np.concatenate(written)
