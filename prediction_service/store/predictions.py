"""The table predictions: what models said, written in bulk, read in pages."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import numpy as np

from shared import binary_copy
from shared.binary_copy import Column, Text
from shared.coin_metrics.rows import NO_PHASE, Bools, Floats, Ints
from shared.db import Connection, Executor, Queries, Record

_queries = Queries.beside(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPredictions:
    """What models said about rows, as columns; each array has one element a prediction."""

    coins: Sequence[str]
    """The coins of the rows."""
    coin: Ints
    """Which of them."""
    active_model_id: Ints
    model_id: Ints
    data_timestamp: Ints
    """Microseconds since 1970."""
    prediction: Bools
    probability: Floats
    threshold: Floats
    is_alert: Bools
    phase: Ints
    """-1 where NULL."""
    duration_ms: float | None
    """Of all of them."""
    created_at: int
    """Microseconds since 1970."""

    def __len__(self) -> int:
        return len(self.coin)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a model said about one row, and how it came out."""

    id: int
    coin_id: str
    data_timestamp: datetime
    model_id: int
    active_model_id: int
    prediction: int
    probability: float
    threshold: float
    """The decision threshold: prediction is 1 from it on."""
    is_alert: bool
    phase_id_at_time: int | None
    prediction_duration_ms: float | None
    created_at: datetime
    outcome: str | None
    """None until the horizon is over."""
    actual_change_pct: float | None
    highest_change_pct: float | None
    lowest_change_pct: float | None
    evaluated_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which predictions a page shows; None: all."""

    coin_id: str | None = None
    model_id: int | None = None
    active_model_id: int | None = None
    prediction: int | None = None
    is_alert: bool | None = None
    min_probability: float | None = None
    max_probability: float | None = None
    phase_id: int | None = None
    date_from: datetime | None = None
    date_to: datetime | None = None
    outcome: str | None = None
    """`pending`: not yet evaluated."""
    before_id: int | None = None


_READ = tuple(field.name for field in fields(Prediction))
# Written out per filter, since a condition like "$1 IS NULL OR …" keeps a reused plan from its index.
_CONDITIONS = {
    "coin_id": "coin_id = {}",
    "model_id": "model_id = {}",
    "active_model_id": "active_model_id = {}",
    "prediction": "prediction = {}",
    "min_probability": "probability >= {}",
    "max_probability": "probability <= {}",
    "phase_id": "phase_id_at_time = {}",
    "date_from": "data_timestamp >= {}",
    "date_to": "data_timestamp <= {}",
    "outcome": "outcome = {}",
    "before_id": "id < {}",
}


async def copy_in(connection: Connection, new: NewPredictions) -> None:
    """Write predictions in bulk, in no order that counts; one that exists already is a `UniqueViolation`."""
    columns = _columns(new)
    # A view, as bytes are taken for the path of a file; a file would be read in another thread, and kept until the next
    # collection of garbage.
    content = binary_copy.encode(list(columns.values()))
    await connection.copy_to_table("predictions", source=memoryview(content), columns=list(columns), format="binary")


def _columns(new: NewPredictions) -> dict[str, Column | Text]:
    return {
        "active_model_id": Column(new.active_model_id),
        "model_id": Column(new.model_id),
        "coin_id": Text(new.coins, new.coin),
        "data_timestamp": binary_copy.timestamps(new.data_timestamp),
        "prediction": Column(new.prediction.astype(np.int16)),
        "probability": Column(new.probability),
        "threshold": Column(new.threshold),
        "is_alert": Column(new.is_alert),
        "phase_id_at_time": Column(new.phase.astype(np.int32), new.phase == NO_PHASE),
        "prediction_duration_ms": _same(new.duration_ms, len(new)),
        "created_at": binary_copy.timestamps(np.full(len(new), new.created_at, np.int64)),
    }


def _same(value: float | None, count: int) -> Column:
    return Column(np.full(count, value or 0.0), None if value is not None else np.ones(count, np.bool_))


async def existing(
    executor: Executor, active_model_ids: Sequence[int], coin_ids: Sequence[str], timestamps: Sequence[datetime]
) -> set[tuple[int, str, datetime]]:
    """Give the predictions of these models that exist for any of the rows (coin_ids[i], timestamps[i])."""
    rows = await _queries.fetch(
        executor,
        "existing",
        active_model_ids=list(active_model_ids),
        coin_ids=list(coin_ids),
        timestamps=list(timestamps),
    )
    return {(row["active_model_id"], row["coin_id"], row["data_timestamp"]) for row in rows}


async def get(executor: Executor, prediction_id: int) -> Prediction | None:
    """Give one prediction."""
    query = _queries["get"]
    row = await executor.fetchrow(_filled(query.text), prediction_id)
    return None if row is None else _read(row)


async def list_page(executor: Executor, wanted: Filter, *, most: int) -> list[Prediction]:
    """Give the newest predictions that fit, highest ids first."""
    text, arguments = await compose_page(executor, wanted, most=most)
    return [_read(row) for row in await executor.fetch(text, *arguments)]


async def compose_page(executor: Executor, wanted: Filter, *, most: int) -> tuple[str, list[Any]]:
    """Give the statement of a page: by coin, by models, or along the primary key."""
    given = {name: value for name in _CONDITIONS if (value := getattr(wanted, name)) is not None}
    first: dict[str, Any] = {"most": most}
    name = "page"
    if "coin_id" in given:
        name = "page_of_coin"
    elif active_ids := await _active_ids(executor, given):
        name = "page_of_models"
        first["active_ids"] = active_ids
    query = _queries[name]
    arguments = query.arguments(first)
    where = ""
    if given.get("outcome") == "pending":
        del given["outcome"]
        where += " AND outcome IS NULL"
    if wanted.is_alert is not None:
        where += " AND is_alert" if wanted.is_alert else " AND NOT is_alert"
    for column, value in given.items():
        arguments.append(value)
        where += " AND " + _CONDITIONS[column].format(f"${len(arguments)}")
    return _filled(query.text, where), arguments


async def _active_ids(executor: Executor, given: dict[str, Any]) -> list[int]:
    if "active_model_id" in given:
        return [given.pop("active_model_id")]
    if "model_id" in given:
        rows = await _queries.fetch(executor, "active_ids_of_model", model_id=given["model_id"])
        # No such model: an id that nothing has, so that the page is empty without a search.
        return [row["active_model_id"] for row in rows] or [0]
    return []


async def list_latest(executor: Executor, coin_id: str, *, model_id: int | None) -> list[Prediction]:
    """Give the newest prediction of each active model for a coin."""
    query = _queries["latest"]
    given = query.arguments({"coin_id": coin_id, "model_id": model_id})
    return [_read(row) for row in await executor.fetch(_filled(query.text), *given)]


async def list_of_coin(
    executor: Executor,
    coin_id: str,
    *,
    date_from: datetime,
    date_to: datetime,
    active_model_id: int | None,
    most: int,
) -> list[Prediction]:
    """Give the newest predictions for a coin in a window, oldest first."""
    query = _queries["of_coin"]
    given = query.arguments(
        {
            "coin_id": coin_id,
            "date_from": date_from,
            "date_to": date_to,
            "active_model_id": active_model_id,
            "most": most,
        }
    )
    rows = await executor.fetch(_filled(query.text), *given)
    return [_read(row) for row in reversed(rows)]


def _filled(text: str, where: str = "") -> str:
    return text.replace("/*columns*/", ", ".join(_READ)).replace("/*where*/", where)


def _read(row: Record) -> Prediction:
    return Prediction(**{name: row[name] for name in _READ})
