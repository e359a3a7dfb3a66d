"""The demo keeps away from what the operator has set up."""

import os
from pathlib import Path

import pytest

from prediction_service.settings import PredictionSettings
from pumpcast.demo.story import _environment
from shared.settings import SECRET_FOLDERS, read_settings

OPERATORS = (
    "DB_DSN=postgresql://me:secret@prod/x\nAPI_KEYS=a:read:" + "0" * 64 + "\nN8N_WEBHOOK_URL=https://n8n.example/x\n"
)


def test_environment_when_the_operator_has_settings_then_the_demo_uses_none_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / ".env").write_text(OPERATORS, encoding="utf-8")
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODEL_STORAGE_PATH", "/somewhere/else")
    for name in SECRET_FOLDERS:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "db_dsn").write_text("postgresql://me:secret@prod/x")
        monkeypatch.setenv(name, str(folder))
    with _environment(tmp_path / "home"):
        settings = read_settings(PredictionSettings)
        assert (settings.db_dsn, settings.api_keys, settings.n8n_webhook_url) == ("", (), "")
        assert settings.home == tmp_path / "home"
        assert settings.model_folder("prediction").is_relative_to(tmp_path / "home")
    assert Path.cwd() == tmp_path
    assert os.environ["MODEL_STORAGE_PATH"] == "/somewhere/else"
    assert read_settings(PredictionSettings).db_dsn == "postgresql://me:secret@prod/x"
