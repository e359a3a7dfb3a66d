"""Asking for predictions over HTTP."""

from pathlib import Path

import pytest

from shared.db import Connection, Pool
from tests.support.database import insert_rows, row
from tests.support.live import offline_probabilities
from tests.support.models import FEATURES, activate_model
from tests.support.predictions import at, rising
from tests.support.serving import Api
from tests.support.training_stub import TrainingStub


async def test_predict_when_asked_then_answers_are_those_computed_offline_and_nothing_is_stored(
    api: Api, pool: Pool, connection: Connection, tmp_path: Path
):
    await insert_rows(connection, rising("a", 30))
    await activate_model(pool, tmp_path, model_id=5, column=1, scale=0.1, decision_threshold=0.8, alert_threshold=0.7)
    await activate_model(pool, tmp_path, model_id=6, column=2, scale=0.3, phases=(99,))
    status, body = await api.post("/api/predict", {"coin_id": "a"})
    assert status == 200
    assert (body["coin_id"], body["timestamp"], body["total_models"]) == ("a", "2026-03-01T12:29:00Z", 2)
    for answer, (column, scale) in zip(body["predictions"], ((1, 0.1), (2, 0.3)), strict=True):
        expected = await offline_probabilities(connection, "a", FEATURES, column=column, scale=scale)
        assert answer["probability"] == pytest.approx(expected[at(29 * 60)], abs=2e-6)
    first = body["predictions"][0]
    assert first == {
        "model_id": 5, "active_model_id": 1, "model_name": "model 5", "prediction": 0,
        "probability": first["probability"], "threshold": 0.8, "is_alert": True,
    }  # fmt: skip
    assert 0.7 <= first["probability"] < 0.8
    assert await connection.fetchval("SELECT count(*) FROM predictions") == 0


async def test_predict_when_asked_as_of_then_no_later_row_counts(
    api: Api, pool: Pool, connection: Connection, tmp_path: Path
):
    await insert_rows(connection, rising("a", 30))
    await activate_model(pool, tmp_path, column=1, scale=0.1)
    expected = await offline_probabilities(connection, "a", FEATURES, column=1, scale=0.1)
    for moment, used in (
        ("2026-03-01T12:10:00Z", 600),
        ("2026-03-01T13:10:30.5+01:00", 600),
        ("2026-03-01T12:00:00Z", 0),
    ):
        status, body = await api.post("/api/predict", {"coin_id": "a", "timestamp": moment})
        assert status == 200
        assert body["predictions"][0]["probability"] == pytest.approx(expected[at(used)], abs=2e-6)
    status, problem = await api.post("/api/predict", {"coin_id": "a", "timestamp": "2026-03-01T11:59:59Z"})
    assert (status, problem["code"]) == (404, "not_found")


async def test_predict_when_one_row_lies_in_a_wrong_time_zone_then_it_is_not_the_newest(
    api: Api, pool: Pool, connection: Connection, tmp_path: Path
):
    for mint in ("a", "b", "c"):
        await insert_rows(connection, rising(mint, 30))
    await insert_rows(connection, [row("a", 400 * 86400.0)])
    await activate_model(pool, tmp_path)
    assert (await api.post("/api/predict", {"coin_id": "a"}))[1]["timestamp"] == "2026-03-01T12:29:00Z"


async def test_predict_when_models_are_named_then_those_answer_active_or_not_and_unknown_ones_are_404(
    api: Api, pool: Pool, connection: Connection, tmp_path: Path
):
    await insert_rows(connection, rising("a", 3))
    await activate_model(pool, tmp_path, model_id=5)
    await activate_model(pool, tmp_path, model_id=6)
    await api.post("/api/models/2/deactivate")
    assert (await api.post("/api/predict", {"coin_id": "a"}))[1]["total_models"] == 1
    _, body = await api.post("/api/predict", {"coin_id": "a", "model_ids": [6, 6]})
    assert [one["model_id"] for one in body["predictions"]] == [6]
    status, problem = await api.post("/api/predict", {"coin_id": "a", "model_ids": [5, 77, 78]})
    assert (status, "model 77, 78" in problem["detail"]) == (404, True)


async def test_predict_when_no_model_is_active_then_no_answer_but_a_known_coin(api: Api, connection: Connection):
    await insert_rows(connection, rising("a", 3))
    status, body = await api.post("/api/predict", {"coin_id": "a"})
    assert (status, body["predictions"], body["total_models"]) == (200, [], 0)


async def test_predict_when_coin_or_table_is_unknown_then_404(
    api: Api, pool: Pool, connection: Connection, tmp_path: Path
):
    await activate_model(pool, tmp_path)
    status, problem = await api.post("/api/predict", {"coin_id": "nobody"})
    assert (status, "nobody" in problem["detail"]) == (404, True)
    await connection.execute("DROP TABLE coin_metrics")
    status, problem = await api.post("/api/predict", {"coin_id": "a"})
    assert (status, "does not exist yet" in problem["detail"]) == (404, True)


@pytest.mark.parametrize("damage", ["missing", "cut short", "other bytes"])
async def test_model_file_when_lost_or_damaged_then_it_is_fetched_again_though_deleted_there(
    api: Api, pool: Pool, connection: Connection, tmp_path: Path, training: TrainingStub, damage: str
):
    await insert_rows(connection, rising("a", 3))
    await activate_model(pool, tmp_path, model_id=5)
    path = tmp_path / "models" / "prediction" / "5.zip"
    good = path.read_bytes()
    training.files[5] = good
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(good[:-10] if damage == "cut short" else b"x" * len(good))
    status, _ = await api.post("/api/predict", {"coin_id": "a"})
    assert status == 200
    assert path.read_bytes() == good


async def test_model_file_when_lost_and_the_training_service_is_gone_then_a_sentence_says_both(
    api: Api, pool: Pool, connection: Connection, tmp_path: Path, training: TrainingStub
):
    await insert_rows(connection, rising("a", 3))
    active_id = await activate_model(pool, tmp_path, model_id=5)
    path = tmp_path / "models" / "prediction" / "5.zip"
    good = path.read_bytes()
    path.unlink()
    training.fail_with = 500
    status, problem = await api.post("/api/predict", {"coin_id": "a"})
    assert status == 502
    assert f"active model {active_id} is missing or damaged" in problem["detail"]
    assert "answered 500" in problem["detail"]
    training.fail_with, training.files[5] = None, good
    assert (await api.post("/api/predict", {"coin_id": "a"}))[0] == 200
