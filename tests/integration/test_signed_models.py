"""Signed model files over HTTP: which are taken, which are refused, and that a new demand stops no running model."""

from collections.abc import Callable
from pathlib import Path

import pytest

from prediction_service.app import build
from prediction_service.settings import PredictionSettings
from pumpcast import doctor
from pumpcast.secret import new_pair
from shared.artifact import read_artifact, write_artifact
from shared.db import Connection
from shared.errors import SettingsInvalid
from shared.settings import read_settings
from shared.signature import fingerprint, fingerprint_of_signer
from tests.support import live
from tests.support.database import insert_rows, row
from tests.support.model_files import packed, parts_of
from tests.support.predictions import stored_files
from tests.support.serving import api_of
from tests.support.training_stub import TrainingStub, metadata

PRIVATE, PUBLIC = new_pair()
FOREIGN, FOREIGN_PUBLIC = new_pair()


@pytest.fixture
def asking(database: str, tmp_path: Path, training: TrainingStub) -> Callable[..., PredictionSettings]:
    """Give settings that ask for the signatures of some keys."""
    return lambda *keys: live.settings(
        database, tmp_path, training_service_api_url=training.url, artifact_public_key=keys, polling_interval_seconds=1
    )


def signed(training: TrainingStub, folder: Path, model_id: int, key: str, *, change: bool = False) -> None:
    """Have a model ready whose file is signed; a changed one says something else than what was signed."""
    manifest = training.add(folder, model_id=model_id)
    path = folder / "training" / f"{model_id}.zip"
    onnx = read_artifact(path.read_bytes()).onnx
    digest = write_artifact(path, manifest=manifest, onnx=onnx, signing_key=key)
    content = path.read_bytes()
    if change:
        parts = parts_of(content)
        parts["manifest.json"] = parts["manifest.json"].replace(b'"alert_threshold": 0.7', b'"alert_threshold": 0.1')
        content = packed(list(parts.items()))
        digest = read_artifact(content).sha256
    training.files[model_id] = content
    training.models[model_id] = metadata(manifest, digest)


async def test_import_when_a_key_is_asked_for_then_only_what_it_signed_is_taken_and_the_rest_goes_on(
    asking: Callable[..., PredictionSettings], training: TrainingStub, tmp_path: Path
):
    signed(training, tmp_path, 1, PRIVATE)
    training.add(tmp_path, model_id=2)
    signed(training, tmp_path, 3, FOREIGN)
    signed(training, tmp_path, 4, PRIVATE, change=True)
    async with api_of(build(asking(PUBLIC))) as api:
        assert (await api.post("/api/models/import", {"model_id": 1}))[0] == 200
        for model_id, words in (
            (2, "is not signed, and ARTIFACT_PUBLIC_KEY"),
            (3, "with a key of"),
            (4, "with a key of"),
        ):
            status, problem = await api.post("/api/models/import", {"model_id": model_id})
            assert (status, words in problem["detail"]) == (409, True), problem
        assert len(stored_files(tmp_path)) == 1
        _, active = await api.get("/api/models/active")
        assert [model["model_id"] for model in active["models"]] == [1]
        _, health = await api.get("/api/health")
        assert health["details"]["unsigned_models"] == []


async def test_import_when_the_signing_key_is_replaced_then_both_are_taken_for_a_while(
    asking: Callable[..., PredictionSettings], training: TrainingStub, tmp_path: Path
):
    signed(training, tmp_path, 1, PRIVATE)
    signed(training, tmp_path, 2, FOREIGN)
    async with api_of(build(asking(FOREIGN_PUBLIC, PUBLIC))) as api:
        for model_id in (1, 2):
            assert (await api.post("/api/models/import", {"model_id": model_id}))[0] == 200


async def test_model_when_imported_before_a_key_was_asked_for_then_it_goes_on_and_health_says_so(
    asking: Callable[..., PredictionSettings], training: TrainingStub, tmp_path: Path, connection: Connection,
    database: str,
):  # fmt: skip
    training.add(tmp_path)
    await insert_rows(connection, [row("a", second) for second in range(3)])
    async with api_of(build(asking())) as api:
        await api.post("/api/models/import", {"model_id": 1})
    # Lost as well: what is fetched again is the file that was imported.
    (file,) = (tmp_path / "models" / "prediction").glob("*.zip")
    file.unlink()
    configured = asking(PUBLIC)
    async with api_of(build(configured)) as api, live.running_worker(configured):
        await live.until_live(connection)
        await insert_rows(connection, [row("a", 60)])
        await live.until_predicted(connection, 1)
        _, health = await api.get("/api/health")
        assert health["status"] == "degraded"
        assert "active model 1" in health["last_error"]
        assert health["details"]["unsigned_models"] == [1]
        (check,) = await doctor._signatures(database, configured)
        assert (check.ok, "active model 1" in check.found) == (False, True)
        status, _ = await api.post("/api/predict", {"coin_id": "a"})
        assert status == 200


def test_fingerprint_when_of_either_half_then_it_is_the_same():
    assert fingerprint_of_signer(PRIVATE) == fingerprint(PUBLIC) != fingerprint(FOREIGN_PUBLIC)


def test_public_keys_when_one_of_them_is_none_then_the_start_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ARTIFACT_PUBLIC_KEY", f"{PUBLIC},{FOREIGN_PUBLIC}")
    assert read_settings(PredictionSettings).artifact_public_key == (PUBLIC, FOREIGN_PUBLIC)
    monkeypatch.setenv("ARTIFACT_PUBLIC_KEY", f"{PUBLIC},abc")
    with pytest.raises(SettingsInvalid, match="ARTIFACT_PUBLIC_KEY"):
        read_settings(PredictionSettings)
