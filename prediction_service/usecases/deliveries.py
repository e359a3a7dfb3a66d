"""From predictions to messages: which endpoint gets what, written in the transaction of the predictions."""

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from prediction_service.clients.webhook import VERSION
from prediction_service.store import cooldowns as cooldown_store
from prediction_service.store import deliveries
from prediction_service.store.active_models import ActiveModel
from prediction_service.store.deliveries import Cause, NewDelivery
from prediction_service.store.endpoints import Endpoint
from prediction_service.usecases.cooldowns import CooldownBatch, Kind, kind_of
from shared.db import Connection
from shared.tracing import traceparent

SERVICE = "pumpcast-prediction"
RULE_EXPIRES_SECONDS = 600
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class OnePrediction:
    """What one model said about a row."""

    active: ActiveModel
    prediction: int
    probability: float
    is_alert: bool

    @property
    def kind(self) -> Kind:
        """Tell which cooldown it is under."""
        return kind_of(prediction=bool(self.prediction), is_alert=self.is_alert)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowPredictions:
    """All that was said about one row of one coin."""

    coin_id: str
    timestamp: datetime
    price_close: float | None
    """SOL per token."""
    phase_id: int | None
    predictions: tuple[OnePrediction, ...]
    caught_up_late: bool
    """First seen in catch-up after an outage: sent only while its answers still mean something."""


def wanted(endpoints: Sequence[Endpoint], active: ActiveModel, *, prediction: Bools, is_alert: Bools) -> Bools:
    """Tell for which of a model's predictions, bool[n] each, a message is due to any endpoint; a cheap look ahead."""
    result = np.zeros(len(prediction), np.bool_)
    if active.mode == "shadow":
        return result
    for endpoint in endpoints:
        if endpoint.covers(active.id):
            result |= _accepted(endpoint.send_modes, prediction, is_alert)
    return result & _accepted(active.send_modes, prediction, is_alert)


def _accepted(modes: frozenset[str], prediction: Bools, is_alert: Bools) -> Bools:
    if "all" in modes:
        return np.ones(len(prediction), np.bool_)
    result = np.zeros(len(prediction), np.bool_)
    if "alerts_only" in modes:
        result |= is_alert
    if "positive_only" in modes:
        result |= prediction & ~is_alert
    if "negative_only" in modes:
        result |= ~prediction
    return result


async def enqueue(
    connection: Connection, endpoints: Sequence[Endpoint], rows: Sequence[RowPredictions], cooldowns: CooldownBatch
) -> list[int]:
    """Write the messages that are due for predictions of the same transaction; give their ids."""
    if not endpoints or not rows:
        return []
    new = deliveries_for(endpoints, rows, now=datetime.now(UTC), cooldowns=cooldowns)
    if not new:
        return []
    if cooldowns.sent:
        await cooldown_store.save(connection, cooldowns.sent)
    return await deliveries.insert_many(connection, new)


def deliveries_for(
    endpoints: Sequence[Endpoint], rows: Sequence[RowPredictions], *, now: datetime, cooldowns: CooldownBatch
) -> list[NewDelivery]:
    """Build the messages: one per endpoint and row, when any of its predictions is one that is sent there.

    It then holds all predictions of the row by models the endpoint covers; those of shadow models are in none. A
    prediction that makes a message due starts the cooldown of its kind.
    """
    found: list[NewDelivery] = []
    cause = traceparent()
    # As if one row had come after the other: a batch may hold the rows of several ticks in any order.
    for row in sorted(rows, key=lambda row: row.timestamp):
        spoken = [one for one in row.predictions if one.active.mode != "shadow"]
        rested = [one for one in spoken if cooldowns.over(one.active.id, row.coin_id, one.kind, row.timestamp)]
        bodies: dict[tuple[int, ...], tuple[str, bytes]] = {}
        for endpoint in endpoints:
            due = [one for one in rested if endpoint.covers(one.active.id) and _is_sent(endpoint, one)]
            if not due:
                continue
            covered = [one for one in spoken if endpoint.covers(one.active.id)]
            expires = _expires_after(endpoint, covered)
            if row.caught_up_late and row.timestamp + timedelta(seconds=expires) < now:
                continue
            for one in due:
                cooldowns.note(one.active.id, row.coin_id, one.kind, row.timestamp)
            key = tuple(one.active.id for one in covered)
            if key not in bodies:
                bodies[key] = _body(row, covered, now)
            event, body = bodies[key]
            found.append(
                NewDelivery(
                    endpoint_id=endpoint.id,
                    webhook_id=webhook_id(endpoint.id, row.coin_id, row.timestamp, key),
                    event_type=event,
                    coin_id=row.coin_id,
                    data_timestamp=row.timestamp,
                    active_model_ids=key,
                    body=body,
                    expires_after_seconds=expires,
                    traceparent=cause,
                )
            )
    return found


