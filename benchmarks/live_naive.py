"""The naive live worker: per coin one history query, pandas, one predict per model, one INSERT per prediction.

Started as a process of its own: `python -m benchmarks.live_naive DSN MODELS`. It is kinder to itself than the texts it
follows: one history query per coin instead of one per coin and model, features once for all models, single-threaded
models, a queue without locks, and no limit on how long rows wait.
"""

import asyncio
import json
import pickle
import sys
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.features import pandas_features
from shared.coin_metrics.columns import BASE_FEATURES, PRICE_COLUMNS
from shared.db import Pool, connect, open_pool

CHANNEL = "naive_insert"
HISTORY_ROWS = 20
# A trigger per row whose payload names the coin, as such designs install it.
TRIGGER = f"""
CREATE FUNCTION naive_wakeup() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('{CHANNEL}', json_build_object('mint', NEW.mint, 'timestamp', NEW.timestamp)::text);
    RETURN NULL;
END $$;
CREATE TRIGGER naive_wakeup AFTER INSERT ON coin_metrics FOR EACH ROW EXECUTE FUNCTION naive_wakeup();
"""
HISTORY = f"""
SELECT timestamp, {", ".join(BASE_FEATURES)} FROM coin_metrics
WHERE mint = $1 ORDER BY timestamp DESC LIMIT {HISTORY_ROWS}
"""
INSERT = """
INSERT INTO predictions (active_model_id, model_id, coin_id, data_timestamp, prediction, probability, threshold)
VALUES ($1, $1, $2, $3, $4, $5, 0.5)
"""
Models = list[tuple[tuple[str, ...], Any]]


async def work(dsn: str, models: Models) -> None:
    """Answer one notification after the other, for ever."""
    pool = await open_pool(dsn, application="naive")
    events: asyncio.Queue[str] = asyncio.Queue()
    listener = await connect(dsn, application="naive listener")
    await listener.add_listener(CHANNEL, lambda *event: events.put_nowait(event[3]))
    print("ready", flush=True)
    while True:
        event = json.loads(await events.get())
        await answer(pool, models, event["mint"], datetime.fromisoformat(event["timestamp"]))


async def answer(pool: Pool, models: Models, mint: str, timestamp: datetime) -> None:
    """Predict the newest row of a coin with every model."""
    frame = await history(pool, mint)
    for number, (names, model) in enumerate(models, start=1):
        probability = float(model.predict_proba(frame[list(names)].to_numpy(np.float32)[-1:])[0, 1])
        await pool.execute(INSERT, number, mint, timestamp.astimezone(UTC), int(probability >= 0.5), probability)


async def history(pool: Pool, mint: str) -> pd.DataFrame:
    """Read the last rows of a coin, oldest first, with all features beside them."""
    rows = await pool.fetch(HISTORY, mint)
    frame = pd.DataFrame([dict(row) for row in reversed(rows)])
    frame["timestamp"] = frame["timestamp"].map(lambda at: at.timestamp() * 1e6)
    frame = frame.astype(float)
    features = pandas_features(frame, lambda one: one)
    for name in PRICE_COLUMNS:
        frame[name] *= 1e9
    return pd.concat([frame, features], axis=1).replace([np.inf, -np.inf], np.nan)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    asyncio.run(work(sys.argv[1], pickle.loads(Path(sys.argv[2]).read_bytes())))
