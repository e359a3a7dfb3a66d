"""`pumpcast demo` as a user runs it: the whole story ends well, or leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import PUMPCAST, environment, family, place

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PATIENCE = 500
# The same with less to do: all stages come, sooner.
SHORT = """
from pumpcast.cli import main
from pumpcast.demo import story
story.SIMULATED_MINUTES, story.REPLAY_SECONDS = {minutes}, {seconds}
main()
"""
SHORTEST = SHORT.format(minutes=120, seconds=10)
# Enough rows that both models are right about live ones.
LEARNABLE = SHORT.format(minutes=240, seconds=15)


@pytest.fixture
def folder() -> Iterator[Path]:
    with place() as path:
        yield path


def start(folder: Path, *arguments: str, program: str | None = None) -> subprocess.Popen[str]:
    command = PUMPCAST if program is None else [sys.executable, "-P", "-c", program]
    return subprocess.Popen(
        [*command, "demo", "--json", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment(folder), cwd=folder, start_new_session=True,
    )  # fmt: skip


def whole_story(folder: Path, *arguments: str, program: str) -> dict[str, Any]:
    with start(folder, *arguments, program=program) as process:
        said, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, told
    assert family(folder) == []
    assert list(folder.iterdir()) == []
    return json.loads(said)


def check(summary: dict[str, Any]) -> None:
    """See that the books agree with each other."""
    assert summary["owed"] > 0
    assert summary["owed"] == summary["answered_once"] == summary["predictions"]
    assert summary["answered_more"] == 0
    # Of rows that came twice one is answered, by both models; nothing else was left out.
    assert set(summary["skipped"]) <= {"duplicate"}
    assert summary["owed"] + sum(summary["skipped"].values()) == 2 * summary["rows_live"]
    assert summary["alerts"] > 0
    assert summary["alerts_received"] == summary["alerts"]
    assert summary["alerts_missing"] == 0
    assert summary["webhooks_refused"] == 0
    # One message per coin and row holds the alerts of both models.
    assert summary["alerts"] / 2 <= summary["webhooks_verified"] <= summary["alerts"]
    assert 0 < summary["p50_ms"] <= summary["p99_ms"]
    assert [model["name"] for model in summary["models"]] == ["demo forest", "demo xgboost"]
    for model in summary["models"]:
        assert model["holdout_auc"] > 0.5
        assert model["live_auc"] > 0.5
        assert model["live_average_precision"] > model["live_base_rate"] > 0
        assert 0 < model["live_resolved"] <= summary["owed"] / 2


def test_demo_when_run_on_a_simulated_market_then_every_row_is_answered_and_every_alert_arrives(folder: Path):
    check(whole_story(folder, program=LEARNABLE))


def test_demo_when_run_on_real_rows_then_every_row_is_answered_and_every_alert_arrives(folder: Path, real_rows: Path):
    check(whole_story(folder, "--data", str(real_rows), program=SHORTEST))


@pytest.mark.parametrize("stage", ["Simulating", "Starting", "Training", "Replaying"])
def test_demo_when_interrupted_then_no_process_and_no_folder_stays(folder: Path, stage: str):
    with start(folder, program=SHORTEST) as process:
        for line in process.stderr:
            if line.startswith(stage):
                break
        # As the terminal does it: every process of the foreground hears of it.
        os.killpg(process.pid, signal.SIGINT)
        said, told = process.communicate(timeout=120)
    assert process.returncode == 1, told
    assert "Traceback" not in told
    assert said == ""
    assert family(folder) == []
    assert list(folder.iterdir()) == []


def test_demo_when_the_file_is_no_table_then_one_sentence_says_so_and_nothing_is_started(folder: Path):
    file = folder / "rows.parquet"
    file.write_bytes(b"PAR1 and then nothing")
    with start(folder, "--data", str(file)) as process:
        said, told = process.communicate(timeout=60)
    assert process.returncode == 2
    assert len(told.strip().splitlines()) == 1
    assert said == ""
    assert list(folder.iterdir()) == [file]
