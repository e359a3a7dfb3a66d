"""Ask models about one coin, on demand."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime

from prediction_service.clients.training import TrainingClient
from prediction_service.runtime.models import LoadedModel
from prediction_service.settings import PredictionSettings
from prediction_service.store import active_models
from prediction_service.store.active_models import ActiveModel
from prediction_service.usecases.model_files import load_or_fetch
from shared.coin_metrics.read import clock, moment, tail
from shared.coin_metrics.rows import CoinRows
from shared.db import Pool, UndefinedTable
from shared.errors import NotFound
from shared.features import build

MOST_LOADED = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one model says."""

    active: ActiveModel
    prediction: int
    probability: float
    threshold: float
    is_alert: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What all models asked say about one row."""

    coin_id: str
    timestamp: datetime
    answers: tuple[Answer, ...]


class LoadedModels:
    """Models in the memory of this process, those used last; each is loaded once however many ask for it."""

    def __init__(self, training: TrainingClient, settings: PredictionSettings) -> None:
        self._training = training
        self._settings = settings
        self._loaded: OrderedDict[tuple[int, str], asyncio.Task[LoadedModel]] = OrderedDict()

    async def get(self, active: ActiveModel) -> LoadedModel:
        """Give a model, loaded when it is not yet."""
        key = (active.id, active.model_file_sha256)
        task = self._loaded.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = asyncio.create_task(load_or_fetch(self._training, self._settings, active))
            self._loaded[key] = task
        self._loaded.move_to_end(key)
        while len(self._loaded) > MOST_LOADED:
            self._loaded.popitem(last=False)
        # Shielded, as one caller that goes away must not end the loading for the others.
        return await asyncio.shield(task)


async def predict(
    pool: Pool, models: LoadedModels, *, coin_id: str, model_ids: list[int] | None, at: datetime | None
) -> Answered:
    """Let models answer for the newest row of a coin, or the newest one as of `at`; whatever their filters say.

    Without `model_ids` all active models answer; with them, those models of the training service, active or not.
    """
    chosen = await _choose(pool, model_ids)
    loaded = [await models.get(active) for active in chosen]
    needed = max((one.spec.history_needed() for one in loaded), default=1)
    rows = await _newest_rows(pool, coin_id, at=at, rows=needed)
    answers = []
    for active, one in zip(chosen, loaded, strict=True):
        probability = float(one.scorer.probabilities(build(rows, one.spec)[-1:])[0])
        threshold = one.manifest.decision_threshold
        answers.append(
            Answer(
                active=active,
                prediction=int(probability >= threshold),
                probability=probability,
                threshold=threshold,
                is_alert=probability >= active.alert_threshold,
            )
        )
    return Answered(coin_id=coin_id, timestamp=moment(int(rows.timestamp[-1])), answers=tuple(answers))


async def _newest_rows(pool: Pool, coin_id: str, *, at: datetime | None, rows: int) -> CoinRows:
    try:
        # Without a time the recording clock is the limit: a row in a wrong time zone is nobody's newest.
        limit = at or await clock(pool, now=datetime.now(UTC))
        found = await tail(pool, coin_id, at=limit, rows=rows)
    except UndefinedTable:
        raise NotFound("No coin is known: the table coin_metrics does not exist yet") from None
    if len(found) == 0:
        until = "" if at is None else f" up to {at.isoformat()}"
        raise NotFound(f"coin_metrics has no row of coin {coin_id!r}{until}")
    return found


async def _choose(pool: Pool, model_ids: list[int] | None) -> list[ActiveModel]:
    if model_ids is None:
        return await active_models.list_active(pool)
    found = await active_models.list_of_models(pool, model_ids)
    unknown = [str(number) for number in model_ids if number not in {active.model_id for active in found}]
    if unknown:
        raise NotFound(f"Not imported: model {', '.join(unknown)}; POST /models/import brings it here")
    return found
