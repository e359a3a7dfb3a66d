"""What the prediction service has stored, in tests, and rows to predict."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from prediction_service.store import predictions
from prediction_service.store.predictions import NewPredictions
from shared.coin_metrics.read import microseconds
from shared.coin_metrics.rows import NO_PHASE
from shared.db import Pool, transaction
from tests.support.database import START, row
from tests.support.serving import Api

OF_ALL = ("prediction_duration_ms", "created_at")
"""What a batch has one of."""


def rising(mint: str, count: int) -> list[dict[str, Any]]:
    """Give rows of a coin, one a minute, whose price and volume move."""
    return [row(mint, 60.0 * at, price_close=3e-8 * (1 + 0.05 * at), volume_sol=0.1 * (at % 7)) for at in range(count)]


async def store(pool: Pool, *given: dict[str, Any]) -> None:
    """Write predictions as the live loop does."""
    plain = {
        "active_model_id": 1, "model_id": 11, "coin_id": "a", "data_timestamp": START, "prediction": 0,
        "probability": 0.2,
        "threshold": 0.5, "is_alert": False, "phase_id_at_time": 1, "prediction_duration_ms": 1.5, "created_at": START,
    }  # fmt: skip
    async with transaction(pool) as connection:
        for _, alike in groupby((plain | one for one in given), lambda row: [row[name] for name in OF_ALL]):
            await predictions.copy_in(connection, new_predictions(list(alike)))


def new_predictions(rows: Sequence[dict[str, Any]]) -> NewPredictions:
    """Give rows of the table, in the form in which they are written; `OF_ALL` are the first one's."""
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    phases = [NO_PHASE if phase is None else phase for phase in columns["phase_id_at_time"]]
    return NewPredictions(
        coins=columns["coin_id"],
        coin=np.arange(len(rows)),
        active_model_id=np.array(columns["active_model_id"], np.int64),
        model_id=np.array(columns["model_id"], np.int64),
        data_timestamp=np.array([microseconds(time) for time in columns["data_timestamp"]], np.int64),
        prediction=np.array(columns["prediction"], np.bool_),
        probability=np.array(columns["probability"], np.float64),
        threshold=np.array(columns["threshold"], np.float64),
        is_alert=np.array(columns["is_alert"], np.bool_),
        phase=np.array(phases, np.int64),
        duration_ms=rows[0]["prediction_duration_ms"],
        created_at=microseconds(rows[0]["created_at"]),
    )


def at(seconds: float) -> Any:
    return START + timedelta(seconds=seconds)


async def listed(api: Api, **query: Any) -> list[int]:
    status, body = await api.get("/api/predictions", params={name: str(value) for name, value in query.items()})
    assert status == 200, body
    return [one["id"] for one in body["predictions"]]


def stored_files(home: Path) -> list[str]:
    """Give the names of the files in a home's model store."""
    return sorted(path.name for path in (home / "models" / "prediction").iterdir())
