"""Routes of what is live: promote, roll back, how a shadow does, and the log."""

from typing import Annotated

from fastapi import APIRouter, Query

from prediction_service.deps import CallerDep, PoolDep
from prediction_service.store import promotions
from prediction_service.store.promotions import NEWEST, Asked
from prediction_service.usecases import promotions as promotion_usecases
from prediction_service.usecases.challenges import get_challenge
from shared.contracts.fields import PathId
from shared.contracts.promotions import (
    AutoPromotion,
    Because,
    Challenge,
    Figures,
    Promote,
    Promotion,
    PromotionFilter,
    PromotionPage,
)
from shared.web.cursor import read_cursor, write_cursor

router = APIRouter(tags=["promotions"])

KIND = "promotions"


@router.post("/models/{active_id:int}/promote", summary="Let a shadow go live in the place of the live one of its line")
async def promote(pool: PoolDep, caller: CallerDep, active_id: PathId, body: Promote | None = None) -> Promotion:
    asked = body or Promote()
    done = await promotion_usecases.promote(
        pool, active_id, Asked(by=caller, reason=asked.reason), replaces=asked.replaces
    )
    return Promotion.model_validate(done)


@router.post("/models/{active_id:int}/rollback", summary="Undo the latest promotion of a model")
async def roll_back(pool: PoolDep, caller: CallerDep, active_id: PathId, body: Because | None = None) -> Promotion:
    reason = None if body is None else body.reason
    return Promotion.model_validate(
        await promotion_usecases.roll_back(pool, active_id, Asked(by=caller, reason=reason))
    )


@router.get("/models/{active_id:int}/challenge", summary="A shadow beside the live model of its line, on the same rows")
async def show_challenge(pool: PoolDep, active_id: PathId) -> Challenge:
    shadow, found = await get_challenge(pool, active_id)
    missing = list(found.missing) if found else [f"line {shadow.line!r} has no live model: promote it by hand"]
    if not shadow.is_active:
        missing.insert(0, "it does not predict: activate it")
    return Challenge(
        active_model_id=shadow.id,
        live_active_model_id=found.live_model.id if found else None,
        line=shadow.line,
        auto_promotion=AutoPromotion.model_validate(shadow.auto_promotion, from_attributes=True)
        if shadow.auto_promotion
        else None,
        since=shadow.activated_at,
        pairs=found.pairs if found else 0,
        challenger=Figures.model_validate(found.challenger) if found else None,
        live=Figures.model_validate(found.live) if found else None,
        coins=found.coins if found else 0,
        lead=found.lead if found else None,
        chance=found.chance if found else None,
        ready=not missing,
        missing=missing,
    )


@router.get("/promotions", summary="What was live when, by whom and why, newest first")
async def list_promotions(pool: PoolDep, wanted: Annotated[PromotionFilter, Query()]) -> PromotionPage:
    found = await promotions.list_page(
        pool,
        active_model_id=wanted.active_model_id,
        line=wanted.line,
        action=wanted.action,
        before_id=NEWEST if wanted.cursor is None else read_cursor(KIND, wanted.cursor),
        most=wanted.limit + 1,
    )
    page = found[: wanted.limit]
    cursor = write_cursor(KIND, page[-1].id) if len(found) > len(page) else None
    return PromotionPage(promotions=[Promotion.model_validate(one) for one in page], next_cursor=cursor)
