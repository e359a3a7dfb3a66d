"""The short form of `make soak`: everything restarted under load, then kills; the books balance to the row."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SEED = 3
STOP_SECONDS = 30
# A machine that does much else takes ten times as long as a quiet one.
PATIENCE_SECONDS = 900

pytestmark = [pytest.mark.slow, pytest.mark.timeout(PATIENCE_SECONDS)]


@pytest.fixture(scope="module")
def soaked() -> dict[str, Any]:
    """Run it as a process of its own, and give what it tells."""
    command = [sys.executable, "-m", "tests.support.soak", "--short", "--json", "--seed", str(SEED)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            out, errors = process.communicate()
        except BaseException:
            # Killed, it would leave its stack behind; told, it ends with it.
            process.terminate()
            raise
    assert out.startswith("{"), errors[-3000:]
    found: dict[str, Any] = json.loads(out)
    return found


def test_rolling_restart_and_kills_under_load_lose_nothing_double_nothing_and_leave_nothing(soaked: dict[str, Any]):
    assert soaked["faults"] == []
    books = soaked["books"]
    # There was something to lose: rows of every kind, jobs, messages that were taken and some that were not, trades.
    assert min(books["rows written"], books["of them repeats"], books["of them too late"]) > 0
    assert books["left out"].keys() == {"duplicate", "stale"}
    assert min(books["jobs accepted"], books["messages"]["delivered"], books["paper positions"]) > 0
    assert soaked["answers"]["2xx"] > 0


def test_each_process_told_to_stop_under_load_ends_within_its_limit(soaked: dict[str, Any]):
    stops = soaked["stops"]
    assert {name: one["times"] for name, one in stops.items()} == {
        "prediction-api": 1, "prediction-worker": 2, "training-api": 1, "training-worker": 1,
    }  # fmt: skip
    assert max(one["max"] for one in stops.values()) < STOP_SECONDS


def test_each_kill_was_done_and_recovered_from(soaked: dict[str, Any]):
    killed = {name for name in soaked["recoveries"] if not name.startswith("restart")}
    assert killed == {"kill training-worker", "kill prediction-worker", "crash the database", "kill prediction-api"}
