"""Set what a model answers, what is sent of it, and whether it is live."""

from dataclasses import replace
from typing import Any

from prediction_service.store import active_models, promotions, tracker
from prediction_service.store.active_models import ActiveModel, AutoPromotion
from prediction_service.store.promotions import Asked
from prediction_service.usecases import lines
from prediction_service.usecases.models import lock_model
from shared.contracts.model_request import TRADED
from shared.contracts.model_settings import ChangeSettings
from shared.db import Connection, Pool, transaction
from shared.errors import Conflict, Invalid

_SETS = frozenset({"send_modes", "coin_whitelist"})


async def change_settings(pool: Pool, active_id: int, change: ChangeSettings, *, by: str) -> None:
    """Set what is named; every row that is answered later follows it."""
    if change.phases is not None:
        await _check_phases(pool, change.phases)
    async with transaction(pool) as connection:
        _, before = await lock_model(connection, active_id)
        changed = _merged(before, change)
        if changed.coin_filter_mode == "whitelist" and not changed.coin_whitelist:
            raise Invalid(
                "coin_filter_mode whitelist needs a coin_whitelist with at least one coin", pointer="/coin_whitelist"
            )
        await _check_line(connection, before, changed)
        threshold = None if _takes_threshold_of_file(change) else changed.alert_threshold
        with lines.one_live(changed.line):
            await active_models.change_settings(connection, changed, alert_threshold=threshold)
        await _log(connection, before, changed, Asked(by=by, reason=change.reason))
        await active_models.announce(connection)


async def _check_phases(pool: Pool, wanted: list[int]) -> None:
    known = await tracker.phase_ids(pool)
    if known is None:
        raise Conflict("There is no table ref_coin_phases yet, so no phase can be named: start the tracker first")
    unknown = [str(phase) for phase in wanted if phase not in known]
    if unknown:
        raise Invalid(
            f"There is no phase {', '.join(unknown[:10])}: there are {', '.join(map(str, known)) or 'none'}",
            pointer="/phases",
        )


def _takes_threshold_of_file(change: ChangeSettings) -> bool:
    return "alert_threshold" in change.model_fields_set and change.alert_threshold is None


def _merged(before: ActiveModel, change: ChangeSettings) -> ActiveModel:
    named: dict[str, Any] = {name: getattr(change, name) for name in change.model_fields_set - {"reason"}}
    for name in _SETS & named.keys():
        named[name] = frozenset(named[name])
    if named.get("phases") is not None:
        named["phases"] = tuple(named["phases"])
    if _takes_threshold_of_file(change):
        del named["alert_threshold"]
    if change.auto_promotion is not None:
        named["auto_promotion"] = AutoPromotion(**change.auto_promotion.model_dump())
    elif named.get("mode") == "live":
        # It has arrived; as a shadow again it would leave by itself.
        named["auto_promotion"] = None
    return replace(before, **named)


async def _check_line(connection: Connection, before: ActiveModel, changed: ActiveModel) -> None:
    target = await active_models.target_of(connection, changed.id)
    if (changed.line, changed.is_live) != (before.line, before.is_live):
        await lines.check_place(connection, changed.line, active_id=changed.id, target=target, is_live=changed.is_live)
    if changed.auto_promotion is None:
        return
    if changed.mode == "live":
        raise Conflict(f"Active model {changed.id} is live: auto_promotion is for shadow models")
    if changed.line is None:
        raise Conflict(
            f"Active model {changed.id} is in no line: auto_promotion compares it with the live model of its line; "
            "set a line, or auto_promotion to null"
        )
    if changed.auto_promotion.metric == "mean_return" and not _is_traded(target):
        raise Conflict(
            f"Active model {changed.id} does not say when to buy: mean_return is for time targets about a rising "
            f"{' or '.join(TRADED)}"
        )


def _is_traded(target: dict[str, Any]) -> bool:
    return target.get("kind") == "time" and target["direction"] == "up" and target["target_var"] in TRADED


async def _log(connection: Connection, before: ActiveModel, changed: ActiveModel, asked: Asked) -> None:
    if changed.mode != before.mode:
        await promotions.log(connection, changed.mode, changed, asked, is_live=changed.is_live)
    elif changed.line != before.line and changed.is_live:
        # Another line has a live model from now on, and the one before has none.
        metrics = {"line_before": before.line}
        await promotions.log(connection, "live", changed, asked, is_live=True, metrics=metrics)
