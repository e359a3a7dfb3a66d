"""Let one model take another's place, on record; take it back; and do it when a shadow has proved to be better."""

from dataclasses import asdict, dataclass
from typing import Any

import structlog

from prediction_service.settings import PredictionSettings
from prediction_service.store import active_models, positions, promotions
from prediction_service.store.active_models import ActiveModel
from prediction_service.store.promotions import Asked, Promotion
from prediction_service.usecases import lines
from prediction_service.usecases.challenges import Challenge, look
from prediction_service.usecases.models import lock_model
from shared.db import Connection, Pool, transaction
from shared.errors import Conflict, Invalid

log = structlog.get_logger(__name__)


async def promote(pool: Pool, active_id: int, asked: Asked, *, replaces: int | None = None) -> Promotion:
    """Let a shadow model go live; the live one of its line, or the one it replaces, becomes a shadow."""
    async with transaction(pool) as connection:
        _, active = await lock_model(connection, active_id)
        if not active.is_active:
            raise Conflict(f"Active model {active_id} does not predict: activate it first, as a shadow")
        if active.mode == "live":
            raise Conflict(f"Active model {active_id} is live already")
        replaced = await _replaced(connection, active, replaces)
        return await _swap(connection, active, replaced, asked)


async def _replaced(connection: Connection, active: ActiveModel, replaces: int | None) -> ActiveModel | None:
    live_id = None if active.line is None else await active_models.live_of_line(connection, active.line)
    if replaces is None:
        return None if live_id is None else await active_models.get(connection, live_id)
    if live_id not in (None, replaces):
        raise Conflict(
            f"Active model {live_id} is the live one of line {active.line!r}: it is to be replaced, not {replaces}"
        )
    found = await active_models.get(connection, replaces)
    if found is None:
        raise Invalid(f"There is no active model {replaces} to replace", pointer="/replaces")
    if not found.is_live:
        raise Conflict(f"Active model {replaces} is not live: there is nothing to replace")
    return found


async def _swap(
    connection: Connection,
    active: ActiveModel,
    replaced: ActiveModel | None,
    asked: Asked,
    *,
    metrics: dict[str, Any] | None = None,
) -> Promotion:
    if replaced is not None:
        await active_models.set_mode(connection, replaced.id, "shadow")
    with lines.one_live(active.line):
        await active_models.set_mode(connection, active.id, "live")
    await active_models.announce(connection)
    return await promotions.log(connection, "promote", active, asked, is_live=True, replaced=replaced, metrics=metrics)


async def roll_back(pool: Pool, active_id: int, asked: Asked) -> Promotion:
    """Undo the latest promotion of a model: it is a shadow again, and what it replaced is live."""
    async with transaction(pool) as connection:
        _, active = await lock_model(connection, active_id)
        promotion = await promotions.latest_promotion(connection, active_id)
        if promotion is None:
            raise Conflict(f"Active model {active_id} was never promoted: there is nothing to roll back")
        if promotion.undone_by is not None:
            raise Conflict(f"Promotion {promotion.id} of active model {active_id} is rolled back already")
        if active.mode != "live":
            raise Conflict(f"Active model {active_id} is not live: there is nothing to roll back")
        back = await _returning(connection, active, promotion.replaced_active_model_id)
        await active_models.set_mode(connection, active.id, "shadow")
        if back is not None:
            with lines.one_live(back.line):
                await active_models.set_mode(connection, back.id, "live")
        await active_models.announce(connection)
        return await promotions.log(
            connection, "rollback", active, asked, is_live=False, replaced=back, undoes=promotion.id
        )


async def _returning(connection: Connection, active: ActiveModel, replaced_id: int | None) -> ActiveModel | None:
    if replaced_id is None:
        return None
    found = await active_models.get(connection, replaced_id)
    if found is None:
        raise Conflict(f"Active model {replaced_id}, which {active.id} replaced, is deleted: promote another one")
    if not found.is_active:
        raise Conflict(f"Active model {replaced_id}, which {active.id} replaced, does not predict: activate it first")
    live_id = None if found.line is None else await active_models.live_of_line(connection, found.line)
    if live_id not in (None, active.id, found.id):
        raise Conflict(f"Active model {live_id} is live in line {found.line!r} by now: roll that one back first")
    return found


async def promote_due(pool: Pool, settings: PredictionSettings) -> None:  # noqa: ARG001 - as every step of housekeeping
    """Promote every shadow model that has shown what its auto_promotion asks for, one of a line at most."""
    done: set[str] = set()
    for pair in _pairs(await active_models.list_active(pool)):
        if pair.line in done:
            continue
        challenge = await look(pool, pair.shadow, pair.live)
        if challenge.ready and await _promote_unchanged(pool, pair, challenge):
            done.add(pair.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    line: str
    shadow: ActiveModel
    live: ActiveModel


def _pairs(models: list[ActiveModel]) -> list[_Pair]:
    live = {model.line: model for model in models if model.mode == "live"}
    return [
        _Pair(line=model.line, shadow=model, live=live[model.line])
        for model in models
        if model.line is not None and model.line in live and model.auto_promotion is not None
    ]


async def _promote_unchanged(pool: Pool, pair: _Pair, challenge: Challenge) -> bool:
    """Promote unless anybody has changed one of the two since they were compared."""
    asked = Asked(by="auto", reason=challenge.sentence())
    async with transaction(pool) as connection:
        # Locked only: raising the version of the models would have all workers start over for nothing.
        await positions.lock_all(connection)
        for model in (pair.shadow, pair.live):
            if await active_models.get(connection, model.id) != model:
                return False
        await positions.lock_and_capture(connection)
        sides = {"challenger": asdict(challenge.challenger), "live": asdict(challenge.live)}
        metrics = sides | {"coins": challenge.coins, "lead": challenge.lead, "chance": challenge.chance}
        await _swap(connection, pair.shadow, pair.live, asked, metrics=metrics)
    log.info("promoted", active_model_id=pair.shadow.id, replaced=pair.live.id, line=pair.line, reason=asked.reason)
    return True
