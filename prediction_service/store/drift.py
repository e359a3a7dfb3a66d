"""The table prediction_drift: how far each day's rows are from those a model learnt; and what it is measured on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from shared.coin_metrics.read import moment
from shared.db import Executor, Queries, Record
from shared.scoring import DriftLevel, drift_level

_queries = Queries.beside(__file__)

ENOUGH_ROWS = 200
"""Fewer rows of the very same distribution may well look moved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DueDay:
    """A day of a model that is to be measured."""

    active_model_id: int
    model_id: int
    day: date
    """Of data_timestamp, UTC."""
    predictions: int
    """How many it has."""

    @property
    def start(self) -> datetime:
        """Give its first moment."""
        return moment(0) + (self.day - date(1970, 1, 1))

    @property
    def until(self) -> datetime:
        """Give the first moment after it."""
        return self.start + timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """How far the rows of a day are from those a model learnt, as population stability indexes."""

    model_id: int
    day: date
    rows: int
    """Sampled predictions it rests on."""
    predictions: int
    """How many the day had then."""
    score_psi: float | None
    """Of the probability; None where the model file does not tell how it was spread."""
    features: dict[str, float]
    """Of each feature."""
    computed_at: datetime

    @property
    def level(self) -> DriftLevel | None:
        """Give the reading of the index that moved most; None when there are too few rows to tell."""
        found = [*self.features.values(), *(() if self.score_psi is None else (self.score_psi,))]
        return drift_level(max(found)) if found and self.rows >= ENOUGH_ROWS else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What a model file tells of the rows it was made of, as it stands in the manifest."""

    features: tuple[str, ...]
    histograms: dict[str, dict[str, Any]]
    score_histogram: dict[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """One prediction of a sample."""

    coin_id: str
    data_timestamp: datetime
    probability: float


async def due(executor: Executor, *, days: int) -> list[DueDay]:
    """Give what is to be measured of the last so many days of the recording, newest days first."""
    return [DueDay(**row) for row in await _queries.fetch(executor, "due", days=days)]


async def reference(executor: Executor, active_id: int) -> Reference | None:
    """Give what a model is compared with; None when it is gone."""
    row = await _queries.fetchrow(executor, "reference", id=active_id)
    if row is None:
        return None
    return Reference(
        features=tuple(row["features"]), histograms=row["histograms"], score_histogram=row["score_histogram"]
    )


async def ends(executor: Executor) -> tuple[int, int] | None:
    """Give the lowest and the highest id of the predictions; None without any."""
    row = await _queries.fetchrow(executor, "ends")
    return None if row is None or row["lowest"] is None else (row["lowest"], row["highest"])


async def probe(executor: Executor, ids: Sequence[int]) -> list[tuple[int, datetime]]:
    """Give id and data_timestamp of the first prediction at or above each id; nothing beyond the last one."""
    return [(row["id"], row["data_timestamp"]) for row in await _queries.fetch(executor, "probe", ids=list(ids))]


async def read_few(
    executor: Executor, day: DueDay, bounds: tuple[int, int], *, one_in: int, most: int
) -> list[Sampled]:
    """Give one in so many of a model's predictions of a day, whose ids lie between the bounds."""
    rows = await _queries.fetch(
        executor, "few", active_model_id=day.active_model_id, lowest=bounds[0], highest=bounds[1], start=day.start,
        until=day.until, one_in=one_in, most=most,
    )  # fmt: skip
    return _sampled(rows)


async def read_chosen(executor: Executor, day: DueDay, ids: Sequence[int]) -> list[Sampled]:
    """Give those of the ids that are predictions of the model and the day."""
    rows = await _queries.fetch(
        executor, "chosen", active_model_id=day.active_model_id, ids=list(ids), start=day.start, until=day.until
    )
    return _sampled(rows)


async def put(
    executor: Executor, day: DueDay, *, rows: int, score_psi: float | None, features: dict[str, float]
) -> None:
    """Write what a day came to, over what it came to before."""
    await _queries.execute(
        executor, "put", active_model_id=day.active_model_id, model_id=day.model_id, day=day.day, rows=rows,
        predictions=day.predictions, score_psi=score_psi, features=features,
    )  # fmt: skip


async def list_days(executor: Executor, active_id: int, *, most: int) -> list[Drift]:
    """Give the newest days of a model that were measured, newest first."""
    found = await _queries.fetch(executor, "list", active_model_id=active_id, most=most)
    return [Drift(**row) for row in found]


def _sampled(rows: Sequence[Record]) -> list[Sampled]:
    return [Sampled(**row) for row in rows]


async def newest_scores(executor: Executor) -> dict[int, float]:
    """Give the newest index of the probability of each active model that has one."""
    return {row["active_model_id"]: row["score_psi"] for row in await _queries.fetch(executor, "newest_scores")}
