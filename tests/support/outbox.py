"""The outbox in tests: endpoints, messages for them, and the sender."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

from prediction_service.settings import PredictionSettings
from prediction_service.store import active_models, endpoints
from prediction_service.usecases.cooldowns import Cooldowns
from prediction_service.usecases.deliveries import OnePrediction, RowPredictions, enqueue
from prediction_service.usecases.sending import send_forever
from shared.db import Pool, transaction
from tests.support.database import START
from tests.support.models import activate_model
from tests.support.serving import Api

_SECONDS = count()


@asynccontextmanager
async def sending_messages(pool: Pool, configured: PredictionSettings) -> AsyncIterator[asyncio.Event]:
    """Run the sender; give the event that pokes it."""
    stop, poke = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(send_forever(pool, configured, stop, poke))
    try:
        yield poke
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)


async def set_up(api: Api, url: str, **changes: Any) -> dict[str, Any]:
    status, body = await api.post("/api/webhooks", {"url": url, **changes})
    assert status == 201, body
    return dict(body)


async def predict(pool: Pool, home: Path, *, coins: int = 1, probability: float = 0.9) -> int:
    """Have one model say something about some coins, always of another time; give how many messages were due."""
    if not await active_models.list_active(pool):
        await activate_model(pool, home)
    (active,) = await active_models.list_active(pool)
    one = OnePrediction(active=active, prediction=1, probability=probability, is_alert=probability >= 0.7)
    at = START + timedelta(seconds=next(_SECONDS))
    rows = [
        RowPredictions(
            coin_id=f"coin {number}", timestamp=at, price_close=3e-8, phase_id=1, predictions=(one,),
            caught_up_late=False
        )
        for number in range(coins)
    ]  # fmt: skip
    async with transaction(pool) as connection:
        cooldowns = Cooldowns({active.id: active}).batch()
        return len(await enqueue(connection, await endpoints.list_enabled(connection), rows, cooldowns))
