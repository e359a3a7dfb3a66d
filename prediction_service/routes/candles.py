"""Routes of candles: put, listed, and what is missing of them."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query

from prediction_service.deps import PoolDep, SettingsDep
from prediction_service.store import candle_feeds, candles
from prediction_service.store.candles import Bar
from prediction_service.usecases.candles import put_candles
from shared.coin_metrics.read import microseconds, moment
from shared.contracts.candle_feeds import CandleFeed, CandleFeeds
from shared.contracts.candles import (
    EPOCH,
    Candle,
    CandleFilter,
    CandlePage,
    CandleSeries,
    CandleSymbols,
    Coverage,
    Gap,
    MarketFilter,
    PutCandles,
    StoredCandles,
    SymbolFilter,
    interval_seconds,
)
from shared.errors import Invalid
from shared.web.cursor import read_cursor, write_cursor

router = APIRouter(tags=["candles"])

KIND = "candles"
MOST_GAPS = 1000
_LAST = datetime(9999, 12, 30, tzinfo=UTC)


@router.post("/candles", summary="Store candles, all or none of them; what is there already is overwritten")
async def put(pool: PoolDep, body: PutCandles) -> StoredCandles:
    return await put_candles(pool, [Bar(**one.model_dump()) for one in body.candles])


@router.get("/candles", summary="Candles of a market, newest first")
async def list_candles(pool: PoolDep, wanted: Annotated[CandleFilter, Query()]) -> CandlePage:
    found = await candles.list_page(
        pool,
        symbol=wanted.symbol,
        interval=wanted.interval,
        since=wanted.since or EPOCH,
        until=wanted.until or _LAST,
        before=_LAST if wanted.cursor is None else _place(wanted.cursor),
        most=wanted.limit + 1,
    )
    page = found[: wanted.limit]
    closed_until = datetime.now(UTC) - timedelta(seconds=interval_seconds(wanted.interval))
    shown = [
        Candle(**{name: getattr(one, name) for name in Bar.__slots__}, closed=one.open_time <= closed_until)
        for one in page
    ]
    cursor = write_cursor(KIND, microseconds(page[-1].open_time)) if len(found) > len(page) else None
    return CandlePage(candles=shown, next_cursor=cursor)


@router.get("/candles/coverage", summary="How many candles of a market there are, and which are missing between them")
async def show_coverage(pool: PoolDep, wanted: Annotated[MarketFilter, Query()]) -> Coverage:
    sums = await candles.coverage(pool, symbol=wanted.symbol, interval=wanted.interval)
    gaps = await candles.gaps(pool, symbol=wanted.symbol, interval=wanted.interval, most=MOST_GAPS)
    return Coverage(
        symbol=wanted.symbol,
        interval=wanted.interval,
        candles=sums.candles,
        first=sums.first,
        last=sums.last,
        missing=sums.missing,
        gaps=[Gap.model_validate(one, by_name=True) for one in gaps],
        total_gaps=sums.total_gaps,
    )


@router.get("/candles/symbols", summary="What has candles, from when to when")
async def list_symbols(pool: PoolDep, wanted: Annotated[SymbolFilter, Query()]) -> CandleSymbols:
    found = await candles.list_series(pool, after=wanted.after or "", most=wanted.limit + 1)
    symbols = list(dict.fromkeys(one.symbol for one in found))[: wanted.limit]
    shown = [CandleSeries.model_validate(one) for one in found if one.symbol in symbols]
    return CandleSymbols(series=shown, next_after=symbols[-1] if len(shown) < len(found) else None)


@router.get("/candles/feeds", summary="How the feeds of CANDLE_FEEDS are")
async def list_feeds(pool: PoolDep, settings: SettingsDep) -> CandleFeeds:
    known = {one.feed: one for one in await candle_feeds.list_all(pool)}
    return CandleFeeds(
        feeds=[
            CandleFeed.model_validate(known[feed.name])
            if feed.name in known
            else CandleFeed(feed=feed.name, symbol=feed.symbol, interval=feed.interval)
            for feed in settings.feeds
        ]
    )


def _place(cursor: str) -> datetime:
    try:
        return moment(read_cursor(KIND, cursor))
    except OverflowError:
        raise Invalid("The cursor is not one that this list gave: start without it", pointer="/query/cursor") from None
