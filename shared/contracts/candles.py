"""Candles on the wire, and how the length of one is written."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AliasChoices,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

from shared.contracts.fields import NO_NUL, Moment

DAY_SECONDS = 86_400
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOST_CANDLES = 2000
"""Of one request: more than a package warms up on, and well within the largest body."""
_UNITS = {"d": DAY_SECONDS, "h": 3600, "m": 60, "s": 1}
_INTERVAL = re.compile(r"([1-9][0-9]{0,4})([smhd])", re.ASCII)


def interval_seconds(text: str) -> int:
    """Give the length of an interval in seconds; ValueError when it is none, or does not divide a day.

    >>> interval_seconds("15m"), interval_seconds("1d")
    (900, 86400)

    """
    found = _INTERVAL.fullmatch(text)
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not seconds or DAY_SECONDS % seconds:
        raise ValueError(f"{text!r} is no interval of candles: write it like 30s, 15m, 4h or 1d; it must divide a day")
    return seconds


def interval_text(seconds: int) -> str:
    """Write an interval in the largest unit that divides it: the only form that is stored.

    >>> interval_text(900), interval_text(3600), interval_text(5400), interval_text(86_400)
    ('15m', '1h', '90m', '1d')

    """
    unit, size = next((unit, size) for unit, size in _UNITS.items() if seconds % size == 0)
    return f"{seconds // size}{unit}"


def is_aligned(open_time: datetime, seconds: int) -> bool:
    """Tell whether a moment is a whole number of intervals after 1970."""
    return open_time.microsecond == 0 and int(open_time.timestamp()) % seconds == 0


def is_ahead(open_time: datetime, seconds: int) -> bool:
    """Tell whether a candle lies so far in the future that nobody can know of it."""
    return open_time > datetime.now(UTC) + timedelta(seconds=seconds)


Interval = Annotated[
    str,
    Field(pattern=r"^[1-9][0-9]{0,4}[smhd]$", description="Length such as 30s, 15m, 4h or 1d; it divides a day"),
    AfterValidator(lambda text: interval_text(interval_seconds(text))),
]
Symbol = Annotated[
    str, Field(min_length=1, max_length=100, pattern=NO_NUL, description="A market such as BTCUSDT, or a mint")
]
Price = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]
Volume = Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)]


class NewCandle(BaseModel):
    """A candle to store; o, h, l, c and v are taken for the long names as well."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    symbol: Symbol
    interval: Interval
    open_time: Moment = Field(description="Start of the candle, a whole number of intervals after 1970")
    open: Price = Field(validation_alias=AliasChoices("open", "o"))
    high: Price = Field(validation_alias=AliasChoices("high", "h"))
    low: Price = Field(validation_alias=AliasChoices("low", "l"))
    close: Price = Field(validation_alias=AliasChoices("close", "c"))
    volume: Volume = Field(validation_alias=AliasChoices("volume", "v"))

    @field_validator("open_time")
    @classmethod
    def _on_the_grid(cls, value: datetime, given: ValidationInfo) -> datetime:
        if value < EPOCH:
            raise ValueError("must not lie before 1970")
        interval = given.data.get("interval")
        if not interval:
            return value
        seconds = interval_seconds(interval)
        if not is_aligned(value, seconds):
            raise ValueError(f"must be the start of a candle of {interval}, a whole number of them after 1970")
        if is_ahead(value, seconds):
            raise ValueError(f"must not lie more than one candle of {interval} ahead of now")
        return value

    @field_validator("high")
    @classmethod
    def _highest(cls, value: float, given: ValidationInfo) -> float:
        if value < given.data.get("open", value):
            raise ValueError("high must not be below open")
        return value

    @field_validator("low")
    @classmethod
    def _lowest(cls, value: float, given: ValidationInfo) -> float:
        if value > given.data.get("open", value):
            raise ValueError("low must not be above open")
        return value

    @field_validator("close")
    @classmethod
    def _between(cls, value: float, given: ValidationInfo) -> float:
        if not given.data.get("low", value) <= value <= given.data.get("high", value):
            raise ValueError("close must lie between low and high")
        return value


class PutCandles(BaseModel):
    """Candles to store, all or none of them."""

    model_config = ConfigDict(extra="forbid")

    candles: list[NewCandle] = Field(min_length=1, max_length=MOST_CANDLES)

    @field_validator("candles")
    @classmethod
    def _each_once(cls, value: list[NewCandle]) -> list[NewCandle]:
        places: dict[Any, int] = {}
        for place, candle in enumerate(value):
            first = places.setdefault((candle.symbol, candle.interval, candle.open_time), place)
            if first != place:
                raise ValueError(f"candles {first} and {place} are the same one: give each once")
        return value


class StoredCandles(BaseModel):
    """What became of them."""

    received: int
    inserted: int
    updated: int = Field(description="Were there with other numbers")
    unchanged: int = Field(description="Were there just so")


class CandleFilter(BaseModel):
    """Which candles to list: of a window, or the newest."""

    model_config = ConfigDict(extra="forbid")

    symbol: Symbol
    interval: Interval = "15m"
    since: Moment | None = Field(None, alias="from", description="First open_time")
    until: Moment | None = Field(None, description="Last open_time")
    limit: int = Field(500, ge=1, le=1000)
    cursor: str | None = Field(None, max_length=100)


class Candle(BaseModel):
    """One candle."""

    model_config = ConfigDict(from_attributes=True)

    symbol: str
    interval: str
    open_time: AwareDatetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    closed: bool = Field(description="Only closed candles count for signals")


class CandlePage(BaseModel):
    """Candles, newest first."""

    candles: list[Candle]
    next_cursor: str | None


class MarketFilter(BaseModel):
    """Which market to look at."""

    model_config = ConfigDict(extra="forbid")

    symbol: Symbol
    interval: Interval = "15m"


class Gap(BaseModel):
    """A stretch without candles."""

    model_config = ConfigDict(from_attributes=True)

    since: AwareDatetime = Field(alias="from", description="open_time of the first that is missing")
    until: AwareDatetime = Field(description="open_time of the next that is there")
    missing: int


class Coverage(BaseModel):
    """What there is of a market."""

    symbol: str
    interval: str
    candles: int
    first: AwareDatetime | None
    last: AwareDatetime | None
    missing: int = Field(description="Candles that lack between first and last")
    gaps: list[Gap] = Field(description="Newest first, at most 1000")
    total_gaps: int


class SymbolFilter(BaseModel):
    """Which part of the list of markets."""

    model_config = ConfigDict(extra="forbid")

    after: Symbol | None = Field(None, description="Only symbols behind this one")
    limit: int = Field(100, ge=1, le=1000)


class CandleSeries(BaseModel):
    """A market with candles of one length."""

    model_config = ConfigDict(from_attributes=True)

    symbol: str
    interval: str
    first: AwareDatetime = Field(description="open_time")
    last: AwareDatetime = Field(description="open_time")


class CandleSymbols(BaseModel):
    """What has candles, by symbol."""

    series: list[CandleSeries]
    next_after: str | None = Field(description="Give it as `after` for the next page")
