"""From predictions to messages: who gets what, in which shape, until when."""

from datetime import timedelta
from itertools import product
from typing import Any

import numpy as np
import orjson
import pytest
from pydantic import ValidationError

from prediction_service.store.deliveries import NewDelivery
from prediction_service.store.endpoints import Endpoint
from prediction_service.usecases.cooldowns import Cooldowns
from prediction_service.usecases.deliveries import OnePrediction, RowPredictions, deliveries_for, wanted
from shared.contracts.webhook import NewWebhook, PredictionMessage
from tests.support.messages import NOW, active, endpoint, row, said

MODES = ("all", "alerts_only", "positive_only", "negative_only")


def due_for(endpoints: list[Endpoint], rows: list[RowPredictions]) -> list[NewDelivery]:
    return deliveries_for(endpoints, rows, now=NOW, cooldowns=Cooldowns({}).batch())


def sent(model_modes: set[str], endpoint_modes: set[str], probability: float) -> bool:
    model = active(send_modes=frozenset(model_modes))
    return bool(due_for([endpoint(send_modes=frozenset(endpoint_modes))], [row(said(model, probability))]))


@pytest.mark.parametrize(
    ("modes", "negative", "positive", "alert"),
    [
        ({"all"}, True, True, True),
        ({"alerts_only"}, False, False, True),
        ({"positive_only"}, False, True, False),
        ({"negative_only"}, True, False, False),
        ({"positive_only", "alerts_only"}, False, True, True),
    ],
)
def test_modes_when_of_model_or_endpoint_then_each_lets_only_its_predictions_pass(
    modes: set[str], negative: bool, positive: bool, alert: bool
):
    for probability, expected in ((0.1, negative), (0.4, positive), (0.8, alert)):
        assert sent(modes, {"all"}, probability) is expected
        assert sent({"all"}, modes, probability) is expected


def test_modes_when_model_and_endpoint_differ_then_both_must_accept():
    assert not sent({"positive_only"}, {"negative_only"}, 0.1)
    assert not sent({"positive_only"}, {"negative_only"}, 0.4)


def test_row_when_two_models_speak_then_one_message_holds_both_and_has_the_promised_shape():
    rule = active(2, custom_name="mine", future_minutes=None, price_change_percent=None, target_direction=None,
                  target_operator=">", target_value=4e-8)  # fmt: skip
    (delivery,) = due_for(
        [endpoint(send_modes=frozenset({"alerts_only"}))], [row(said(active(1), 0.1), said(rule, 0.9))]
    )
    PredictionMessage.model_validate_json(delivery.body)
    assert orjson.loads(delivery.body) == {
        "type": "prediction.alert",
        "timestamp": "2026-03-01T12:00:00Z",
        "data": {
            "coin_id": "coin",
            "timestamp": "2026-03-01T12:00:00Z",
            "price_close": 3e-8,
            "phase_id": 1,
            "predictions": [
                {
                    "prediction": 0, "probability": 0.1, "is_alert": False, "alert_threshold": 0.6,
                    "model": {
                        "id": 101, "active_model_id": 1, "name": "model 1", "custom_name": None,
                        "model_type": "xgboost",
                        "target_variable": "price_close", "target_operator": None, "target_value": None,
                        "future_minutes": 10, "price_change_percent": 30.0, "target_direction": "up",
                    },
                },
                {
                    "prediction": 1, "probability": 0.9, "is_alert": True, "alert_threshold": 0.6,
                    "model": {
                        "id": 102, "active_model_id": 2, "name": "model 2", "custom_name": "mine",
                        "model_type": "xgboost",
                        "target_variable": "price_close", "target_operator": ">", "target_value": 4e-8,
                        "future_minutes": None, "price_change_percent": None, "target_direction": None,
                    },
                },
            ],
            "metadata": {"total_predictions": 2, "alerts_count": 1, "service": "pumpcast-prediction",
            "version": "0.1.0"},
        },
    }  # fmt: skip
    assert delivery.event_type == "prediction.alert"
    assert (delivery.coin_id, delivery.data_timestamp) == ("coin", NOW)


def test_row_when_nothing_is_an_alert_then_the_event_says_created_and_missing_price_is_null():
    (delivery,) = due_for([endpoint()], [row(said(active(), 0.4), price_close=None, phase_id=None)])
    body = PredictionMessage.model_validate_json(delivery.body)
    assert body.type == delivery.event_type == "prediction.created"
    assert (body.data.price_close, body.data.phase_id) == (None, None)


