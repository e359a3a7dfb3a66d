"""Every service of docker-compose.yml as a process: its image's user, a root that is read-only, its own secrets."""

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.containers import Running, possible
from tests.support.database import row
from tests.support.images import container
from tests.support.stack import Stack, stack
from tests.support.training import MINUTES, body, learnable_rows

pytestmark = [
    pytest.mark.skipif(not possible(), reason="needs root, and a machine that allows namespaces"),
    pytest.mark.slow,
]

TRAINING = "http://training-api:8001"
PREDICTION = "http://prediction-api:8000"
WORKERS = ("http://training-worker:9101", "http://prediction-worker:9100")
SERVING = ("training-api", "training-worker", "prediction-api", "prediction-worker", "ui")
PATIENCE = 180


def until(what: Callable[[], Any], told: Callable[[], str]) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := what()):
        assert time.monotonic() < deadline, told()
        time.sleep(0.2)
    return found


def insert(made: Stack, rows: list[dict[str, Any]]) -> None:
    values = ", ".join(f"%({name})s" for name in rows[0])
    made.sql(f"INSERT INTO coin_metrics ({', '.join(rows[0])}) VALUES ({values})", rows)


def start(made: Stack) -> dict[str, Running]:
    """Start everything in the order of depends_on."""
    said = made.host.run("keys", made.container("keys"))
    made.key = next(line.split(": ")[1] for line in said.splitlines() if line.startswith("operator's key"))
    # A second start keeps every secret, and the key is not shown again.
    assert made.key not in made.host.run("keys", made.container("keys"))
    found = {"postgres": made.start("postgres")}
    found["postgres"].until_healthy()
    for name in ("simulated-tables", "migrate"):
        made.host.run(name, made.container(name))
    found |= {name: made.start(name) for name in SERVING}
    for name in SERVING:
        found[name].until_healthy()
    return found


def train_and_predict(made: Stack) -> None:
    insert(made, learnable_rows())
    status, created = made.ask("POST", f"{TRAINING}/api/models/create", body())
    assert status == 201, created

    def job() -> Any:
        return made.ask("GET", f"{TRAINING}/api/queue/{created['job_id']}")[1]

    until(lambda: job()["status"] in {"COMPLETED", "FAILED"}, lambda: str(job()))
    status, imported = made.ask("POST", f"{PREDICTION}/api/models/import", {"model_id": job()["result_model_id"]})
    assert status == 200, imported
    status, answer = made.ask("POST", f"{PREDICTION}/api/predict", {"coin_id": "coin000"})
    assert status == 200, answer
    assert 0 <= answer["predictions"][0]["probability"] <= 1
    later = iter(range(1, 1000))

    def live() -> int:
        insert(made, [row("coin000", 60 * MINUTES + next(later))])
        return int(made.sql("SELECT count(*) FROM predictions")[0][0])

    until(live, lambda: "no row is predicted live")


def check_doors(made: Stack, found: dict[str, Running]) -> None:
    token = made.secret("prometheus", "token")
    for address in (TRAINING, PREDICTION, *WORKERS):
        status, text = made.ask("GET", f"{address}/metrics", key=token)
        assert (status, "ml_" in text) == (200, True), address
        assert made.ask("GET", f"{address}/metrics", key="none")[0] == 401, address
    assert made.ask("GET", f"{TRAINING}/api/models", key="none")[0] == 401
    assert made.host.ask("GET", "http://ui:8501/")[0] == 200
    for name in SERVING:
        inside = found[name].inside(
            "bash", "-c",
            'for place in / /opt/venv /etc "$HOME" /run/secrets/pumpcast; do touch $place/new && echo $place; done; '
            "id -u; grep CapBnd /proc/self/status",
        )  # fmt: skip
        assert inside.stdout.split() == ["/tmp", "10001", "CapBnd:", "0000000000000000"], name


def use_tools(made: Stack) -> None:
    """Run verbs of the tools, as `docker compose run` does; each ends well."""
    tools = made.container("tools")
    said = made.host.run("tools", replace(tools, command=("pumpcast", "backup", "/backups/whole.tar", "--json")))
    assert '"file"' in said
    assert (made.host.volumes["backups"] / "whole.tar").stat().st_size > 0
    doctor = made.host.start("tools", replace(tools, command=("pumpcast", "doctor", "--json")))
    doctor.process.wait(PATIENCE)
    checks = {check["part"]: check for check in json.loads(doctor.said())["checks"]}
    assert checks["prediction API"]["found"].startswith(f"lives at {PREDICTION}/api")
    # The image lacks the libraries of both, and does not look at them then; the environment of the tests has them.
    assert {part for part, check in checks.items() if not check["ok"]} <= {"app", "package ppo_v1"}, doctor.said()


def check_supervisor(made: Stack) -> None:
    """The API and the app in one container: what ends is started again, and SIGTERM ends both.

    Secrets are handed over as systemd does.
    """
    service = {**made.services["training-api"], "build": {"target": "supervisor-training"}}
    del service["command"]
    addresses = {"API_BASE_URL": f"{PREDICTION}/api", "TRAINING_SERVICE_API_URL": f"{TRAINING}/api"}
    service["environment"] = {**service["environment"], **addresses}
    service["environment"]["CREDENTIALS_DIRECTORY"] = service["environment"].pop("SECRETS_DIR")
    made_of = container(service, made.images["supervisor-training"])
    together = made.host.start("supervisor", made_of)
    together.until_healthy()
    first = children(together)
    assert len(first) == 3
    (api,) = [one for one in first if one.cmdline()[-1].endswith("/training-api")]
    api.kill()
    until(
        lambda: api.pid not in {one.pid for one in children(together)} and len(children(together)) == 3, together.said
    )
    together.until_healthy()
    last = children(together)
    assert together.stop() == 0, together.said()
    assert not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in last)
    # What both say goes to the output of the container.
    assert '"service": "training-api"' in together.said()
    ended = made.host.start("supervisor", made_of.given(PUMPCAST_API="false"))
    until(lambda: ended.process.poll() is not None, ended.said)
    assert "cannot be started, the container ends: processname:fastapi" in ended.said()


def children(running: Running) -> list[psutil.Process]:
    return psutil.Process(running.process.pid).children()


@pytest.mark.timeout(600)
def test_stack_when_started_as_compose_says_then_it_trains_predicts_is_scraped_and_stops(tmp_path: Path):
    with stack(tmp_path) as made:
        found = start(made)
        train_and_predict(made)
        check_doors(made, found)
        use_tools(made)
        assert found["training-api"].stop() == 0, found["training-api"].said()
        # Streamlit ends in order, and then by the signal that it was sent.
        assert found["ui"].stop() in {0, -signal.SIGTERM}, found["ui"].said()
        check_supervisor(made)
        rest = [found[name] for name in ("prediction-worker", "prediction-api", "training-worker")]
        for running in rest:
            os.kill(running.process.pid, signal.SIGTERM)
        codes = {running.name: running.process.wait(PATIENCE) for running in rest}
        assert set(codes.values()) == {0}, codes
        assert found["postgres"].stop(signal.SIGINT) == 0
        open_door = replace(made.container("training-api"), environment=made.images["training"].environment, volumes=())
        refused = made.host.start("training-api", open_door)
        assert refused.process.wait(PATIENCE) == 2
        assert "is not allowed without API_KEYS" in refused.said()
