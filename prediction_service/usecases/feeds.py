"""Follow candles of exchanges: what is missing at first, then each one when it has closed."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Final

import numpy as np
import structlog

from prediction_service.clients.exchange import Exchange, Row, check_feeds
from prediction_service.settings import PredictionSettings
from prediction_service.store import candle_feeds, candles
from prediction_service.store.candles import Bar
from prediction_service.usecases.candles import put_candles
from shared.contracts.candle_feeds import Feed
from shared.contracts.candles import interval_seconds
from shared.contracts.packages import Market
from shared.db import ConnectionLost, Pool, PostgresError
from shared.errors import PumpcastError, UpstreamFailed

log = structlog.get_logger(__name__)

FOLLOWED_BARS: Final = 1600
"""What a package usually warms up on, and a reserve."""
USUAL_BARS: Final = Market().warmup_bars
OVERLAP_BARS: Final = 2
"""So many of the newest are asked for again: exchanges correct them."""
AFTER_CLOSE_SECONDS: Final = 2.0
LONGEST_PAUSE_SECONDS: Final = 60.0
EMPTY_BARS: Final = 200
"""An exchange with nothing to tell of a stretch is asked for what follows so many candles later."""
LATE_TRIES: Final = 3
"""A candle that is not there yet is a fault only after so many looks."""


class _Late(PumpcastError):
    """The candle that has just closed is not there yet."""


async def follow_feeds(
    pool: Pool,
    settings: PredictionSettings,
    stop: asyncio.Event,
    *,
    open_exchange: Callable[..., Exchange] = Exchange,
) -> None:
    """Follow all feeds of the settings until told to stop; one that fails tries again and disturbs no other."""
    feeds = settings.feeds
    check_feeds(feeds)
    await _begin(pool, feeds, stop)
    async with AsyncExitStack() as stack:
        exchanges: dict[str, Exchange] = {}
        for name in {feed.exchange for feed in feeds}:
            derivatives = any(":" in feed.market for feed in feeds if feed.exchange == name)
            exchanges[name] = await stack.enter_async_context(open_exchange(name, derivatives=derivatives))
        tasks = [
            asyncio.create_task(_Follower(pool, exchanges[feed.exchange], feed).run(), name=f"feed {feed.name}")
            for feed in feeds
        ]
        ended = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([ended, *tasks], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (ended, *tasks):
                task.cancel()
            await asyncio.gather(ended, *tasks, return_exceptions=True)
        for task in tasks:
            if not task.cancelled() and (error := task.exception()):
                raise error


async def _begin(pool: Pool, feeds: Sequence[Feed], stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            await candle_feeds.begin(pool, [(feed.name, feed.symbol, feed.interval) for feed in feeds])
        except (*ConnectionLost, PostgresError) as error:
            log.warning("feeds of candles cannot begin", error=type(error).__name__)
            await asyncio.sleep(1)
        else:
            return


class _Follower:
    """One feed."""

    def __init__(self, pool: Pool, exchange: Exchange, feed: Feed) -> None:
        self._pool = pool
        self._exchange = exchange
        self._feed = feed
        self._step = interval_seconds(feed.interval)
        self._asked: set[int] = set()
        """Ends of gaps that the exchange did not fill."""
        self._failures = 0

    async def run(self) -> None:
        """Follow it for ever."""
        while True:
            try:
                await asyncio.sleep(await self._look())
            except (*ConnectionLost, PostgresError) as error:
                self._failures += 1
                log.warning("candles of a feed cannot be stored", feed=self._feed.name, error=type(error).__name__)
                await asyncio.sleep(self._pause())

    async def _look(self) -> float:
        """Fetch what is missing; give how long to wait for the next look."""
        try:
            newest = await self._fetch_missing()
        except PumpcastError as error:
            self._failures += 1
            patience = LATE_TRIES if isinstance(error, _Late) else 1
            if self._failures >= patience:
                await candle_feeds.note_failure(self._pool, self._feed.name, error=error.message)
            if self._failures == patience:
                log.warning("feed of candles fails", feed=self._feed.name, error=error.message)
            return self._pause()
        self._failures = 0
        await candle_feeds.note_success(
            self._pool, self._feed.name, last_candle=_moment(newest), note=await self._shortage(newest)
        )
        return self._step - time.time() % self._step + AFTER_CLOSE_SECONDS

    async def _shortage(self, newest: int) -> str | None:
        """Say that an exchange gave all it has and that is not enough."""
        end = _moment(newest + self._step)
        run = await candles.count_run(
            self._pool, symbol=self._feed.symbol, interval_seconds=self._step, close_by=end, most=USUAL_BARS
        )
        if run >= USUAL_BARS:
            return None
        return (
            f"{self._exchange.name} gave only {run} candles that follow each other, a package usually needs "
            f"{USUAL_BARS}: one more comes with each that closes, older ones can be sent to POST /candles"
        )

    def _pause(self) -> float:
        return float(min(LONGEST_PAUSE_SECONDS, 2.0 ** min(self._failures, 10) / 2))

    async def _fetch_missing(self) -> int:
        """Store what is missing up to the newest closed candle, which is given (open_time in seconds)."""
        last = int(time.time()) // self._step * self._step - self._step
        newest, faults = 0, list[str]()
        for start, end in await self._missing(last):
            newest = max(newest, await self._fetch(start, end, faults))
            self._asked.add(end)
        if faults:
            raise UpstreamFailed(f"{self._exchange.name}: {len(faults)} candles were left out: {faults[0]}")
        if newest < last:
            raise _Late(f"{self._exchange.name}: there is no candle of {_moment(last).isoformat()} yet")
        return newest

    async def _missing(self, last: int) -> list[tuple[int, int]]:
        """Give the stretches to ask for, as open_times of their first and last candle; the newest comes first."""
        present = await candles.newest(
            self._pool,
            symbol=self._feed.symbol,
            interval_seconds=self._step,
            close_by=_moment(last + self._step),
            most=FOLLOWED_BARS,
        )
        grid = np.arange(last - (FOLLOWED_BARS - 1) * self._step, last + 1, self._step)
        lacking = ~np.isin(grid * 1_000_000, present.open_time)
        lacking[-OVERLAP_BARS:] = True
        edges = np.flatnonzero(np.diff(np.concatenate(([False], lacking, [False])).astype(np.int8)))
        stretches = [(int(grid[start]), int(grid[end - 1])) for start, end in edges.reshape(-1, 2)]
        return [one for one in reversed(stretches) if one[1] == last or one[1] not in self._asked]

    async def _fetch(self, start: int, end: int, faults: list[str]) -> int:
        """Store the candles of a stretch; give the newest that came, 0 without any."""
        cursor, newest = start, 0
        while cursor <= end:
            page = await self._exchange.candles(self._feed, since=cursor, now=time.time())
            faults += page.faults
            kept = [self._bar(row) for row in page.rows if start <= row.open_time <= end]
            if kept:
                await put_candles(self._pool, kept)
                newest = max(newest, int(kept[-1].open_time.timestamp()))
            # Before its first trade a market may give nothing, a page at a time.
            reached = page.rows[-1].open_time + self._step if page.rows else 0
            cursor = max(reached, cursor + (self._step if kept else EMPTY_BARS * self._step))
        return newest

    def _bar(self, row: Row) -> Bar:
        return Bar(
            symbol=self._feed.symbol, interval=self._feed.interval, open_time=_moment(row.open_time), open=row.open,
            high=row.high, low=row.low, close=row.close, volume=row.volume,
        )  # fmt: skip


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
