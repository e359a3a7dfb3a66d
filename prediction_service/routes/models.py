"""Routes of imported models."""

from dataclasses import fields

from fastapi import APIRouter

from prediction_service.deps import CallerDep, PoolDep, SettingsDep, TrainingDep
from prediction_service.store import active_models
from prediction_service.store.active_models import Overview
from prediction_service.store.promotions import Asked
from prediction_service.usecases import models
from prediction_service.usecases.model_settings import change_settings
from shared.contracts.fields import PathId
from shared.contracts.model_settings import ChangeSettings
from shared.contracts.prediction import (
    ActiveModel,
    ActiveModels,
    AvailableModel,
    AvailableModels,
    ImportedModel,
    ImportModel,
    ModelChanged,
    RenameModel,
)
from shared.contracts.promotions import Because, Reason
from shared.db import Pool
from shared.errors import NotFound

router = APIRouter(prefix="/models", tags=["models"])


@router.get("/available", summary="Models of the training service that can be imported")
async def list_available(pool: PoolDep, training: TrainingDep, include_imported: bool = False) -> AvailableModels:
    found = await models.list_available(pool, training, include_imported=include_imported)
    shown = [AvailableModel(**one.model.model_dump(), active_model_id=one.active_model_id) for one in found]
    return AvailableModels(models=shown, total=len(shown))


@router.post("/import", summary="Bring a model here and let it predict from now on")
async def import_model(
    pool: PoolDep, training: TrainingDep, settings: SettingsDep, caller: CallerDep, body: ImportModel
) -> ImportedModel:
    return ImportedModel.model_validate(await models.import_model(pool, training, settings, wanted=body, by=caller))


@router.get("/active", summary="Imported models that predict, newest first")
async def list_active(pool: PoolDep, include_inactive: bool = False) -> ActiveModels:
    found = await active_models.list_overviews(pool, include_inactive=include_inactive)
    return ActiveModels(models=[_shown(one) for one in found], total=len(found))


@router.get("/{active_id:int}", summary="One imported model")
async def get_model(pool: PoolDep, active_id: PathId) -> ActiveModel:
    return await _overview(pool, active_id)


@router.post("/{active_id:int}/activate", summary="Let a model predict every row from now on")
async def activate(pool: PoolDep, caller: CallerDep, active_id: PathId, body: Because | None = None) -> ModelChanged:
    changed = await models.activate(pool, active_id, _asked(caller, body))
    message = f"Active model {active_id} predicts " + ("from now on" if changed else "already")
    return ModelChanged(message=message, active_model_id=active_id)


@router.post("/{active_id:int}/deactivate", summary="Let a model predict no longer")
async def deactivate(pool: PoolDep, caller: CallerDep, active_id: PathId, body: Because | None = None) -> ModelChanged:
    changed = await models.deactivate(pool, active_id, _asked(caller, body))
    message = f"Active model {active_id} " + ("predicts no longer" if changed else "did not predict anyway")
    return ModelChanged(message=message, active_model_id=active_id)


@router.delete("/{active_id:int}", summary="Remove a model and its file; its predictions stay")
async def delete_model(
    pool: PoolDep, settings: SettingsDep, caller: CallerDep, active_id: PathId, reason: Reason | None = None
) -> ModelChanged:
    await models.delete(pool, settings, active_id, Asked(by=caller, reason=reason))
    return ModelChanged(message=f"Active model {active_id} is removed", active_model_id=active_id)


@router.patch("/{active_id:int}/rename", summary="Give a model a name of its own here")
async def rename_model(pool: PoolDep, active_id: PathId, body: RenameModel) -> ActiveModel:
    await models.rename(pool, active_id, body.name)
    return await _overview(pool, active_id)


@router.patch("/{active_id:int}/settings", summary="Set what a model answers and what is sent of it, from now on")
async def set_settings(pool: PoolDep, caller: CallerDep, active_id: PathId, body: ChangeSettings) -> ActiveModel:
    await change_settings(pool, active_id, body, by=caller)
    return await _overview(pool, active_id)


def _asked(caller: str, body: Because | None) -> Asked:
    return Asked(by=caller, reason=None if body is None else body.reason)


async def _overview(pool: Pool, active_id: int) -> ActiveModel:
    found = await active_models.get_overview(pool, active_id)
    if found is None:
        raise NotFound(f"There is no active model {active_id}: GET /models/active lists all")
    return _shown(found)


def _shown(found: Overview) -> ActiveModel:
    model = found.model
    # asdict would copy all that is nested, which for a thousand models takes longer than everything else.
    columns = {one.name: getattr(model, one.name) for one in fields(model)}
    return ActiveModel.model_validate(
        columns
        | {
            "send_modes": sorted(model.send_modes),
            "coin_whitelist": sorted(model.coin_whitelist),
            "name": model.name,
            "total_predictions": found.total_predictions,
            "last_prediction_at": found.last_prediction_at,
        },
        from_attributes=True,
    )
