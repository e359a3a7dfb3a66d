"""The table candle_feeds: how the feeds of candles are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.db import Executor, Queries

_queries = Queries.beside(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedState:
    """One feed and how it is."""

    feed: str
    """As in CANDLE_FEEDS."""
    symbol: str
    interval: str
    last_candle: datetime | None
    """open_time of the newest that it brought."""
    error: str | None
    error_since: datetime | None
    note: str | None
    """What one should know of it though it works."""
    updated_at: datetime


async def begin(executor: Executor, feeds: Sequence[tuple[str, str, str]]) -> None:
    """Let there be these feeds (feed, symbol, interval) and no others; what was known of them stays."""
    names, symbols, intervals = ([one[place] for one in feeds] for place in range(3))
    await _queries.execute(executor, "begin", feeds=names, symbols=symbols, intervals=intervals)


async def note_success(executor: Executor, feed: str, *, last_candle: datetime | None, note: str | None = None) -> None:
    """Note that a feed works and what its newest candle is; None: as before. `note`: what one should know of it."""
    await _queries.execute(executor, "note_success", feed=feed, last_candle=last_candle, note=note)


async def note_failure(executor: Executor, feed: str, *, error: str) -> None:
    """Note what is wrong with a feed."""
    await _queries.execute(executor, "note_failure", feed=feed, error=error)


async def list_all(executor: Executor) -> list[FeedState]:
    """Give the feeds that were last followed."""
    return [FeedState(**row) for row in await _queries.fetch(executor, "list_all")]