def test_endpoint_when_it_covers_some_models_then_the_others_are_not_in_its_message():
    speakers = [said(active(1), 0.9), said(active(2), 0.8), said(active(3), 0.9)]
    found = due_for(
        [endpoint(1, active_model_ids=frozenset({2})), endpoint(2), endpoint(3, active_model_ids=frozenset({9}))],
        [row(*speakers)],
    )
    told = {
        one.endpoint_id: [
            p.model.active_model_id for p in PredictionMessage.model_validate_json(one.body).data.predictions
        ]
        for one in found
    }
    assert told == {1: [2], 2: [1, 2, 3]}
    assert len({one.webhook_id for one in found}) == 2


def test_shadow_model_when_it_speaks_then_no_message_holds_or_follows_from_it():
    shadow, loud = said(active(1, mode="shadow"), 0.99), said(active(2), 0.9)
    assert due_for([endpoint()], [row(shadow)]) == []
    (delivery,) = due_for([endpoint()], [row(shadow, loud)])
    assert [
        one.model.active_model_id for one in PredictionMessage.model_validate_json(delivery.body).data.predictions
    ] == [2]


def test_rows_when_several_then_each_coin_and_row_has_its_own_message_oldest_first():
    rows = [
        row(said(active(), 0.9), coin_id=coin, timestamp=NOW + timedelta(seconds=s)) for s in (5, 0) for coin in "ab"
    ]
    found = due_for([endpoint()], rows)
    told = [(one.coin_id, one.data_timestamp) for one in found]
    assert told == [("a", NOW), ("b", NOW), ("a", NOW + timedelta(seconds=5)), ("b", NOW + timedelta(seconds=5))]
    assert len({one.webhook_id for one in found}) == 4
    # Work that is done again gives the same ids.
    assert [one.webhook_id for one in due_for([endpoint()], rows)] == [one.webhook_id for one in found]


def test_expiry_when_not_set_then_the_shortest_horizon_counts_and_ten_minutes_for_rules():
    slow, fast = said(active(1, future_minutes=60), 0.9), said(active(2, future_minutes=5), 0.9)
    rule = said(active(3, future_minutes=None, target_operator=">", target_value=1.0), 0.9)

    def expiry(speakers: list[OnePrediction], **changes: Any) -> float:
        (delivery,) = due_for([endpoint(**changes)], [row(*speakers)])
        return delivery.expires_after_seconds

    assert expiry([slow]) == 3600
    assert expiry([slow, fast]) == 300
    assert expiry([slow, rule]) == 600
    assert expiry([slow], active_model_ids=frozenset({1}), expires_after_seconds=7) == 7


def test_row_when_caught_up_after_an_outage_then_it_is_sent_only_within_its_horizon():
    speaker = said(active(future_minutes=10), 0.9)

    def count(age_minutes: float, *, late: bool) -> int:
        given = row(speaker, timestamp=NOW - timedelta(minutes=age_minutes), caught_up_late=late)
        return len(due_for([endpoint()], [given]))

    assert count(9, late=True) == 1
    assert count(11, late=True) == 0
    # A replay of old rows is as live as any: its time is not that of the wall clock.
    assert count(60 * 24 * 365, late=False) == 1


@pytest.mark.parametrize("mode", ["live", "shadow"])
@pytest.mark.parametrize("covered", [True, False])
def test_look_ahead_when_compared_with_messages_then_it_finds_exactly_those_due(mode: str, covered: bool):
    probabilities = np.array([0.1, 0.3, 0.5, 0.6, 0.9])
    for mine, theirs in product(MODES, MODES):
        model = active(send_modes=frozenset({mine}), mode=mode)
        there = endpoint(send_modes=frozenset({theirs}), active_model_ids=frozenset({1 if covered else 2}))
        found = wanted([there], model, prediction=probabilities >= 0.3, is_alert=probabilities >= 0.6)
        due = [bool(due_for([there], [row(said(model, p))])) for p in probabilities.tolist()]
        assert found.tolist() == due


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "x"}, {"content-length": "1"}, {"Webhook-Signature": "x"}, {"Transfer-Encoding": "chunked"}, {"": "x"},
        {"a b": "x"}, {"X": "a\r\nY: b"}, {"X": "\u00fc"}, {"X": ""}, {"X": " a"}, {"X-A": "1", "x-a": "2"},
        {"X": "a\x00"},
        {f"X-{n}": "1" for n in range(21)}, {"X": "a" * 1001}, {"ÄX": "1"},
    ],
)  # fmt: skip
def test_headers_when_they_could_change_the_request_then_they_are_refused(headers: dict[str, str]):
    with pytest.raises(ValidationError):
        NewWebhook(url="https://example.com", headers=headers)


def test_headers_when_plain_then_they_are_taken():
    given = {"Authorization": "Bearer a.b-c", "X-Team": "pumps and dumps"}
    assert NewWebhook(url="https://example.com", headers=given).headers == given
