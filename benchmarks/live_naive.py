"""The naive live worker: for every row and model a history query, pandas, `predict_proba` and an INSERT.

Started as a process of its own: `python -m benchmarks.live_naive DSN MODELS sketch|shared`. `sketch` is the design such
services are first sketched with: notifications gather in a batch that is worked off when it is full or old enough; for
each row of it `prepare_features` is called per model, with a query for just its columns; one prediction, one INSERT.
`shared` is kinder: one query per row, with the features of all models computed once.
"""

import asyncio
import json
import pickle
import sys
import time
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.live_models import Native, Natives
from shared.coin_metrics.columns import BASE_FEATURES, PRICE_COLUMNS
from shared.db import Connection, Pool, connect, open_pool
from shared.features import DEFAULT_WINDOWS

CHANNEL = "naive_insert"
HISTORY_ROWS = 20
BATCH_SIZE = 500
BATCH_TIMEOUT_SECONDS = 0.05
# A trigger per row whose payload names the coin, as such designs install it.
TRIGGER = f"""
CREATE FUNCTION naive_wakeup() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('{CHANNEL}', json_build_object('mint', NEW.mint, 'timestamp', NEW.timestamp)::text);
    RETURN NULL;
END $$;
CREATE TRIGGER naive_wakeup AFTER INSERT ON coin_metrics FOR EACH ROW EXECUTE FUNCTION naive_wakeup();
"""
HISTORY = "SELECT timestamp, {} FROM coin_metrics WHERE mint = $1 ORDER BY timestamp DESC LIMIT $2"
INSERT = """
INSERT INTO predictions (active_model_id, model_id, coin_id, data_timestamp, prediction, probability, threshold)
VALUES ($1, $1, $2, $3, $4, $5, 0.5)
"""


class EventHandler:
    """Notifications, gathered into batches."""

    def __init__(self, pool: Pool, models: Natives, *, share: bool) -> None:
        self._pool = pool
        self._models = models
        self._share = share
        self._lock = asyncio.Lock()
        self._batch: list[dict[str, Any]] = []
        self._last = time.monotonic()

    async def notified(self, _connection: Connection, _pid: int, _channel: str, payload: str) -> None:
        """Take one notification."""
        self._batch.append(json.loads(payload))
        if len(self._batch) >= BATCH_SIZE or time.monotonic() - self._last >= BATCH_TIMEOUT_SECONDS:
            await self.process_batch()

    async def process_batch(self) -> None:
        """Work off what has gathered."""
        async with self._lock:
            batch, self._batch = self._batch, []
            self._last = time.monotonic()
            for event in batch:
                await self._process(event["mint"], datetime.fromisoformat(event["timestamp"]).astimezone(UTC))

    async def _process(self, mint: str, timestamp: datetime) -> None:
        shared = None
        if self._share:
            shared = engineered(await history(self._pool, mint, BASE_FEATURES))
        for number, model in enumerate(self._models, start=1):
            features = await prepare_features(self._pool, mint, model) if shared is None else shared[list(model.names)]
            probability = float(model.native.predict_proba(features.to_numpy(np.float32)[-1:])[0, 1])
            await self._pool.execute(INSERT, number, mint, timestamp, int(probability >= 0.5), probability)


async def prepare_features(pool: Pool, mint: str, model: Native) -> pd.DataFrame:
    """Give the features of one model for the last rows of a coin."""
    return engineered(await history(pool, mint, model.columns))[list(model.names)]


async def history(pool: Pool, mint: str, columns: Sequence[str]) -> pd.DataFrame:
    """Read the last rows of a coin, oldest first."""
    rows = await pool.fetch(HISTORY.format(", ".join(columns)), mint, HISTORY_ROWS)
    frame = pd.DataFrame([dict(row) for row in rows]).sort_values("timestamp").reset_index(drop=True)
    minutes = frame.pop("timestamp").astype("int64") / 60e6
    return frame.astype(float).assign(minutes=minutes)


def engineered(frame: pd.DataFrame) -> pd.DataFrame:
    """Add what is computed from the columns, window by window, as far as the columns are there."""
    frame["log_return"] = np.log(frame["price_close"] / frame["price_close"].shift())
    for window in DEFAULT_WINDOWS:
        price, before = frame["price_close"], frame["price_close"].shift(window)
        minutes = frame["minutes"] - frame["minutes"].shift(window)
        bought = frame["buy_volume_sol"].rolling(window, min_periods=1).sum()
        sold = frame["sell_volume_sol"].rolling(window, min_periods=1).sum()
        highest = frame["price_high"].rolling(window, min_periods=1).max()
        lowest = frame["price_low"].rolling(window, min_periods=1).min()
        volume = frame["volume_sol"].rolling(window, min_periods=1).mean()
        frame[f"price_change_{window}"] = (price / before - 1) * 100
        frame[f"price_roc_{window}"] = np.log(price / before) / minutes * 100
        frame[f"volume_ratio_{window}"] = frame["volume_sol"] / volume
        frame[f"price_volatility_{window}"] = frame["log_return"].rolling(window - 1, min_periods=2).std() * 100
        frame[f"mcap_velocity_{window}"] = frame["market_cap_close"].diff(window) / minutes
        frame[f"price_range_{window}"] = (highest - lowest) / price * 100
        frame[f"order_book_imbalance_{window}"] = (bought - sold) / (bought + sold)
    for name in frame.columns.intersection(list(PRICE_COLUMNS)):
        frame[name] *= 1e9
    return frame.replace([np.inf, -np.inf], np.nan)


async def work(dsn: str, models: Natives, *, share: bool) -> None:
    """Answer notifications, for ever."""
    handler = EventHandler(await open_pool(dsn, application="naive"), models, share=share)
    listener = await connect(dsn, application="naive listener")
    await listener.add_listener(CHANNEL, handler.notified)
    print("ready", flush=True)
    while True:
        # What came before the batch was old enough is not left lying.
        await asyncio.sleep(1)
        await handler.process_batch()


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    asyncio.run(work(sys.argv[1], pickle.loads(Path(sys.argv[2]).read_bytes()), share=sys.argv[3] == "shared"))
