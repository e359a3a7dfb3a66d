"""Routes of model cards."""

from fastapi import APIRouter

from shared.contracts.card import ModelCard
from shared.contracts.fields import PathId
from shared.errors import NotFound
from training_service.deps import PoolDep
from training_service.store import models

router = APIRouter(prefix="/models", tags=["models"])


@router.get("/{model_id:int}/card", summary="All that a page about one model shows, deleted or not")
async def get_card(pool: PoolDep, model_id: PathId) -> ModelCard:
    row, card = await models.get(pool, model_id), await models.get_card(pool, model_id)
    if row is None:
        raise NotFound(f"There is no model {model_id}")
    return ModelCard.of(dict(row), card or {})
