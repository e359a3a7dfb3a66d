"""Candles of an exchange, through ccxt, whose answers are believed only after a look at each row."""

import asyncio
import importlib.util
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

from shared.contracts.candle_feeds import Feed
from shared.contracts.candles import interval_seconds
from shared.errors import SettingsInvalid, Unavailable, UpstreamFailed

REQUEST_SECONDS: Final = 15
MARKETS_SECONDS: Final = 60
RELOAD_SECONDS: Final = 600
PAGE_ROWS: Final = 1000
MOST_ROWS: Final = 5000
"""Of one answer; none that is asked for as is meant has more."""
INSTALL: Final = "candle feeds need ccxt: pip install 'pumpcast[feeds]'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One candle as an exchange tells it."""

    open_time: int
    """Seconds since 1970."""
    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """An answer of an exchange."""

    rows: list[Row]
    """Those that can be, oldest first, each open_time once."""
    faults: list[str]
    """What is wrong with each of the others."""


def check_feeds(feeds: Sequence[Feed]) -> None:
    """Refuse to start with feeds that cannot work: without ccxt, or of an exchange that it does not know."""
    if not feeds:
        return
    found = importlib.util.find_spec("ccxt")
    if found is None or not found.submodule_search_locations:
        raise Unavailable(INSTALL)
    # To import it takes most of a second, which only the process that follows feeds should pay.
    folder = Path(found.submodule_search_locations[0]) / "async_support"
    for feed in feeds:
        if not (folder / f"{feed.exchange}.py").is_file():
            raise SettingsInvalid(f"CANDLE_FEEDS: ccxt knows no exchange {feed.exchange!r} ({feed.name})")


class Exchange:
    """A session with one exchange, of whose markets those with a settlement are known only on demand.

    `base_url` takes the place of its address.
    """

    def __init__(self, name: str, *, derivatives: bool = False, base_url: str | None = None) -> None:
        import ccxt.async_support

        self.name = name
        self._loading = asyncio.Lock()
        self._loaded_at = 0.0
        self._client: Any = getattr(ccxt.async_support, name)(
            {"enableRateLimit": True, "timeout": REQUEST_SECONDS * 1000, "aiohttp_trust_env": False}
        )
        if name == "binance" and not derivatives:
            # Three addresses would be asked for thousands of markets that nobody wants.
            self._client.options["fetchMarkets"] = {"types": ["spot"]}
        if base_url is not None:
            self._client.urls["api"] = _moved(self._client.urls["api"], base_url)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()

    async def candles(self, feed: Feed, *, since: int, now: float) -> Page:
        """Give a page of candles from a time on (seconds); what goes wrong is `UpstreamFailed`."""
        try:
            await self._look_up_markets(feed)
            async with asyncio.timeout(2 * REQUEST_SECONDS):
                found = await self._client.fetch_ohlcv(feed.market, feed.interval, since=since * 1000, limit=PAGE_ROWS)
        except UpstreamFailed:
            raise
        except Exception as error:  # whatever an exchange brings about, ccxt reads it without a look at its shape
            raise UpstreamFailed(f"{self.name}: {_told(error)}") from error
        return read_page(found, step=interval_seconds(feed.interval), now=now)

    async def _look_up_markets(self, feed: Feed) -> None:
        # One at a time: ccxt shares the request, which one that gives up would cancel for all.
        async with self._loading, asyncio.timeout(MARKETS_SECONDS):
            known = self._client.markets or {}
            # Markets are listed now and then; and what came in an outage may have been next to nothing.
            if not known or (feed.market not in known and time.monotonic() > self._loaded_at + RELOAD_SECONDS):
                # Without reload ccxt gives again what it got first, nothing included.
                known = await self._client.load_markets(reload=True)
                self._loaded_at = time.monotonic()
        if feed.market not in known:
            raise UpstreamFailed(f"{self.name}: there is no market {feed.market}")
        if feed.interval not in (self._client.timeframes or {}):
            raise UpstreamFailed(f"{self.name}: there are no candles of {feed.interval}")


def read_page(found: object, *, step: int, now: float) -> Page:
    """Take the candles of an answer that can be.

    >>> page = read_page([[900_000, 1, 2, 1, 2, 5], [900_001, 1, 2, 1, 2, 5]], step=900, now=1e6)
    >>> len(page.rows), page.faults
    (1, ['a candle that does not start on the grid of its interval'])
    """
    if not isinstance(found, list) or len(found) > MOST_ROWS:
        raise UpstreamFailed("the answer is no list of candles, or far too long")
    rows: dict[int, Row] = {}
    faults = [fault for one in found if (fault := _read_row(one, rows, step=step, now=now))]
    return Page(rows=[rows[at] for at in sorted(rows)], faults=faults)


def _read_row(one: object, rows: dict[int, Row], *, step: int, now: float) -> str | None:
    """Add a candle to the rows, or say what is wrong with it."""
    if not isinstance(one, list) or len(one) < len(("time", "o", "h", "l", "c", "v")):
        return "a candle of another shape"
    numbers = one[:6]
    if any(isinstance(number, bool) or not isinstance(number, int | float) for number in numbers):
        return "a candle with something that is no number"
    at, opened, high, low, close, volume = numbers
    if not all(map(math.isfinite, numbers)):
        return "a candle with a number that is not finite"
    if not (0 < low <= min(opened, close) and max(opened, close) <= high and volume >= 0):
        return "a candle with prices that cannot be"
    if at % (step * 1000) or at < 0:
        return "a candle that does not start on the grid of its interval"
    if at > (now + step) * 1000:
        return "a candle of the future"
    rows[int(at) // 1000] = Row(
        open_time=int(at) // 1000, open=float(opened), high=float(high), low=float(low), close=float(close),
        volume=float(volume),
    )  # fmt: skip
    return None


def _moved(urls: Any, base_url: str) -> Any:
    if isinstance(urls, dict):
        return {name: _moved(url, base_url) for name, url in urls.items()}
    return base_url + urlsplit(urls).path if isinstance(urls, str) else urls


def _told(error: Exception) -> str:
    words = "".join(sign for sign in " ".join(str(error).split())[:200] if sign.isprintable())
    return f"{type(error).__name__}: {words}" if words else type(error).__name__
