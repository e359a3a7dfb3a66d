"""What the prediction service has stored, in tests, and rows to predict."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from prediction_service.store import predictions
from shared.db import Pool, transaction
from tests.support.database import START, row
from tests.support.serving import Api


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
        await predictions.copy_in(
            connection, [tuple((plain | one)[name] for name in predictions.COLUMNS) for one in given]
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
