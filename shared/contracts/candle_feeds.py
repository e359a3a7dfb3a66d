"""Feeds of candles from exchanges: how they are named, and what is told of them."""

import re
from dataclasses import dataclass

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.contracts.candles import interval_seconds, interval_text

_EXAMPLE = "binance:BTC/USDT:15m"
_FEED = re.compile(
    r"([a-z][a-z0-9_]{0,40}):([A-Za-z0-9]{1,30}/[A-Za-z0-9]{1,30}(?::[A-Za-z0-9-]{1,30})?):(\w+)", re.ASCII
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """Candles of an exchange that are followed."""

    exchange: str
    """As ccxt names it."""
    market: str
    """As ccxt names it: BTC/USDT, or BTC/USDT:USDT where it is settled in USDT."""
    interval: str

    @property
    def name(self) -> str:
        """Give it as it is set."""
        return f"{self.exchange}:{self.market}:{self.interval}"

    @property
    def symbol(self) -> str:
        """Give what its candles are stored as: the market without its slash."""
        return self.market.replace("/", "")


def parse_feed(text: str) -> Feed:
    """Read a feed as exchange:market:interval; ValueError when it is none.

    >>> parse_feed("binance:BTC/USDT:900s").name, parse_feed("kraken:SOL/USD:1h").symbol
    ('binance:BTC/USDT:15m', 'SOLUSD')

    """
    found = _FEED.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is no feed of candles: write it as exchange:market:interval, like {_EXAMPLE}")
    exchange, market, interval = found.groups()
    return Feed(exchange=exchange, market=market, interval=interval_text(interval_seconds(interval)))


class CandleFeed(BaseModel):
    """A feed from an exchange and how it is."""

    model_config = ConfigDict(from_attributes=True)

    feed: str = Field(description="As in CANDLE_FEEDS")
    symbol: str = Field(description="What its candles are stored as: the market without its slash")
    interval: str
    last_candle: AwareDatetime | None = Field(None, description="open_time of the newest that it brought")
    error: str | None = None
    error_since: AwareDatetime | None = None
    note: str | None = Field(
        None, description="What one should know of it though it works, such as too short a history"
    )
    updated_at: AwareDatetime | None = Field(None, description="Latest look; null: no worker follows it yet")


class CandleFeeds(BaseModel):
    """All feeds of CANDLE_FEEDS."""

    feeds: list[CandleFeed]
