"""Routes of statistics: of one model, and of the whole service."""

from typing import Annotated

from fastapi import APIRouter, Query

from prediction_service.deps import PoolDep
from prediction_service.usecases import statistics
from shared.contracts.fields import PathId
from shared.contracts.statistics import ModelStatistics, ServiceStatistics, StatisticsFilter

router = APIRouter(tags=["statistics"])


@router.get("/models/{active_id:int}/statistics", summary="How good a model is live, beside its hold-out figures")
async def get_model_statistics(
    pool: PoolDep, active_id: PathId, wanted: Annotated[StatisticsFilter, Query()]
) -> ModelStatistics:
    return await statistics.of_model(pool, active_id, date_from=wanted.date_from, date_to=wanted.date_to)


@router.get("/stats", summary="The whole service: whether the books balance, outcomes, messages, workers")
async def get_service_statistics(pool: PoolDep) -> ServiceStatistics:
    return await statistics.of_service(pool)
