"""What can be done with imported models, over HTTP."""

import os
from pathlib import Path

import orjson

from prediction_service.app import build
from prediction_service.usecases import model_files
from shared.db import Connection
from tests.support.database import insert_rows, row
from tests.support.live import settings
from tests.support.predictions import stored_files
from tests.support.serving import Api, api_of
from tests.support.training_stub import TrainingStub


async def test_available_when_models_are_imported_then_only_the_others_are_listed(
    api: Api, training: TrainingStub, tmp_path: Path
):
    training.add(tmp_path, model_id=1)
    for number in range(2, 152):
        training.models[number] = training.models[1] | {"id": number, "name": f"copy {number}"}
    training.models[150]["status"] = "FAILED"
    training.models[151]["is_deleted"] = True
    await api.post("/api/models/import", {"model_id": 1})
    status, body = await api.get("/api/models/available")
    assert status == 200
    assert sorted(model["id"] for model in body["models"]) == list(range(2, 150))
    assert body["total"] == 148
    _, body = await api.get("/api/models/available", params={"include_imported": "true"})
    assert {model["id"]: model["active_model_id"] for model in body["models"]}[1] == 1
    assert body["total"] == 149


async def test_activity_when_switched_then_intervals_tell_from_where_to_where(
    api: Api, training: TrainingStub, tmp_path: Path, connection: Connection
):
    training.add(tmp_path)
    await api.post("/api/models/import", {"model_id": 1})
    await insert_rows(connection, [row("a", second) for second in range(5)])
    assert (await api.post("/api/models/1/deactivate"))[1] == {
        "success": True, "message": "Active model 1 predicts no longer", "active_model_id": 1,
    }  # fmt: skip
    assert (await api.post("/api/models/1/deactivate"))[1]["message"] == "Active model 1 did not predict anyway"
    assert (await api.get("/api/models/active"))[1] == {"models": [], "total": 0}
    _, listed = await api.get("/api/models/active", params={"include_inactive": "true"})
    assert [(model["id"], model["is_active"]) for model in listed["models"]] == [(1, False)]
    await insert_rows(connection, [row("a", 5)])
    assert (await api.post("/api/models/1/activate"))[0] == 200
    assert (await api.post("/api/models/1/activate"))[1]["message"] == "Active model 1 predicts already"
    assert await connection.fetchval("SELECT activation FROM prediction_active_models") == [
        {"from": {"high": 0, "pending": []}, "until": {"high": 5, "pending": []}},
        {"from": {"high": 6, "pending": []}, "until": None},
    ]


async def test_change_of_models_when_committed_then_workers_are_told_and_the_version_rises(
    api: Api, training: TrainingStub, tmp_path: Path, connection: Connection
):
    told: list[str] = []
    await connection.add_listener("prediction_models_changed", lambda *_: told.append("changed"))
    training.add(tmp_path)
    await api.post("/api/models/import", {"model_id": 1})
    await api.post("/api/models/1/deactivate")
    await api.post("/api/models/1/activate")
    await api.call("PATCH", "/api/models/1/rename", json={"name": "mine"})
    await api.call("DELETE", "/api/models/1")
    assert await connection.fetchval("SELECT DISTINCT models_version FROM worker_positions") == 5
    assert told == ["changed"] * 5


async def test_model_when_renamed_then_its_name_changes_and_null_takes_it_back(
    api: Api, training: TrainingStub, tmp_path: Path
):
    training.add(tmp_path)
    await api.post("/api/models/import", {"model_id": 1})
    _, shown = await api.call("PATCH", "/api/models/1/rename", json={"name": "mine"})
    assert (shown["name"], shown["custom_name"], shown["model_name"]) == ("mine", "mine", "model 1")
    _, shown = await api.call("PATCH", "/api/models/1/rename", json={"name": None})
    assert (shown["name"], shown["custom_name"]) == ("model 1", None)


async def test_model_when_deleted_then_row_and_file_go_predictions_stay_and_it_can_come_again(
    api: Api, training: TrainingStub, tmp_path: Path, connection: Connection
):
    training.add(tmp_path)
    await api.post("/api/models/import", {"model_id": 1})
    await connection.execute(
        "INSERT INTO predictions"
        " (active_model_id, model_id, coin_id, data_timestamp, prediction, probability, threshold)"
        " VALUES (1, 1, 'a', now(), 1, 0.9, 0.5)"
    )
    await connection.execute(
        "INSERT INTO prediction_stats (active_model_id, model_id, bucket_start, predictions)"
        " VALUES (1, 1, '2026-03-01Z', 40), (1, 1, '2026-03-02Z', 2), (2, 2, '2026-03-01Z', 7)"
    )
    _, shown = await api.get("/api/models/1")
    assert shown["total_predictions"] == 42
    assert shown["last_prediction_at"] is not None
    status, body = await api.call("DELETE", "/api/models/1")
    assert (status, body["success"], body["active_model_id"]) == (200, True, 1)
    assert stored_files(tmp_path) == []
    assert (await api.get("/api/models/1"))[0] == 404
    assert (await api.get("/api/predictions/1"))[0] == 200
    assert (await api.post("/api/models/import", {"model_id": 1}))[1]["active_model_id"] == 2


async def test_leftovers_when_older_than_any_import_then_the_next_start_removes_them(
    database: str, training: TrainingStub, tmp_path: Path
):
    training.add(tmp_path)
    configured = settings(database, tmp_path, training_service_api_url=training.url)
    async with api_of(build(configured)) as api:
        await api.post("/api/models/import", {"model_id": 1})
    folder = model_files.folder(configured)
    (kept,) = stored_files(tmp_path)
    for name in (kept, ".1-dead.tmp", "9-orphan.zip"):
        (folder / name).touch()
        os.utime(folder / name, (0, 0))
    (folder / ".2-alive.tmp").touch()
    async with api_of(build(configured)):
        assert stored_files(tmp_path) == [".2-alive.tmp", kept]


async def test_settings_file_of_model_when_read_back_then_manifest_is_whole(
    api: Api, training: TrainingStub, tmp_path: Path, connection: Connection
):
    manifest = training.add(tmp_path, phases=(1, 2))
    await api.post("/api/models/import", {"model_id": 1})
    stored = await connection.fetchval("SELECT manifest FROM prediction_active_models")
    assert stored == orjson.loads(manifest.model_dump_json())
    assert (await api.get("/api/models/1"))[1]["phases"] == [1, 2]
