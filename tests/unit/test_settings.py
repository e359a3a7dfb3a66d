"""Settings: all of them are in .env.example with their defaults, and a wrong one is told in one line."""

import os
import re
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from prediction_service.settings import PredictionSettings
from shared.errors import SettingsInvalid
from shared.settings import ServiceSettings, read_settings
from shared.web.keys import parse_keys
from streamlit_ui.settings import AppSettings
from training_service.settings import TrainingSettings

ROOT = Path(__file__).resolve().parents[2]


def shown(value: object) -> str:
    if value is None or value == ():
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def test_env_example_when_compared_with_the_settings_then_it_has_each_with_its_default():
    listed = dict(re.findall(r"(?m)^#?([A-Z][A-Z0-9_]+)=(.*)$", (ROOT / ".env.example").read_text(encoding="utf-8")))
    # Of a setting that the app shares with the services, theirs is the description.
    fields = {**AppSettings.model_fields, **TrainingSettings.model_fields, **PredictionSettings.model_fields}
    expected = {name.upper(): shown(field.default) for name, field in fields.items()}
    expected["PUMPCAST_HOME"] = "./var"
    assert listed == expected


def test_env_example_when_compared_with_the_settings_then_it_tells_what_each_means():
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    fields = {**AppSettings.model_fields, **TrainingSettings.model_fields, **PredictionSettings.model_fields}
    for field in fields.values():
        assert field.description
        assert f"# {field.description}" in text


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("TRAINING_API_PORT", "99999", "less than or equal to 65535"),
        ("LOG_FORMAT", "xml", "'json' or 'text'"),
        ("JOB_POLL_INTERVAL", "soon", "valid number"),
        ("MAX_CONCURRENT_JOBS", "0", "greater than or equal to 1"),
    ],
)
def test_settings_when_a_value_is_wrong_then_variable_value_and_what_is_allowed_are_told(
    name: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsInvalid, match=told) as caught:
        read_settings(TrainingSettings)
    assert f"{name}='{value}'" in caught.value.message


@pytest.mark.parametrize(
    ("kind", "name", "allowed"),
    [
        (TrainingSettings, "DB_DSN", "postgres"),
        (TrainingSettings, "ARTIFACT_SIGNING_KEY", "[0-9a-fA-F]{64}"),
        (PredictionSettings, "ARTIFACT_PUBLIC_KEY", "[0-9a-fA-F]{64}"),
        (PredictionSettings, "N8N_WEBHOOK_URL", "https?://"),
    ],
)
def test_settings_when_a_secret_is_refused_then_it_is_not_shown(
    kind: type[ServiceSettings], name: str, allowed: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(name, "mysql://user:hunter2@db")
    with pytest.raises(SettingsInvalid) as caught:
        read_settings(kind)
    told = "".join(traceback.format_exception(caught.value))
    assert "hunter2" not in told
    assert f"{name}=… is not allowed" in caught.value.message
    assert allowed in caught.value.message


def test_keys_when_an_entry_is_refused_then_its_secret_is_not_shown():
    with pytest.raises(SettingsInvalid, match=r"entry 1 of API_KEYS .* name:scope:sha256hex") as caught:
        parse_keys(("hunter2",))
    assert "hunter2" not in caught.value.message


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("PREDICTION_API_PORT", ["-m", "prediction_service.app"]),
        ("STREAMLIT_PORT", ["-c", "from streamlit_ui.serve import main; main()"]),
    ],
)
def test_a_program_when_a_setting_is_wrong_then_it_ends_with_one_line_and_code_2(
    name: str, command: list[str], tmp_path: Path
):
    environment = {**os.environ, name: "none", "PUMPCAST_HOME": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, *command],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    assert len(ended.stderr.strip().splitlines()) == 1
    assert f"{name}='none'" in ended.stderr


def test_settings_when_a_folder_holds_them_then_they_are_read_and_the_environment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    first, second = (f"{name}:read:{'a' * 64}" for name in ("one", "two"))
    (tmp_path / "api_keys").write_text(f"{first}\n{second}\n")
    (tmp_path / "artifact_signing_key").write_text("b" * 64 + "\n")
    (tmp_path / "log_level").write_text("DEBUG")
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("LOG_LEVEL", "WARNING")
    found = read_settings(TrainingSettings)
    assert found.api_keys == (first, second)
    assert found.artifact_signing_key == "b" * 64
    assert found.log_level == "WARNING"


def test_settings_when_their_folder_is_missing_then_that_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path / "none"))
    with pytest.raises(SettingsInvalid, match=r"SECRETS_DIR=.* there is no such folder"):
        read_settings(TrainingSettings)
