"""Routes that tell what there is to choose from."""

from dataclasses import asdict

from fastapi import APIRouter

from shared.contracts.jobs import (
    DataAvailability,
    FeatureCatalogue,
    FeatureInfo,
    ModelTypeInfo,
    ModelTypeList,
    ParameterInfo,
    Phase,
    PhaseList,
)
from shared.features import catalogue
from training_service.deps import PoolDep
from training_service.ml.model_types import MODEL_TYPES
from training_service.store import models, tracker

router = APIRouter(tags=["catalogue"])


@router.get("/features", summary="What a model can look at, with units")
async def list_features() -> FeatureCatalogue:
    features = [FeatureInfo(**{**asdict(feature), "windows": list(feature.windows)}) for feature in catalogue()]
    return FeatureCatalogue(features=features, total=len(features))


@router.get("/phases", summary="Stages in the life of a coin")
async def list_phases(pool: PoolDep) -> PhaseList:
    phases = [Phase.model_validate(dict(row)) for row in await tracker.phases(pool)]
    return PhaseList(phases=phases, total=len(phases))


@router.get("/model-types", summary="Kinds of models with their hyper-parameters")
async def list_model_types(pool: PoolDep) -> ModelTypeList:
    stored = {row["name"]: row["default_params"] for row in await models.types(pool)}
    types = []
    for kind in MODEL_TYPES.values():
        defaults = {**kind.defaults, **stored.get(kind.name, {})}
        parameters = [
            ParameterInfo(name=name, default=defaults[name], allowed=parameter.allowed, meaning=parameter.meaning)
            for name, parameter in kind.parameters.items()
        ]
        types.append(
            ModelTypeInfo(
                name=kind.name,
                title=kind.title,
                description=kind.description,
                default_params=defaults,
                parameters=parameters,
            )
        )
    return ModelTypeList(model_types=types, total=len(types))


@router.get("/data-availability", summary="Times, rows and coins that coin_metrics holds")
async def get_data_availability(pool: PoolDep) -> DataAvailability:
    held = await tracker.holdings(pool)
    return DataAvailability(
        min_timestamp=held.first,
        max_timestamp=held.last,
        rows=held.rows,
        rows_counted=held.rows_counted,
        coins=held.coins,
    )
