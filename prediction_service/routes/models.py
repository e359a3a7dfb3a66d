"""Routes of imported models."""

from dataclasses import asdict

from fastapi import APIRouter

from prediction_service.deps import PoolDep, SettingsDep, TrainingDep
from prediction_service.store import active_models
from prediction_service.store.active_models import Overview
from prediction_service.usecases import models
from shared.contracts.fields import PathId
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
from shared.db import Pool
from shared.errors import NotFound

router = APIRouter(prefix="/models", tags=["models"])


@router.get("/available", summary="Models of the training service that can be imported")
async def list_available(pool: PoolDep, training: TrainingDep, include_imported: bool = False) -> AvailableModels:
    found = await models.list_available(pool, training, include_imported=include_imported)
    shown = [AvailableModel(**one.model.model_dump(), active_model_id=one.active_model_id) for one in found]
    return AvailableModels(models=shown, total=len(shown))


@router.post("/import", summary="Bring a model here and let it predict from now on")
async def import_model(pool: PoolDep, training: TrainingDep, settings: SettingsDep, body: ImportModel) -> ImportedModel:
    return ImportedModel.model_validate(await models.import_model(pool, training, settings, model_id=body.model_id))


@router.get("/active", summary="Imported models that predict, newest first")
async def list_active(pool: PoolDep, include_inactive: bool = False) -> ActiveModels:
    found = await active_models.list_overviews(pool, include_inactive=include_inactive)
    return ActiveModels(models=[_shown(one) for one in found], total=len(found))


@router.get("/{active_id:int}", summary="One imported model")
async def get_model(pool: PoolDep, active_id: PathId) -> ActiveModel:
    return await _overview(pool, active_id)


@router.post("/{active_id:int}/activate", summary="Let a model predict every row from now on")
async def activate(pool: PoolDep, active_id: PathId) -> ModelChanged:
    changed = await models.activate(pool, active_id)
    message = f"Active model {active_id} predicts " + ("from now on" if changed else "already")
    return ModelChanged(message=message, active_model_id=active_id)


@router.post("/{active_id:int}/deactivate", summary="Let a model predict no longer")
async def deactivate(pool: PoolDep, active_id: PathId) -> ModelChanged:
    changed = await models.deactivate(pool, active_id)
    message = f"Active model {active_id} " + ("predicts no longer" if changed else "did not predict anyway")
    return ModelChanged(message=message, active_model_id=active_id)


@router.delete("/{active_id:int}", summary="Remove a model and its file; its predictions stay")
async def delete_model(pool: PoolDep, settings: SettingsDep, active_id: PathId) -> ModelChanged:
    await models.delete(pool, settings, active_id)
    return ModelChanged(message=f"Active model {active_id} is removed", active_model_id=active_id)


@router.patch("/{active_id:int}/rename", summary="Give a model a name of its own here")
async def rename_model(pool: PoolDep, active_id: PathId, body: RenameModel) -> ActiveModel:
    await models.rename(pool, active_id, body.name)
    return await _overview(pool, active_id)


async def _overview(pool: Pool, active_id: int) -> ActiveModel:
    found = await active_models.get_overview(pool, active_id)
    if found is None:
        raise NotFound(f"There is no active model {active_id}: GET /models/active lists all")
    return _shown(found)


def _shown(found: Overview) -> ActiveModel:
    return ActiveModel(
        **asdict(found.model),
        name=found.model.name,
        total_predictions=found.total_predictions,
        last_prediction_at=found.last_prediction_at,
    )
