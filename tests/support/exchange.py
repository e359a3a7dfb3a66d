"""A stand-in for an exchange: markets and candles as Binance and its kin serve them."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from prediction_service.clients.exchange import Exchange
from tests.support.serving import served_routes

SECONDS = {"1s": 1, "1m": 60, "15m": 900}


def told(open_time: int, step: int) -> list[Any]:
    """Give the candle of a time as it is sent; numbers follow from the time."""
    price = 3e-8 + open_time // step % 1000 * 1e-12
    numbers = [f"{number:.15f}" for number in (price, price * 1.5, price * 0.5, price * 1.25)]
    return [
        open_time * 1000,
        *numbers,
        str(open_time // step % 7),
        (open_time + step) * 1000 - 1,
        "0",
        1,
        "0",
        "0",
        "0",
    ]


@dataclass(slots=True)
class Stand:
    """What it answers."""

    url: str = ""
    answer: Callable[[], web.Response] | None = None
    """Takes the place of every answer: an outage."""
    delay: float = 0.0
    spoil: Callable[[list[Any]], Any] | None = None
    """Changes the candles of an answer."""
    lacks: set[int] = field(default_factory=set)
    """Open times that it knows nothing of."""
    most: int | None = None
    """So many of the newest candles are all that it gives."""
    asked: list[tuple[int, int]] = field(default_factory=list)
    """(since, candles answered) of each request for candles."""

    def open(self, name: str, *, derivatives: bool) -> Exchange:
        """Open a session with it in the place of any exchange."""
        return Exchange(name, derivatives=derivatives, base_url=self.url)


@asynccontextmanager
async def exchange() -> AsyncIterator[Stand]:
    """Serve the stand-in."""
    stand = Stand()

    async def markets(_request: web.Request) -> web.Response:
        await asyncio.sleep(stand.delay)
        if stand.answer:
            return stand.answer()
        pairs = [("BTC", "USDT"), ("SOL", "USDT")]
        return web.json_response({"symbols": [_market(base, quote) for base, quote in pairs]})

    async def candles(request: web.Request) -> web.Response:
        await asyncio.sleep(stand.delay)
        if stand.answer:
            return stand.answer()
        step, limit = SECONDS[request.query["interval"]], int(request.query["limit"])
        since = int(request.query["startTime"]) // 1000
        first = -(-since // step) * step
        times = [one for one in range(first, int(time.time()) + 1, step) if one not in stand.lacks][:limit]
        if stand.most is not None:
            times = [one for one in times if one > time.time() - stand.most * step]
        stand.asked.append((since, len(times)))
        rows = [told(one, step) for one in times]
        return web.json_response(stand.spoil(rows) if stand.spoil else rows)

    routes = [web.get("/api/v3/exchangeInfo", markets), web.get("/api/v3/klines", candles)]
    async with served_routes(routes) as stand.url:
        yield stand


def _market(base: str, quote: str) -> dict[str, Any]:
    return {
        "symbol": base + quote, "status": "TRADING", "baseAsset": base, "quoteAsset": quote, "baseAssetPrecision": 8,
        "quotePrecision": 8, "isSpotTradingAllowed": True, "permissions": ["SPOT"], "filters": [],
    }  # fmt: skip
