"""`pumpcast up` as a user starts and stops it; each test has a home and ports of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

pytestmark = pytest.mark.slow

PROGRAM = [sys.executable, "-c", "from pumpcast.cli import main; main()"]
ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120


@pytest.fixture
def home(folder: Path) -> Path:
    return folder


@pytest.fixture
def database_made(made_home: Path, home: Path) -> None:
    """Have the database of the home made already, as on every day but the first."""
    subprocess.run(["cp", "-a", str(made_home / "postgres"), str(home)], check=True)


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    names = (
        "TRAINING_API_PORT", "PREDICTION_API_PORT", "STREAMLIT_PORT", "TRAINING_METRICS_PORT",
        "PREDICTION_METRICS_PORT",
    )  # fmt: skip
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in names]
    ports = {name: str(one.getsockname()[1]) for name, one in zip(names, sockets, strict=True)}
    for one in sockets:
        one.close()
    kept = {name: value for name, value in os.environ.items() if name not in {"DB_DSN", "API_KEYS", "LOG_LEVEL"}}
    return {**kept, **ports, "PUMPCAST_HOME": str(home), "PYTHONPATH": str(ROOT)}


@pytest.fixture
def start(environment: dict[str, str], home: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: str, **changed: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*PROGRAM, "up", "--json", *(arguments or ("--no-app",))], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env={**environment, **changed}, cwd=home,
        )  # fmt: skip
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)
        for pipe in (process.stdout, process.stderr):
            pipe.close()
    # Whatever a failed test left behind in this home, and nothing else.
    for left in family(home):
        left.kill()


def family(home: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get("PUMPCAST_HOME", "").startswith(str(home)):
                found.append(process)
        except psutil.Error:
            continue
    return found


def one_of(home: Path, module: str) -> psutil.Process | None:
    return next((p for p in family(home) if any(f"from {module} import" in part for part in p.cmdline())), None)


def wait_for(look: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)
    return found


def ready(process: subprocess.Popen[str]) -> dict[str, str]:
    line = process.stdout.readline()
    assert line, process.stderr.read()
    return json.loads(line)


def answers(api: str) -> int:
    with urllib.request.urlopen(f"{api}/health/ready", timeout=10) as answer:
        return answer.status


def stopped(process: subprocess.Popen[str], home: Path, number: int = signal.SIGTERM) -> str:
    process.send_signal(number)
    errors = process.stderr.read()
    assert process.wait(PATIENCE) == 0, errors
    assert family(home) == []
    return errors


def test_up_when_ready_then_both_apis_answer_a_second_one_is_refused_and_ctrl_c_leaves_nothing(start, home: Path):
    process = start()
    addresses = ready(process)
    assert answers(addresses["training_api"]) == answers(addresses["prediction_api"]) == 200
    logs = {path.stem for path in Path(addresses["logs"]).iterdir()}
    assert {"training-api", "training-worker", "prediction-api", "prediction-worker", "supervisord"} == logs
    assert addresses["app"] is None
    second = start()
    assert second.wait(PATIENCE) == 1
    assert f"already up in {home} (process {process.pid})" in second.stderr.read()
    errors = stopped(process, home, signal.SIGINT)
    assert errors.splitlines()[-1] == "Stopped"
    assert "Traceback" not in errors


@pytest.mark.usefixtures("database_made")
def test_up_when_simulating_and_a_program_is_killed_then_rows_keep_coming_and_it_is_started_again(
    start, environment: dict[str, str], home: Path
):
    process = start("--simulate", "--no-app")
    ready(process)

    def rows(table: str = "coin_metrics") -> int:
        outcome = subprocess.run(
            [*PROGRAM, "psql", "-Atc", f"SELECT count(*) FROM {table}"], env=environment, capture_output=True,
            text=True, check=True, cwd=home,
        )  # fmt: skip
        return int(outcome.stdout)

    before = rows()
    assert before > 10_000
    first = wait_for(lambda: one_of(home, "training_service.worker"))
    first.kill()
    first.wait(10)
    second = wait_for(lambda: one_of(home, "training_service.worker"))
    assert second.pid != first.pid
    wait_for(lambda: rows() > before)
    wait_for(lambda: rows("candles") >= 1600)
    assert "training-worker ended and is started again" in stopped(process, home)


@pytest.mark.usefixtures("database_made")
def test_up_when_with_the_app_then_it_asks_the_apis_where_they_are_and_ends_with_them(
    start, environment: dict[str, str], home: Path
):
    process = start("--app")
    addresses = ready(process)
    assert next(iter(addresses)) == "app"
    assert addresses["app"] == f"http://127.0.0.1:{environment['STREAMLIT_PORT']}"
    with urllib.request.urlopen(addresses["app"], timeout=10) as answer:
        assert b"<title>" in answer.read()
    (app,) = (found for found in family(home) if "streamlit" in found.cmdline())
    told = app.environ()
    assert told["API_BASE_URL"] == addresses["prediction_api"]
    assert told["TRAINING_SERVICE_API_URL"] == addresses["training_api"]
    doctor = subprocess.run(
        [*PROGRAM, "doctor", "--json"], env=environment, capture_output=True, text=True, check=True, cwd=home
    )
    (check,) = (check for check in json.loads(doctor.stdout)["checks"] if check["part"] == "app")
    assert check["found"] == f"answers at {addresses['app']}"
    assert "Traceback" not in stopped(process, home)


@pytest.mark.parametrize("setting", ["TRAINING_API_PORT", "PREDICTION_API_PORT", "STREAMLIT_PORT"])
def test_up_when_a_port_is_taken_then_exit_1_before_anything_starts(start, environment, home: Path, setting: str):
    with socket.create_server(("127.0.0.1", int(environment[setting]))):
        process = start("--app")
        assert process.wait(PATIENCE) == 1
    errors = process.stderr.read()
    assert f"Port {environment[setting]}" in errors
    assert setting in errors
    assert not (home / "postgres").exists()


def test_up_when_the_app_is_not_installed_then_goes_on_and_says_how_to_have_it(start, environment, home: Path):
    (home / "sitecustomize.py").write_text("import sys; sys.modules['streamlit'] = None")
    with socket.create_server(("127.0.0.1", int(environment["TRAINING_API_PORT"]))):
        process = start("--app", PYTHONPATH=f"{home}:{ROOT}")
        assert process.wait(PATIENCE) == 1
    first, second = process.stderr.read().splitlines()
    assert first == "Without the app, which is not installed: pip install 'pumpcast[ui]'"
    assert "TRAINING_API_PORT" in second


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"TRAINING_API_PORT": "8123", "PREDICTION_API_PORT": "8123"}, "are both set to port 8123: change PREDICTION"),
        ({"TRAINING_API_PORT": "8123", "STREAMLIT_PORT": "8123"}, "are both set to port 8123: change STREAMLIT_PORT"),
        ({"UI_LANGUAGE": "fr"}, "UI_LANGUAGE='fr'"),
        ({"BIND_HOST": "0.0.0.0"}, "API_KEYS"),
        ({"MAX_CONCURRENT_JOBS": "many"}, "MAX_CONCURRENT_JOBS='many'"),
    ],
)
def test_up_when_settings_cannot_work_then_exit_2_names_them(start, changed: dict[str, str], sentence: str):
    process = start("--app", **changed)
    assert process.wait(PATIENCE) == 2
    errors = process.stderr.read()
    assert sentence in errors
    assert len(errors.splitlines()) == 1


@pytest.mark.usefixtures("database_made")
def test_up_when_a_program_cannot_start_then_exit_1_gives_its_last_words(start, home: Path):
    process = start(MODEL_STORAGE_PATH="/dev/null")
    assert process.wait(PATIENCE) == 1
    errors = process.stderr.read()
    assert "does not start, its last words" in errors
    assert family(home) == []


@pytest.mark.usefixtures("database_made")
def test_up_when_the_last_one_was_killed_then_takes_over(start, home: Path):
    first = start()
    ready(first)
    first.kill()
    first.wait(10)
    assert one_of(home, "training_service.app") is not None
    second = start()
    addresses = ready(second)
    assert answers(addresses["training_api"]) == 200
    stopped(second, home)


@pytest.mark.usefixtures("database_made")
def test_up_when_supervisord_is_killed_then_exit_1_and_nothing_goes_on(start, home: Path):
    process = start()
    ready(process)
    pid = int((home / "supervisord.pid").read_text())
    psutil.Process(pid).kill()
    assert process.wait(PATIENCE) == 1
    assert "supervisord ended" in process.stderr.read()
    assert family(home) == []
