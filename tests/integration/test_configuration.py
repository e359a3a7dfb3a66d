"""How a service says it is set up: every setting, and no secret."""

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from prediction_service.app import build as build_prediction
from prediction_service.settings import PredictionSettings
from shared.contracts.health import Configuration, Setting
from shared.settings import read_settings
from shared.web.configuration import describe, shown
from tests.support.serving import Api, api_of
from training_service.app import build as build_training
from training_service.settings import TrainingSettings

READ, WRITE = "the-key-to-read", "the-key-to-write"
SECRETS = {
    "TRAINING_SERVICE_API_KEY": "hunter2-training",
    "N8N_WEBHOOK_URL": "https://n8n.example.com/webhook/9b1deb4d",
    "ARTIFACT_PUBLIC_KEY": "ab" * 32,
    "ARTIFACT_SIGNING_KEY": "cd" * 32,
    "API_KEYS": ",".join(
        f"{name}:{name}:{hashlib.sha256(key.encode()).hexdigest()}" for name, key in (("read", READ), ("write", WRITE))
    ),
    "TRAINING_SERVICE_API_URL": "http://svc:hunter2-url@127.0.0.1:1/api",
}
NEVER = [*SECRETS.values(), "hunter2", "9b1deb4d", *(entry.split(":")[2] for entry in SECRETS["API_KEYS"].split(","))]


@pytest.fixture
def fully_set(monkeypatch: pytest.MonkeyPatch, tcp_database: str, tmp_path: Path) -> None:
    """Set every secret there is, and some more."""
    monkeypatch.chdir(tmp_path)
    for name, value in {**SECRETS, "DB_DSN": tcp_database, "PUMPCAST_HOME": str(tmp_path / "home")}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("BATCH_SIZE", "77")
    Path(".env").write_text("MAX_CONCURRENT_JOBS=3\nBATCH_SIZE=9\n", encoding="utf-8")


@pytest.fixture(params=["prediction", "training"])
async def service(request: pytest.FixtureRequest, fully_set: None) -> AsyncIterator[tuple[str, Api]]:
    """Give each service as its environment sets it up."""
    if request.param == "prediction":
        app = build_prediction(read_settings(PredictionSettings))
    else:
        app = build_training(read_settings(TrainingSettings))
    async with api_of(app) as api:
        yield request.param, api


async def test_configuration_when_every_secret_is_set_then_none_is_in_the_answer(
    service: tuple[str, Api], tcp_database: str
):
    name, api = service
    assert (await api.get("/api/configuration"))[0] == 401
    headers = {"Authorization": f"Bearer {READ}"}
    status, body = await api.get("/api/configuration", headers=headers)
    assert status == 200
    text = json.dumps(body)
    credentials, _, address = tcp_database.partition("://")[2].partition("@")
    assert [secret for secret in [*NEVER, credentials, credentials.partition(":")[2]] if secret in text] == []
    found = Configuration.model_validate(body)
    kind = PredictionSettings if name == "prediction" else TrainingSettings
    assert {one.name for one in found.settings} == {field.upper() for field in kind.model_fields}
    assert (found.service, all(one.description for one in found.settings)) == (name, True)
    settings = {one.name: one for one in found.settings}
    assert (settings["API_KEYS"].value, settings["API_KEYS"].is_secret, settings["API_KEYS"].is_changed) == (
        "set", True, True
    )  # fmt: skip
    assert str(settings["DB_DSN"].value).endswith(address.partition("?")[0])
    assert settings["LOG_LEVEL"].is_changed is False


def test_settings_when_described_then_they_say_where_they_come_from(fully_set: None):
    training = settings_of(read_settings(TrainingSettings))
    assert (training["MAX_CONCURRENT_JOBS"].value, training["MAX_CONCURRENT_JOBS"].origin) == (3, "file")
    assert (training["JOB_POLL_INTERVAL"].value, training["JOB_POLL_INTERVAL"].origin) == (5, "default")
    batch = settings_of(read_settings(PredictionSettings))["BATCH_SIZE"]
    assert (batch.value, batch.default, batch.origin, batch.is_changed) == (77, 500, "environment", True)


def settings_of(settings: PredictionSettings | TrainingSettings) -> dict[str, Setting]:
    return {one.name: one for one in describe("x", "0", settings).settings}


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("DB_DSN", "", "not set"),
        ("DB_DSN", "postgresql://me:pw@db.lan:5433/coins?sslpassword=pw", "postgresql://db.lan:5433/coins"),
        ("DB_DSN", "postgresql://me@db/coins", "postgresql://db/coins"),
        ("DB_DSN", "postgresql://db/coins", "postgresql://db/coins"),
        # Passwords that are not escaped must not pass for hosts, ports or names.
        ("DB_DSN", "postgresql://me:12/pw@db/coins", "set"),
        ("DB_DSN", "postgresql://me:12/pw?x@db/coins", "set"),
        ("DB_DSN", "postgresql://me:p@w@db/coins", "set"),
        ("DB_DSN", "postgresql://me:12#pw@db/coins", "set"),
        ("DB_DSN", "postgresql:///coins?user=me&password=pw", "set"),
        ("API_KEYS", (), "not set"),
        ("N8N_WEBHOOK_URL", "http://n8n:5678/webhook/x", "set"),
        ("TRAINING_SERVICE_API_URL", "http://10.0.0.7:8001/api", "http://10.0.0.7:8001/api"),
        ("TRAINING_SERVICE_API_URL", "http://[::1]:8001/api", "http://[::1]:8001/api"),
        ("TRAINING_SERVICE_API_URL", "http://me:pw@10.0.0.7/api", "set"),
        ("TRAINING_SERVICE_API_URL", "http://10.0.0.7/api?token=pw", "set"),
        ("WEBHOOK_ALLOWED_HOSTS", ("bot.lan", "http://me:pw@bot"), ["bot.lan", "set"]),
        ("MODEL_STORAGE_PATH", Path("/srv/models"), "/srv/models"),
        ("WEBHOOK_ALLOW_PRIVATE", True, True),
    ],
)
def test_value_when_shown_then_nothing_that_may_be_a_secret_is_in_it(name: str, value: object, expected: object):
    assert shown(name, value) == expected
