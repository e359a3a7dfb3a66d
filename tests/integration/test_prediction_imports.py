"""Importing models over HTTP: what is taken, what is refused, and that nothing stays of what failed."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import pytest

from prediction_service.app import build
from shared.db import Connection
from tests.support.database import insert_rows, row
from tests.support.live import settings
from tests.support.predictions import stored_files
from tests.support.serving import Api, api_of
from tests.support.training_stub import TrainingStub


async def test_model_when_imported_then_it_is_active_from_now_on_and_its_file_is_here(
    api: Api, training: TrainingStub, tmp_path: Path, connection: Connection
):
    await insert_rows(connection, [row("a", second) for second in range(3)])
    training.add(tmp_path, model_id=7, decision_threshold=0.4, alert_threshold=0.8)
    status, body = await api.post("/api/models/import", {"model_id": 7})
    assert status == 200
    path = tmp_path / "models" / "prediction" / f"7-{training.models[7]['model_file_sha256'][:16]}.zip"
    assert body == {"active_model_id": 1, "model_id": 7, "model_name": "model 7", "local_path": str(path)}
    assert path.read_bytes() == training.files[7]
    assert stored_files(tmp_path) == [path.name]
    assert set(training.keys) == {"Bearer secret"}
    status, shown = await api.get("/api/models/1")
    assert status == 200
    assert shown["is_active"]
    assert shown["name"] == "model 7"
    assert (shown["decision_threshold"], shown["alert_threshold"]) == (0.4, 0.8)
    assert (shown["target_variable"], shown["future_minutes"], shown["target_direction"]) == ("price_close", 10, "up")
    assert (shown["send_modes"], shown["total_predictions"], shown["last_prediction_at"]) == (["alerts_only"], 0, None)
    activation = await connection.fetchval("SELECT activation FROM prediction_active_models")
    assert activation == [{"from": {"high": 3, "pending": []}, "until": None}]


async def test_default_alert_threshold_when_set_then_imports_take_it(
    database: str, training: TrainingStub, tmp_path: Path
):
    training.add(tmp_path)
    configured = settings(database, tmp_path, training_service_api_url=training.url, default_alert_threshold=0.95)
    async with api_of(build(configured)) as api:
        await api.post("/api/models/import", {"model_id": 1})
        _, shown = await api.get("/api/models/1")
    assert shown["alert_threshold"] == 0.95


async def test_import_when_done_already_then_409_names_the_active_model(
    api: Api, training: TrainingStub, tmp_path: Path
):
    training.add(tmp_path)
    await api.post("/api/models/import", {"model_id": 1})
    status, problem = await api.post("/api/models/import", {"model_id": 1})
    assert (status, problem["code"]) == (409, "conflict")
    assert "active model 1" in problem["detail"]


async def test_imports_when_many_at_once_then_exactly_one_wins(
    api: Api, training: TrainingStub, tmp_path: Path, connection: Connection
):
    training.add(tmp_path)
    answers = await asyncio.gather(*(api.post("/api/models/import", {"model_id": 1}) for _ in range(8)))
    assert sorted(status for status, _ in answers) == [200] + [409] * 7
    assert await connection.fetchval("SELECT count(*) FROM prediction_active_models") == 1
    (file,) = stored_files(tmp_path)
    content = (tmp_path / "models" / "prediction" / file).read_bytes()
    assert hashlib.sha256(content).hexdigest() == training.models[1]["model_file_sha256"]


async def refused(api: Api, connection: Connection, home: Path, *, model_id: int = 1) -> tuple[int, str]:
    """Try an import that must fail; nothing of it may stay."""
    status, problem = await api.post("/api/models/import", {"model_id": model_id})
    assert await connection.fetchval("SELECT count(*) FROM prediction_active_models") == 0
    assert stored_files(home) == []
    return status, problem["detail"]


async def test_import_when_model_is_unknown_deleted_or_not_ready_then_404_or_409(
    api: Api, training: TrainingStub, tmp_path: Path, connection: Connection
):
    assert await refused(api, connection, tmp_path) == (404, "The training service has no model 1")
    training.add(tmp_path)
    training.models[1]["is_deleted"] = True
    status, detail = await refused(api, connection, tmp_path)
    assert (status, "deleted" in detail) == (409, True)
    training.models[1] |= {"is_deleted": False, "status": "FAILED"}
    status, detail = await refused(api, connection, tmp_path)
    assert (status, "FAILED" in detail) == (409, True)


@pytest.mark.parametrize(
    ("fault", "status", "words"),
    [
        ({"fail_with": 500}, 502, "answered 500"),
        ({"fail_with": 401}, 502, "TRAINING_SERVICE_API_KEY"),
        ({"garbage": b"<html>"}, 502, "something else"),
        ({"garbage": b"[]"}, 502, "something else"),
        ({"garbage": b'{"id": 1}'}, 502, "something else"),
    ],
)
async def test_import_when_training_service_misbehaves_then_502_says_so(
    api: Api,
    training: TrainingStub,
    tmp_path: Path,
    connection: Connection,
    fault: dict[str, Any],
    status: int,
    words: str,
):
    training.add(tmp_path)
    for name, value in fault.items():
        setattr(training, name, value)
    found, detail = await refused(api, connection, tmp_path)
    assert found == status
    assert words in detail
    assert str(tmp_path) not in detail


async def test_training_service_when_unreachable_then_502_says_so(
    database: str, tmp_path: Path, connection: Connection
):
    configured = settings(database, tmp_path, training_service_api_url="http://127.0.0.1:9/api")
    async with api_of(build(configured)) as api:
        status, detail = await refused(api, connection, tmp_path)
        assert (status, "TRAINING_SERVICE_API_URL" in detail) == (502, True)
        status, problem = await api.get("/api/models/available")
        assert (status, problem["code"]) == (502, "upstream_failed")


async def test_model_store_when_it_cannot_be_written_then_503_says_so(
    api: Api, training: TrainingStub, tmp_path: Path, connection: Connection
):
    training.add(tmp_path)
    folder = tmp_path / "models" / "prediction"
    folder.rmdir()
    folder.touch()
    status, problem = await api.post("/api/models/import", {"model_id": 1})
    assert (status, problem["detail"]) == (503, "The model store cannot be written: File exists")
    assert await connection.fetchval("SELECT count(*) FROM prediction_active_models") == 0


async def test_metadata_when_it_cannot_be_stored_then_502_and_nothing_stays(
    api: Api, training: TrainingStub, tmp_path: Path, connection: Connection
):
    training.add(tmp_path)
    training.models[1]["name"] = "nul \x00 inside"
    status, detail = await refused(api, connection, tmp_path)
    assert (status, "what no model can be" in detail) == (502, True)


async def test_import_when_coin_metrics_lacks_a_column_then_409_names_it(
    api: Api, training: TrainingStub, tmp_path: Path, connection: Connection
):
    await connection.execute("ALTER TABLE coin_metrics DROP COLUMN buy_volume_sol, DROP COLUMN unique_wallets")
    training.add(tmp_path)
    status, detail = await refused(api, connection, tmp_path)
    assert status == 409
    assert "lacks: buy_volume_sol;" in detail


async def test_import_when_coin_metrics_does_not_exist_yet_then_it_succeeds(
    api: Api, training: TrainingStub, tmp_path: Path, connection: Connection
):
    await connection.execute("DROP TABLE coin_metrics")
    training.add(tmp_path)
    assert (await api.post("/api/models/import", {"model_id": 1}))[0] == 200
    activation = await connection.fetchval("SELECT activation FROM prediction_active_models")
    assert activation == [{"from": {"high": 0, "pending": []}, "until": None}]
