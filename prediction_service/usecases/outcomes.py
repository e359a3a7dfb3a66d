"""What became of predictions whose horizon is over: told by the label rule of their own model, written once."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np
import structlog

from prediction_service.runtime.tallies import Tally, count_calibration, count_outcomes
from prediction_service.runtime.verdicts import Pending, Recorded, Verdicts, judge, news
from prediction_service.settings import PredictionSettings
from prediction_service.store import dues, positions, statistics
from prediction_service.store.dues import Due, Stretch
from prediction_service.usecases.endings import KnownEndings
from shared.coin_metrics import read, spans
from shared.coin_metrics.read import Layout, microseconds
from shared.coin_metrics.rows import Floats, Ints
from shared.db import Connection, ConnectionLost, Pool, transaction
from shared.labels import RuleTarget, Target, TimeTarget
from shared.process_metrics import ERRORS

log = structlog.get_logger(__name__)

MOST_DUES = 500
CHUNK_PREDICTIONS, CHUNK_COINS, CHUNK_ROWS = 5_000, 1_000, 100_000
"""Coins are taken together up to one of these; how many rows they have is told by the time they are read for."""
FIRST_COINS = 50
STATEMENT_PREDICTIONS = 1_000
"""So many outcomes are handed over at a time: encoding them holds up the rows that are answered beside it."""
LEAST_PAUSE, LONGEST_PAUSE = 5.0, 600.0
"""A model whose outcomes cannot be told is left alone for so many seconds, longer each time."""


class Outcomes:
    """Resolves predictions; remembers which coins left tracking, and which models make trouble."""

    def __init__(self) -> None:
        self._endings = KnownEndings()
        self._size = ChunkSize()
        self._unreadable: set[int] = set()
        self._pauses: dict[int, tuple[float, float]] = {}

    async def resolve_due(self, pool: Pool, _settings: PredictionSettings) -> bool:
        """Resolve what the recording clock has passed; True when more waits. Done again, it changes nothing."""
        clock = await positions.least_clock(pool)
        if clock is None:
            return False
        listed = await dues.list_due(
            pool, clock=clock, most=MOST_DUES, left_out=self._resting(), unreadable=list(self._unreadable)
        )
        due = [one for one in listed if isinstance(one, Due)]
        self._leave_out([one for one in listed if not isinstance(one, Due)])
        if not due:
            return len(listed) == MOST_DUES
        columns = dict.fromkeys(["bonding_curve_pct", *(one.target.target_var for one in due)])
        layout = await read.layout(pool, tuple(columns))
        if layout is None:
            return False
        untracked = await spans.untracked_phases(pool)
        await self._endings.look(pool)

        def work(chosen: Sequence[Due]) -> _Work:
            return _Work(pool, chosen, clock, layout, self._endings, untracked)

        try:
            went_on: bool | None = await self._resolve(work(due))
        except ConnectionLost:
            raise
        except Exception as error:
            log.debug("outcomes are told model by model", exc_info=error)
            went_on = None
        if went_on is None:
            # One model must not keep the others from being judged: each by itself.
            went_on = all([await self._try_to_resolve(work(own)) for own in _each_model(due)])
        return went_on and len(listed) == MOST_DUES

    async def _resolve(self, work: "_Work") -> bool:
        """Resolve all of it; False when another worker is at it."""
        coins = await work.list_coins()
        while coins:
            taken = _first(coins, self._size.coins)
            try:
                done = await work.resolve([coin for coin, _ in coins[:taken]], self._size)
            except Exception:
                self._size.failed()
                raise
            if done is None:
                return False
            del coins[:done]
        await work.forget()
        return True

    async def _try_to_resolve(self, work: "_Work") -> bool:
        [active_id] = work.active_ids
        try:
            went_on = await self._resolve(work)
        except ConnectionLost:
            raise
        except Exception as error:
            _, last = self._pauses.get(active_id, (0.0, LEAST_PAUSE / 2))
            pause = min(2 * last, LONGEST_PAUSE)
            self._pauses[active_id] = time.monotonic() + pause, pause
            ERRORS.labels(type(error).__name__).inc()
            log.warning("outcomes cannot be told, trying again", active_model_id=active_id, after=pause, exc_info=error)
            return True
        self._pauses.pop(active_id, None)
        return went_on

    def _resting(self) -> list[int]:
        now = time.monotonic()
        return [active_id for active_id, (until, _) in self._pauses.items() if now < until]

    def _leave_out(self, unreadable: Sequence[int]) -> None:
        if unreadable:
            self._unreadable.update(unreadable)
            log.warning("questions of another version are not answered", dues=len(unreadable), first=unreadable[0])


class ChunkSize:
    """How many coins are read together: learnt from the rows that the ones before had."""

    def __init__(self) -> None:
        self.coins = FIRST_COINS
        # A tracker that writes each coin every second; seldom are there more.
        self._rows_per_second = 1.0
        self._most_rows = CHUNK_ROWS

    def fit(self, seconds: Floats) -> int:
        """Tell how many of the first coins fit, by the time they are read for; one at least."""
        rows = np.cumsum(1 + seconds * self._rows_per_second)
        return max(1, int(np.searchsorted(rows, self._most_rows, side="right")))

    def learn(self, coins: int, seconds: float, rows: int) -> None:
        """Note what a chunk was."""
        self.coins = min(CHUNK_COINS, 2 * coins)
        self._most_rows = min(CHUNK_ROWS, 2 * self._most_rows)
        if seconds > 0:
            # Coins that fell silent say little of those that did not: once a minute at least, and slowly down.
            self._rows_per_second = max(rows / seconds, 0.8 * self._rows_per_second, 1 / 60)

    def failed(self) -> None:
        """Note that a chunk may have been too large."""
        self.coins, self._most_rows = max(1, self.coins // 2), max(1, self._most_rows // 2)


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
        self._of_questions = [stretch.active_model_id for stretch in self._asked]
        self._horizons = np.array(
            [0 if isinstance(target, RuleTarget) else target.horizon for target in self._questions], np.int64
        )

    @property
    def active_ids(self) -> set[int]:
        """Give the models."""
        return set(self._of_questions)

    async def list_coins(self) -> list[tuple[str, int]]:
        """Give the coins that wait, and how many predictions of each do."""
        return list((await dues.list_coins(self._pool, self._asked, self._are_second)).items())

    async def resolve(self, coins: Sequence[str], size: ChunkSize) -> int | None:
        """Resolve what waits of the first of some coins; give how many, None when another worker is at it."""
        pending = await dues.list_waiting(self._pool, coins, self._asked, self._are_second)
        # First and second look at a model may reach over each other.
        pending = pending.take(np.unique(pending.id, return_index=True)[1])
        starts, ends = self._spans(len(coins), pending)
        seconds = np.maximum(ends - starts, 0) / 1_000_000
        done = size.fit(seconds)
        pending = pending.take(pending.coin < done)
        rows = await self._judge(coins, starts, ends, pending) if len(pending) else 0
        if rows is None:
            return None
        done = min(done, len(coins))
        size.learn(done, float(seconds[:done].sum()), rows)
        return done

    async def _judge(self, coins: Sequence[str], starts: Ints, ends: Ints, pending: Pending) -> int | None:
        # Of some of them another worker may have resolved everything.
        present = np.unique(pending.coin)
        pending = replace(pending, coin=np.searchsorted(present, pending.coin))
        recorded = await self._read([coins[place] for place in present.tolist()], starts[present], ends[present])
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

    def _spans(self, coins: int, pending: Pending) -> tuple[Ints, Ints]:
        """Give for each coin from when to when its rows are asked for, microseconds."""
        starts, ends = np.full(coins, np.iinfo(np.int64).max), np.full(coins, np.iinfo(np.int64).min)
        np.minimum.at(starts, pending.coin, pending.timestamp)
        np.maximum.at(ends, pending.coin, pending.timestamp + self._horizons[pending.question])
        is_empty = ends < starts
        return np.where(is_empty, self._clock, starts), np.where(is_empty, self._clock, ends)

    async def _read(self, coins: Sequence[str], starts: Ints, ends: Ints) -> Recorded:
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
        ids = self._of_questions
        return count_outcomes(pending, verdicts, ids), count_calibration(pending, verdicts, ids)


def _each_model(due: Sequence[Due]) -> list[list[Due]]:
    by_model: dict[int, list[Due]] = {}
    for one in due:
        by_model.setdefault(one.stretch.active_model_id, []).append(one)
    return list(by_model.values())


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