def webhook_id(endpoint_id: int, coin_id: str, timestamp: datetime, active_ids: Sequence[int]) -> str:
    """Give the id of a message: the same whenever the same models' word on the same row goes to the same endpoint.

    >>> webhook_id(1, "coin", datetime(2026, 3, 1, tzinfo=UTC), (1, 2))
    'msg_2ee09cff867c9e99e97a76dedb2fac41'

    """
    told = orjson.dumps([endpoint_id, coin_id, timestamp.astimezone(UTC).isoformat(), sorted(active_ids)])
    return f"msg_{hashlib.sha256(told).hexdigest()[:32]}"


def trial_for(endpoint: Endpoint, *, now: datetime, cause: Cause) -> NewDelivery:
    """Build an event that only tries whether messages arrive."""
    message = {
        "type": "webhook.test",
        "timestamp": now,
        "data": {
            "message": "pumpcast reaches this endpoint; predictions come as prediction.alert and prediction.created",
            "endpoint_id": endpoint.id,
            "service": SERVICE,
            "version": VERSION,
        },
    }
    return NewDelivery(
        endpoint_id=endpoint.id,
        webhook_id=f"msg_{uuid.uuid4().hex}",
        event_type="webhook.test",
        coin_id=None,
        data_timestamp=None,
        active_model_ids=None,
        body=orjson.dumps(message, option=orjson.OPT_UTC_Z),
        expires_after_seconds=endpoint.expires_after_seconds or RULE_EXPIRES_SECONDS,
        request_id=cause.request_id,
        traceparent=cause.traceparent,
    )


def _is_sent(endpoint: Endpoint, one: OnePrediction) -> bool:
    return all(_accepts(modes, one) for modes in (one.active.send_modes, endpoint.send_modes))


def _accepts(modes: frozenset[str], one: OnePrediction) -> bool:
    return (
        "all" in modes
        or ("alerts_only" in modes and one.is_alert)
        or ("positive_only" in modes and one.prediction == 1 and not one.is_alert)
        or ("negative_only" in modes and one.prediction == 0)
    )


def _expires_after(endpoint: Endpoint, covered: Sequence[OnePrediction]) -> float:
    if endpoint.expires_after_seconds is not None:
        return endpoint.expires_after_seconds
    horizons = [one.active.future_minutes for one in covered]
    return min(RULE_EXPIRES_SECONDS if minutes is None else minutes * 60 for minutes in horizons)


def _body(row: RowPredictions, covered: Sequence[OnePrediction], now: datetime) -> tuple[str, bytes]:
    alerts = sum(one.is_alert for one in covered)
    event = "prediction.alert" if alerts else "prediction.created"
    message = {
        "type": event,
        "timestamp": now,
        "data": {
            "coin_id": row.coin_id,
            "timestamp": row.timestamp,
            "price_close": row.price_close,
            "phase_id": row.phase_id,
            "predictions": [_sent(one) for one in covered],
            "metadata": {
                "total_predictions": len(covered),
                "alerts_count": alerts,
                "service": SERVICE,
                "version": VERSION,
            },
        },
    }
    return event, orjson.dumps(message, option=orjson.OPT_UTC_Z | orjson.OPT_SERIALIZE_NUMPY)


def _sent(one: OnePrediction) -> dict[str, Any]:
    active = one.active
    return {
        "prediction": one.prediction,
        "probability": one.probability,
        "is_alert": one.is_alert,
        "alert_threshold": active.alert_threshold,
        "model": {
            "id": active.model_id,
            "active_model_id": active.id,
            "name": active.model_name,
            "custom_name": active.custom_name,
            "model_type": active.model_type,
            "target_variable": active.target_variable,
            "target_operator": active.target_operator,
            "target_value": active.target_value,
            "future_minutes": active.future_minutes,
            "price_change_percent": active.price_change_percent,
            "target_direction": active.target_direction,
        },
    }
