"""The models of the live loop: loaded once, kept while their file stays the same."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from prediction_service.clients.training import TrainingClient
from prediction_service.runtime.answers import LiveModel
from prediction_service.runtime.models import LoadedModel
from prediction_service.runtime.position import Interval, Position
from prediction_service.settings import PredictionSettings
from prediction_service.store import active_models
from prediction_service.store.active_models import ActiveModel
from prediction_service.usecases.model_files import load_or_fetch
from shared.db import Pool
from shared.errors import PumpcastError

Shelf = dict[str, asyncio.Task[LoadedModel]]
"""Models by the digest of their file: loaded, or on the way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveModels:
    """All models that owe answers."""

    models: tuple[LiveModel, ...]
    actives: Mapping[int, ActiveModel]
    """By active id."""

    @property
    def base_columns(self) -> set[str]:
        """Give the columns any of them reads."""
        return {column for model in self.models for column in model.loaded.spec.base_columns}

    @property
    def history_needed(self) -> int:
        """Give how many rows of a coin they need at most."""
        return max((model.loaded.spec.history_needed() for model in self.models), default=1)


async def preload(pool: Pool, training: TrainingClient, settings: PredictionSettings, shelf: Shelf) -> None:
    """Load what is active and not here yet, beside the models that answer, which then are swapped without a wait."""
    for active in await active_models.list_active(pool):
        await _loaded(training, settings, shelf, active)


async def load_live_models(
    pool: Pool, training: TrainingClient, settings: PredictionSettings, shelf: Shelf, position: Position
) -> LiveModels:
    """Give what is active, and what was deactivated but still owes answers to earlier rows."""
    owing = await active_models.list_owing(pool)
    actives = [active for active in owing if active.is_active or not _drained(active, position)]
    models = [_live(active, await _loaded(training, settings, shelf, active)) for active in actives]
    for digest in shelf.keys() - {active.model_file_sha256 for active in actives}:
        del shelf[digest]
    return LiveModels(models=tuple(models), actives={active.id: active for active in actives})


async def _loaded(
    training: TrainingClient, settings: PredictionSettings, shelf: Shelf, active: ActiveModel
) -> LoadedModel:
    digest = active.model_file_sha256
    if digest not in shelf:
        shelf[digest] = asyncio.create_task(load_or_fetch(training, settings, active), name="load model")
    try:
        # Whoever gives up waiting leaves it to the others who wait.
        return await asyncio.shield(shelf[digest])
    except PumpcastError as error:
        shelf.pop(digest, None)
        raise type(error)(
            f"active model {active.id} cannot be loaded and all live rows wait for it, so that none is lost "
            f"({error.message}): start the training service, or delete the model"
        ) from error
    except BaseException:
        if digest in shelf and shelf[digest].done():
            del shelf[digest]
        raise


def _live(active: ActiveModel, loaded: LoadedModel) -> LiveModel:
    return LiveModel(
        active_id=active.id,
        model_id=active.model_id,
        loaded=loaded,
        alert_threshold=active.alert_threshold,
        phases=None if active.phases is None else frozenset(active.phases),
        coins=frozenset(active.coin_whitelist) if active.coin_filter_mode == "whitelist" else None,
        intervals=_intervals(active),
    )


def _intervals(active: ActiveModel) -> tuple[Interval, ...]:
    return tuple(Interval.from_json(item) for item in active.activation)


def _drained(active: ActiveModel, position: Position) -> bool:
    return all(interval.drained(position) for interval in _intervals(active))
