"""Statistics of a model and of the service: figures from roll-ups, null where nothing is known, books that balance."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from prediction_service.usecases.outcomes import Outcomes
from shared.db import Connection, Pool
from tests.support.database import insert_rows, row
from tests.support.models import activate_model
from tests.support.resolving import SETTINGS, predict_every_row, question, set_clock, settle
from tests.support.serving import Api

HOUR = datetime(2026, 3, 1, 22, tzinfo=UTC)
# Of ten predictions three were right, and one of four alerts is known to have been wrong.
PLAIN = {
    "active_model_id": 1, "model_id": 10, "bucket_start": HOUR, "phase": 1,
    "predictions": 10, "positives": 5, "alerts": 4, "tp": 2, "fp": 1, "tn": 1, "fn": 2, "unresolved": 2,
    "alert_tp": 2, "alert_fp": 1, "alert_unresolved": 1,
    "probability_sum": 4.0, "brier_sum": 1.2, "alert_brier_sum": 0.3, "duration_ms_sum": 25.0, "changes": 8,
    "change_pct_sum": -4.0, "positive_changes": 4, "positive_change_pct_sum": 6.0, "alert_changes": 3,
    "alert_change_pct_sum": 30.0, "last_prediction_at": HOUR + timedelta(minutes=59),
}  # fmt: skip
NOTHING = {"precision": None, "recall": None, "f1": None, "brier": None, "tp": 0, "fp": 0, "tn": 0, "fn": 0}


async def insert(connection: Connection, table: str, **values: Any) -> None:
    columns = ", ".join(values)
    places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    await connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({places})", *values.values())


async def of_model(api: Api, active_id: int = 1, **query: str) -> dict[str, Any]:
    status, body = await api.get(f"/api/models/{active_id}/statistics", params=query)
    assert status == 200, body
    return dict(body)


async def test_statistics_of_a_model_when_outcomes_are_known_then_its_figures_stand_beside_those_of_the_hold_out(
    api: Api, pool: Pool, connection: Connection, tmp_path: Path
):
    active_id = await activate_model(pool, tmp_path, model_id=10)
    promised = {
        "base_rate": 0.1, "brier": 0.08, "roc_auc": 0.8, "holdout_days": 2.0, "alerts_per_day": 12.0,
        "at_alert_threshold": {"tp": 3, "fp": 1, "tn": 5, "fn": 1, "precision": 0.75, "recall": 0.75, "f1": 0.75},
        "calibration_bins": [
            {"lower": 0.0, "upper": 0.5, "rows": 9, "mean_probability": 0.2, "observed_rate": 0.1}
        ],
    }  # fmt: skip
    await connection.execute(
        "UPDATE prediction_active_models SET manifest = jsonb_set(manifest, '{metrics}', $1)", promised
    )
    await insert(connection, "prediction_stats", **PLAIN | {"active_model_id": active_id})
    for bin_, counts in ((4, (3, 1, 0.66)), (19, (2, 2, 1.98))):
        values = dict(zip(("resolved", "positives", "probability_sum"), counts, strict=True))
        await insert(
            connection, "prediction_calibration", active_model_id=active_id, bucket_start=HOUR, bin=bin_, **values
        )
    await insert(
        connection, "prediction_drift", active_model_id=active_id, model_id=10, day=HOUR.date(), rows=1000,
        predictions=1000, score_psi=0.1, features={"volume_sol": 0.3},
    )  # fmt: skip

    found = await of_model(api, active_id)
    total = found["total"]
    assert (found["name"], found["alert_threshold"], found["last_prediction_at"]) == (
        "model 10", 0.7, "2026-03-01T22:59:00Z"
    )  # fmt: skip
    assert total["prediction"] == {
        "tp": 2, "fp": 1, "tn": 1, "fn": 2, "precision": 2 / 3, "recall": 0.5, "f1": 4 / 7,
        "brier": pytest.approx(0.2),
    }  # fmt: skip
    # Of four that came true two were alerts; the one alert that did not is the only false alarm.
    assert total["alert"] == {
        "tp": 2, "fp": 1, "tn": 1, "fn": 2, "precision": 2 / 3, "recall": 0.5, "f1": 4 / 7, "brier": pytest.approx(0.1),
        "unresolved": 1, "pending": 0,
    }  # fmt: skip
    assert (total["pending"], total["resolved"], total["base_rate"]) == (2, 6, 4 / 6)
    assert (total["mean_probability"], total["mean_duration_ms"]) == (0.4, 2.5)
    assert total["change"] == {
        "all": {"count": 8, "mean_pct": -0.5},
        "positives": {"count": 4, "mean_pct": 1.5},
        "alerts": {"count": 3, "mean_pct": 10.0},
    }
    assert found["calibration"] == [
        {"lower": 0.2, "upper": 0.25, "rows": 3, "mean_probability": pytest.approx(0.22), "observed_rate": 1 / 3},
        {"lower": 0.95, "upper": 1.0, "rows": 2, "mean_probability": pytest.approx(0.99), "observed_rate": 1.0},
    ]
    held = found["hold_out"]
    assert (held["brier"], held["average_precision"], held["prediction"]) == (0.08, None, None)
    assert (held["alert"]["precision"], held["calibration"][0]["rows"]) == (0.75, 9)
    assert [(day["day"], day["level"], day["features"]) for day in found["drift"]] == [
        ("2026-03-01", "strong", {"volume_sol": 0.3})
    ]


async def test_statistics_of_a_model_when_a_window_is_asked_for_then_only_its_hours_count(
    api: Api, connection: Connection
):
    for hours, phase in ((0, 1), (0, -1), (1, 2), (3, 1)):
        at = {"bucket_start": HOUR + timedelta(hours=hours), "phase": phase}
        await insert(connection, "prediction_stats", **PLAIN | at)
        if phase != -1:
            await insert(
                connection, "prediction_calibration", active_model_id=1, bucket_start=at["bucket_start"], bin=0,
                resolved=5, positives=0, probability_sum=0.1,
            )  # fmt: skip
    found = await of_model(api)
    assert (found["name"], found["model_id"], found["hold_out"], found["is_active"]) == (None, 10, None, None)
    assert found["total"]["predictions"] == 40
    assert [(day["day"], day["predictions"]) for day in found["by_day"]] == [("2026-03-01", 30), ("2026-03-02", 10)]
    assert [(one["hour"], one["predictions"]) for one in found["by_hour"]] == [
        ("2026-03-01T22:00:00Z", 20), ("2026-03-01T23:00:00Z", 10), ("2026-03-02T01:00:00Z", 10)
    ]  # fmt: skip
    assert [(one["phase"], one["predictions"]) for one in found["by_phase"]] == [(None, 10), (1, 20), (2, 10)]

    # Both bounds lie in the middle of an hour, which counts as a whole.
    part = await of_model(api, date_from="2026-03-01T23:30:00Z", date_to="2026-03-02T01:00:00Z")
    assert (part["total"]["predictions"], part["calibration"][0]["rows"]) == (20, 10)
    assert (part["first_hour"], part["last_hour"]) == ("2026-03-01T23:00:00Z", "2026-03-02T01:00:00Z")
    none = await of_model(api, date_from="2027-01-01T00:00:00Z")
    assert (none["total"]["predictions"], none["by_hour"], none["calibration"], none["first_hour"]) == (0, [], [], None)
    assert (await of_model(api, date_to="0001-01-01T00:00:00Z"))["total"]["predictions"] == 0


async def test_statistics_when_nothing_is_known_then_null_and_not_found_only_without_model_and_predictions(
    api: Api, pool: Pool, tmp_path: Path
):
    active_id = await activate_model(pool, tmp_path)
    found = await of_model(api, active_id)
    assert found["total"]["prediction"] == NOTHING
    assert found["total"]["alert"] == NOTHING | {"unresolved": 0, "pending": 0}
    assert found["total"]["change"]["alerts"] == {"count": 0, "mean_pct": None}
    assert (found["total"]["mean_probability"], found["last_prediction_at"], found["by_day"]) == (None, None, [])
    status, body = await api.get("/api/models/999/statistics")
    assert (status, body["code"]) == (404, "not_found")
    status, body = await api.get(
        f"/api/models/{active_id}/statistics",
        params={"date_from": "2026-03-02T00:00:00Z", "date_to": "2026-03-01T00:00:00Z"},
    )
    assert (status, body["errors"][0]["pointer"]) == (422, "/date_from")
    status, empty = await api.get("/api/stats")
    assert (status, empty["books"]["balanced"], empty["figures"]["base_rate"]) == (200, True, None)


async def test_statistics_of_the_service_when_it_works_then_the_books_balance_at_every_moment(
    api: Api, pool: Pool, connection: Connection
):
    rows = [row(mint, 60 * at, price_close=3e-8 * (1 + 0.05 * at)) for mint in ("a", "b") for at in range(12)]
    await insert_rows(connection, rows)
    made = await predict_every_row(connection, {1: question(), 2: question(direction="down")})
    await set_clock(connection)
    beat = {"beat": "2026-03-01T12:00:00Z", "listener": "listen", "lag_seconds": 0.0, "coins_in_memory": 2}
    for name, said, skipped in (("live-0", made - 10, {"stale": 3}), ("live-4", 10, {"stale": 1, "duplicate": 2})):
        await connection.execute(
            "UPDATE worker_positions SET status = $2, counters = $3, owner = gen_random_uuid() WHERE name = $1",
            name, beat, {"rows": 15, "predictions": said, "skipped": skipped},
        )  # fmt: skip
    await insert(connection, "webhook_endpoints", url="https://example.com", secret="s")
    await insert(
        connection, "webhook_deliveries", endpoint_id=1, webhook_id="msg_1", event_type="prediction.alert", body=b"{}",
        expires_at=HOUR,
    )  # fmt: skip

    async def books() -> tuple[dict[str, Any], dict[str, Any]]:
        status, body = await api.get("/api/stats")
        assert status == 200, body
        return body["books"], body

    expected = {
        "rows": 30, "owed": made + 6, "predictions": made, "skipped": {"duplicate": 2, "stale": 4}, "balanced": True
    }  # fmt: skip
    assert (await books())[0] == expected | {"not_rolled_up": made}
    await settle(pool, Outcomes())
    found, body = await books()
    assert found == expected | {"not_rolled_up": 0}
    assert body["figures"]["resolved"] + body["figures"]["pending"] + body["figures"]["unresolved"] == made
    assert body["figures"]["resolved"] > 0
    assert body["deliveries"] == {"pending": 1}
    assert body["models"] == {"live": 0, "shadow": 0, "inactive": 0, "with_statistics": 2}
    assert [worker["shards"] for worker in body["workers"]] == [[0], [4]]
    assert body["recording_clock"] == body["last_prediction_at"] == "2026-03-01T12:11:00Z"
    count = "UPDATE worker_positions SET counters = counters || $1 WHERE name = 'live-4'"
    await connection.execute(count, {"owed": 14})
    found, _ = await books()
    assert (found["owed"], found["balanced"]) == (made + 7, False)
    await connection.execute(count, {"owed": 13, "predictions": 9})
    assert (await books())[0]["balanced"] is False
    # What is counted already is not counted again by a service that has nothing to do.
    assert not await Outcomes().resolve_due(pool, SETTINGS)
