"""A careful live worker with pandas: for each batch one query, one pass of features, one prediction a model, one write.

Started as a process of its own: `python -m benchmarks.live_batched DSN MODELS`. What has a higher id than the cursor is
read, at most 500 rows at a time; the histories of all of them come by one LATERAL query as numbers; features are
computed once for all models by `groupby().rolling`; each native model predicts the batch once; predictions are written
by COPY together with the cursor. A first version of a good engineer: a row that commits late is lost, a repeated one
ends the process.
"""

import asyncio
import pickle
import sys
import warnings
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.live_models import Natives
from shared.coin_metrics.columns import BASE_FEATURES, PRICE_COLUMNS
from shared.db import Connection, connect
from shared.features import DEFAULT_WINDOWS

HISTORY_ROWS = 20
BATCH_SIZE = 500
PAUSE_SECONDS = 0.005
CURSOR = "CREATE TABLE IF NOT EXISTS batched_cursor (high bigint); INSERT INTO batched_cursor VALUES ({high})"
NEW = f"SELECT id, mint, timestamp FROM coin_metrics WHERE id > $1 ORDER BY id LIMIT {BATCH_SIZE}"
HISTORIES = f"""
SELECT wanted.number, extract(epoch FROM timestamp)::float8 / 60 AS minutes, {
    ", ".join(f"{name}::int::float8" if name == "is_koth" else f"{name}::float8" for name in BASE_FEATURES)
}
FROM unnest($1::text[], $2::timestamptz[]) WITH ORDINALITY AS wanted (mint, at, number)
CROSS JOIN LATERAL (
    SELECT * FROM coin_metrics WHERE mint = wanted.mint AND timestamp <= wanted.at
    ORDER BY timestamp DESC LIMIT {HISTORY_ROWS}
) AS past
ORDER BY wanted.number, timestamp
"""
COLUMNS = (
    "active_model_id", "model_id", "coin_id", "data_timestamp", "prediction", "probability", "threshold", "created_at",
)  # fmt: skip


async def work(dsn: str, models: Natives) -> None:
    """Answer what is new, for ever."""
    connection = await connect(dsn, application="batched")
    high = await connection.fetchval("SELECT high FROM batched_cursor")
    print("ready", flush=True)
    while True:
        rows = await connection.fetch(NEW, high)
        if not rows:
            await asyncio.sleep(PAUSE_SECONDS)
            continue
        high = rows[-1]["id"]
        await answer(connection, models, rows, high)


async def answer(connection: Connection, models: Natives, rows: list[Any], high: int) -> None:
    """Predict the rows with every model."""
    mints, times = [row["mint"] for row in rows], [row["timestamp"] for row in rows]
    histories = await connection.fetch(HISTORIES, mints, times)
    features = newest(pd.DataFrame(np.array(histories, float), columns=["number", "minutes", *BASE_FEATURES]))
    now = datetime.now(UTC)
    records: list[tuple[Any, ...]] = []
    for number, model in enumerate(models, start=1):
        probability = model.native.predict_proba(features[list(model.names)].to_numpy(np.float32))[:, 1].astype(float)
        said = (probability >= 0.5).astype(int).tolist()
        same = (repeat(number), repeat(number), mints, times, said, probability.tolist(), repeat(0.5), repeat(now))
        records += zip(*same, strict=False)
    async with connection.transaction():
        await connection.copy_records_to_table("predictions", records=records, columns=COLUMNS)
        await connection.execute("UPDATE batched_cursor SET high = $1", high)


def newest(frame: pd.DataFrame) -> pd.DataFrame:
    """Give base and engineered features of the last row of each history."""
    coins = frame.groupby("number", sort=False)
    frame["log_return"] = np.log(frame["price_close"] / coins["price_close"].shift())
    coins = frame.groupby("number", sort=False)
    last = coins.tail(1).set_index("number")
    found = {}
    for window in DEFAULT_WINDOWS:
        rolled = coins.rolling(window, min_periods=1)
        sums = rolled[["buy_volume_sol", "sell_volume_sol"]].sum().groupby("number", sort=False).tail(1)
        bought, sold = sums["buy_volume_sol"].to_numpy(), sums["sell_volume_sol"].to_numpy()
        highest, lowest = _last(rolled["price_high"].max()), _last(rolled["price_low"].min())
        before = _last(
            coins[["minutes", "price_close", "market_cap_close"]].shift(window).assign(number=frame["number"])
        )
        minutes = last["minutes"].to_numpy() - before["minutes"].to_numpy()
        ratio = last["price_close"].to_numpy() / before["price_close"].to_numpy()
        risen = last["market_cap_close"].to_numpy() - before["market_cap_close"].to_numpy()
        found[f"price_change_{window}"] = (ratio - 1) * 100
        found[f"price_roc_{window}"] = np.log(ratio) / minutes * 100
        found[f"volume_ratio_{window}"] = last["volume_sol"].to_numpy() / _last(rolled["volume_sol"].mean()).to_numpy()
        returns = coins["log_return"].rolling(window - 1, min_periods=2).std()
        found[f"price_volatility_{window}"] = _last(returns).to_numpy() * 100
        found[f"mcap_velocity_{window}"] = risen / minutes
        found[f"price_range_{window}"] = (highest.to_numpy() - lowest.to_numpy()) / last["price_close"].to_numpy() * 100
        found[f"order_book_imbalance_{window}"] = (bought - sold) / (bought + sold)
    last[list(PRICE_COLUMNS)] *= 1e9
    return pd.concat([last, pd.DataFrame(found, index=last.index)], axis=1).replace([np.inf, -np.inf], np.nan)


def _last(rolled: Any) -> Any:
    return rolled.groupby("number", sort=False).tail(1)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    asyncio.run(work(sys.argv[1], pickle.loads(Path(sys.argv[2]).read_bytes())))
