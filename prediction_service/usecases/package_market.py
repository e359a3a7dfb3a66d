"""Which candles a package is asked about."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from prediction_service.runtime.packages.candles import Candles
from prediction_service.store import candles as store
from prediction_service.store.package_work import Run, first_candle, newest_symbols, runs
from prediction_service.store.packages import Listed
from prediction_service.usecases.candles import Source, closed_candles, count_closed, written
from shared.coin_metrics.read import microseconds, moment
from shared.contracts.candles import interval_text
from shared.contracts.packages import Market
from shared.db import Executor
from shared.errors import Invalid, TooFewCandles

MOST_NAMED = 8
MOST_TRIED = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One market as of one moment."""

    symbol: str
    """Market, or the mint of a coin."""
    interval_seconds: int
    """Length of its candles."""
    bars: int
    """So many are needed."""
    source: Source
    """Where they come from."""
    at: datetime | None = None
    """As of then; None is now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Where a package may be warmed up."""

    view: View | None
    """None: no market has a candle of its interval."""
    found: int
    """So many stored candles follow each other up to now, as far as they are needed."""

    @property
    def is_enough(self) -> bool:
        """Whether a warm-up may begin."""
        return self.view is not None and self.found >= self.view.bars


def market_of(package: Listed) -> Market:
    """Give the market a package was made for."""
    return Market.model_validate(package.market)


def view(
    package: Listed, *, symbol: str | None = None, at: datetime | None = None, source: Source | None = None
) -> View:
    """Give what a request asks about; without a symbol anywhere it is `Invalid`."""
    market = market_of(package)
    chosen = symbol or market.symbol
    if chosen is None:
        raise Invalid(
            f"symbol is needed: the manifest of package {package.id} names no market; ask with ?symbol=…",
            pointer="/query/symbol",
        )
    return _view(market, chosen, at=at, source=source)


async def view_to_warm_up(executor: Executor, package: Listed) -> View | None:
    """Give the market of the manifest; or, where it names none, one that has candles. None when there is no such."""
    market = market_of(package)
    return (await choose(executor, [market]))[market].view


async def choose(executor: Executor, markets: Iterable[Market]) -> dict[Market, Choice]:
    """Find for all markets at once where to warm up on stored candles, and how many there are.

    Where a manifest names no market it is the newest that has enough candles, else the one with most.
    """
    symbols: dict[int, list[str]] = {}
    views: dict[Market, list[View]] = {}
    most: dict[tuple[str, int], int] = {}
    for market in markets:
        seconds, named = market.interval_seconds, [market.symbol] if market.symbol is not None else []
        if market.source == "candles":
            if not named and seconds not in symbols:
                symbols[seconds] = await newest_symbols(executor, interval_seconds=seconds, most=MOST_TRIED)
            named = named or symbols[seconds]
            for symbol in named:
                most[symbol, seconds] = max(market.warmup_bars, most.get((symbol, seconds), 0))
        views[market] = [_view(market, symbol) for symbol in named]
    wanted = [Run(symbol=symbol, interval_seconds=seconds, most=bars) for (symbol, seconds), bars in most.items()]
    counted = await runs(executor, wanted, now=datetime.now(UTC)) if wanted else []
    found = dict(zip(most, counted, strict=True))
    return {market: _best(of_it, found) for market, of_it in views.items()}


def _best(views: Sequence[View], found: Mapping[tuple[str, int], int]) -> Choice:
    choices = [Choice(view=one, found=min(found.get((one.symbol, one.interval_seconds), 0), one.bars)) for one in views]
    # The first of equals is the newest.
    return max(choices, key=lambda one: one.found, default=Choice(view=None, found=0))


async def candles(executor: Executor, wanted: View) -> Candles:
    """Give the candles of a view; fewer than needed are `TooFewCandles`, naming other markets where there are none."""
    try:
        return await closed_candles(
            executor, symbol=wanted.symbol, interval_seconds=wanted.interval_seconds, bars=wanted.bars, at=wanted.at,
            source=wanted.source,
        )  # fmt: skip
    except TooFewCandles as error:
        if wanted.source != "candles" or not error.message.startswith("have 0 "):
            raise
        first = await first_candle(executor, symbol=wanted.symbol, interval_seconds=wanted.interval_seconds)
        if first is not None:
            raise _too_early(wanted, first) from None
        symbols = await newest_symbols(executor, interval_seconds=wanted.interval_seconds, most=MOST_NAMED)
        others = ", ".join(symbol for symbol in symbols if symbol != wanted.symbol)
        interval = interval_text(wanted.interval_seconds)
        raise TooFewCandles(f"{error.message}; candles of {interval} are there of {others or 'no market'}") from None


async def count(executor: Executor, wanted: View) -> int:
    """Count the candles of a view, up to those needed."""
    return await count_closed(
        executor, symbol=wanted.symbol, interval_seconds=wanted.interval_seconds, bars=wanted.bars, at=wanted.at,
        source=wanted.source,
    )  # fmt: skip


def no_candles(market: Market) -> TooFewCandles:
    """Say that there is nothing to warm up on."""
    if market.source == "coin_metrics":
        return TooFewCandles(
            f"have 0 of {market.warmup_bars} candles: its manifest names no coin; ask for a signal with ?symbol=<mint>"
        )
    interval = interval_text(market.interval_seconds)
    return TooFewCandles(
        f"have 0 of {market.warmup_bars} candles: no market has any of {interval}, send some to POST /candles"
    )


def _too_early(wanted: View, first: datetime) -> TooFewCandles:
    interval = interval_text(wanted.interval_seconds)
    closed_by = "yet" if wanted.at is None else f"by {written(wanted.at)}"
    return TooFewCandles(
        f"have 0 of {wanted.bars} candles of {wanted.symbol} {interval}: none had closed {closed_by}; the first opens "
        f"at {written(first)}"
    )


def _view(market: Market, symbol: str, *, at: datetime | None = None, source: Source | None = None) -> View:
    return View(
        symbol=symbol,
        interval_seconds=market.interval_seconds,
        bars=market.warmup_bars,
        source=source or market.source,
        at=at,
    )


async def candles_after(executor: Executor, wanted: View, after: datetime | None, *, most: int) -> Candles:
    """Give the candles of a market that closed after a moment, with whatever gaps; without one, the newest alone."""
    if wanted.source == "coin_metrics":
        found = await _newest_bars(executor, wanted, 1)
        if len(found) and after is not None:
            # A recording may have ended long ago: bars are counted from its own newest one.
            due = _bars_between(after, moment(int(found.close_time[-1])), wanted.interval_seconds)
            found = await _newest_bars(executor, wanted, min(due, most))
    else:
        now = datetime.now(UTC)
        due = 1 if after is None else _bars_between(after, now, wanted.interval_seconds)
        found = await store.newest(
            executor, symbol=wanted.symbol, interval_seconds=wanted.interval_seconds, close_by=now, most=min(due, most)
        )
    first = 0 if after is None else int(np.searchsorted(found.close_time, microseconds(after), side="right"))
    return found.part(first, len(found))


async def _newest_bars(executor: Executor, wanted: View, most: int) -> Candles:
    known = await count(executor, replace(wanted, bars=most))
    return await closed_candles(
        executor, symbol=wanted.symbol, interval_seconds=wanted.interval_seconds, bars=known, source=wanted.source
    )


def _bars_between(after: datetime, until: datetime, interval_seconds: int) -> int:
    """Count the intervals that end in between, the one that has begun included."""
    return max(-((after - until) // timedelta(seconds=interval_seconds)), 0)
