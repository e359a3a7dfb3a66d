import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from pumpcast.cli import main
from pumpcast.market.simulate import simulate_history
from tests.support.database import START
from tests.support.embedded import temporary_folder
from tests.support.files import candles, ticks

Run = Callable[..., subprocess.CompletedProcess[str]]
PROGRAM = [sys.executable, "-c", "from pumpcast.cli import main; main()"]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def environment(database: str, tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in {"LOG_LEVEL", "API_KEYS"}}
    return {**kept, "DB_DSN": database, "PUMPCAST_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}


@pytest.fixture
def pumpcast(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Run:
    """Run the console script in this process: starting one takes a second."""

    def run(*arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
        with monkeypatch.context() as patched:
            patched.chdir(tmp_path)
            patched.setattr(sys, "argv", ["pumpcast", *arguments])
            for name, value in {**environment, **changed}.items():
                patched.setenv(name, value)
            capfd.readouterr()
            with pytest.raises(SystemExit) as left:
                main()
        output, errors = capfd.readouterr()
        return subprocess.CompletedProcess(arguments, int(left.value.code or 0), output, errors)

    return run


@pytest.fixture
def outside(environment: dict[str, str], tmp_path: Path) -> Run:
    def run(*arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PROGRAM, *arguments], capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path,
            env={**environment, **changed},
        )  # fmt: skip

    return run


@pytest.fixture
def rows(database: str) -> Iterator[Callable[[], int]]:
    with psycopg.connect(database, autocommit=True) as connection:
        yield lambda: connection.execute("SELECT count(*) FROM coin_metrics").fetchone()[0]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    pq.write_table(ticks(10), tmp_path / "rows.parquet")
    return tmp_path / "rows.parquet"


def failed(outcome: subprocess.CompletedProcess[str], code: int) -> str:
    assert outcome.returncode == code, outcome.stderr
    assert outcome.stdout == ""
    lines = outcome.stderr.strip().splitlines()
    assert len(lines) == 1, outcome.stderr
    return lines[0]


def test_help_then_names_every_verb_and_each_verb_has_examples(pumpcast: Run):
    shown = pumpcast("--help").stdout
    verbs = [line.split()[0] for line in shown.split("Commands:")[1].splitlines() if line.strip()]
    assert {"load", "simulate", "replay", "migrate", "psql"} <= set(verbs)
    for verb in verbs:
        page = pumpcast(verb, "--help")
        assert page.returncode == 0
        assert f"  pumpcast {verb}" in page.stdout.split("Examples:")[1]


def test_load_when_good_then_result_on_stdout_only(pumpcast: Run, rows: Callable[[], int], file: Path):
    outcome = pumpcast("load", str(file), "--json")
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert json.loads(outcome.stdout)["rows"] == rows() == 20
    assert "20 rows into coin_metrics" in pumpcast("load", str(file)).stdout


def test_load_when_columns_are_left_out_then_says_so_on_stderr(pumpcast: Run, tmp_path: Path):
    table = ticks(1)
    pacsv.write_csv(table.append_column("mood", table["mint"]), tmp_path / "mood.csv")
    outcome = pumpcast("load", "mood.csv", "--json")
    assert json.loads(outcome.stdout)["ignored"] == ["mood"]
    assert outcome.stderr == "Columns left out: mood\n"


@pytest.mark.parametrize("name", ["cut.parquet", "empty.csv", "naive.csv", "nothing.parquet"])
def test_load_when_wrong_then_exit_2_one_sentence_nothing_inserted(
    pumpcast: Run, rows: Callable[[], int], file: Path, tmp_path: Path, name: str
):
    (tmp_path / "cut.parquet").write_bytes(file.read_bytes()[:-20])
    (tmp_path / "empty.csv").touch()
    (tmp_path / "naive.csv").write_text("mint,timestamp\nA,2026-03-01T12:00:00\n")
    assert name in failed(pumpcast("load", name), 2)
    assert rows() == 0


def test_load_when_candles_are_meant_for_coin_metrics_then_exit_2(pumpcast: Run, tmp_path: Path):
    pq.write_table(candles(3), tmp_path / "candles.parquet")
    assert "lacks mint, timestamp" in failed(pumpcast("load", "candles.parquet", "--table", "coin_metrics"), 2)
    assert "no table 'trades'" in failed(pumpcast("load", "candles.parquet", "--table", "trades"), 2)
    assert "40 minutes" in failed(pumpcast("load", "candles.parquet", "--interval", "40 minutes"), 2)
    assert pumpcast("load", "candles.parquet").returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("replay", "rows.parquet", "--speed", "fast"),
        ("replay", "rows.parquet", "--speed", "-1"),
        ("replay", "rows.parquet", "--from", "2026-03-01"),
        ("replay", "rows.parquet", "--from", "yesterday"),
        ("replay", "rows.parquet", "--from", "2031-01-01T00:00:00Z"),
        ("simulate", "--live", "--out", "x.parquet"),
        ("simulate", "--out", "no/such/folder/x.parquet"),
        ("simulate", "--coins-per-minute", "0"),
    ],
)
def test_verb_when_asked_for_the_impossible_then_exit_2_one_sentence(pumpcast: Run, file: Path, arguments: tuple[str]):
    failed(pumpcast(*arguments), 2)


@pytest.mark.parametrize("arguments", [("dance",), ("load",), ("simulate", "--minutes", "0"), ("replay", "--bogus")])
def test_verb_when_misspelt_then_exit_2_without_traceback(pumpcast: Run, arguments: tuple[str]):
    outcome = pumpcast(*arguments)
    assert (outcome.returncode, outcome.stdout) == (2, "")
    assert "Traceback" not in outcome.stderr


def test_verb_when_the_database_is_gone_then_exit_1_one_sentence(pumpcast: Run, file: Path):
    gone = "postgresql://nobody:nothing@127.0.0.1:1/nowhere"
    for verb in (("load", str(file)), ("migrate",), ("replay", str(file)), ("simulate", "--minutes", "1")):
        assert "PostgreSQL cannot be reached" in failed(pumpcast(*verb, DB_DSN=gone), 1)


def test_verb_when_a_setting_is_wrong_then_exit_2_names_it(pumpcast: Run):
    assert "LOG_FORMAT='yaml'" in failed(pumpcast("migrate", LOG_FORMAT="yaml"), 2)


def test_simulate_when_a_seed_is_given_then_the_file_is_that_market(pumpcast: Run, tmp_path: Path):
    outcome = pumpcast(
        "simulate", "--minutes", "20", "--seed", "5", "--start", START.isoformat(), "--out", "a.parquet", "--json"
    )
    assert pq.read_table(tmp_path / "a.parquet").equals(simulate_history(seed=5, start=START, minutes=20))
    assert json.loads(outcome.stdout)["file"] == "a.parquet"


def test_simulate_when_no_file_is_given_then_rows_are_in_the_database(pumpcast: Run, rows: Callable[[], int]):
    history = json.loads(pumpcast("simulate", "--minutes", "15", "--json").stdout)
    assert history["rows"] == rows() > 0
    lived = json.loads(pumpcast("simulate", "--live", "--minutes", "2", "--speed", "max", "--json").stdout)
    assert history["rows"] + lived["rows"] == rows()


def test_replay_when_stopped_by_ctrl_c_then_says_how_many_rows_went_in(
    environment: dict[str, str], rows: Callable[[], int], file: Path
):
    command = [*PROGRAM, "replay", str(file), "--speed", "1", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        deadline = time.monotonic() + 60
        while rows() == 0 and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, errors) == (0, "")
    result = json.loads(output)
    assert result["stopped"] is True
    assert 0 < result["rows"] == rows() < 20


def test_replay_when_times_are_kept_then_they_are_the_files(pumpcast: Run, file: Path):
    arguments = ("--speed", "max", "--keep-time", "--from", "2026-03-01T12:00:10Z", "--until", "2026-03-01T12:00:20Z")
    result = json.loads(pumpcast("replay", str(file), *arguments, "--json").stdout)
    assert (result["rows"], result["ticks"], result["stopped"]) == (6, 3, False)
    assert result["first_timestamp"] == "2026-03-01T12:00:10+00:00"


def test_migrate_when_rolled_back_then_applies_again(pumpcast: Run):
    nothing = {"applied": [], "rolled_back": [], "notices": [], "logins": False}
    assert json.loads(pumpcast("migrate", "--json").stdout) == nothing
    undone = json.loads(pumpcast("migrate", "--rollback", "1", "--json").stdout)["rolled_back"]
    assert json.loads(pumpcast("migrate", "--json").stdout)["applied"] == undone != []


def test_doctor_when_the_services_are_down_then_exit_1_and_every_other_part_is_well(pumpcast: Run):
    ports = {"TRAINING_API_PORT": "1", "PREDICTION_API_PORT": "2", "STREAMLIT_PORT": "3"}
    outcome = pumpcast("doctor", "--json", **ports)
    assert (outcome.returncode, outcome.stderr) == (1, "")
    findings = json.loads(outcome.stdout)
    assert findings["ok"] is False
    assert {check["part"] for check in findings["checks"] if not check["ok"]} == {
        "training API", "prediction API", "app",
    }  # fmt: skip
    lines = pumpcast("doctor", **ports).stdout.splitlines()
    assert len(lines) == len(findings["checks"])
    assert sum(line.startswith("FAIL") and "pumpcast up" in line for line in lines) == 3


def test_doctor_when_the_database_is_gone_then_says_so_and_goes_on(pumpcast: Run):
    outcome = pumpcast("doctor", "--json", DB_DSN="postgresql://nobody:nothing@127.0.0.1:1/nowhere")
    assert outcome.returncode == 1
    checks = {check["part"]: check for check in json.loads(outcome.stdout)["checks"]}
    assert "cannot be reached" in checks["database"]["found"]
    assert checks["Python"]["ok"]
    assert "training API" in checks


def test_psql_then_passes_arguments_output_and_exit_code_on(outside: Run):
    outcome = outside("psql", "-Atc", "SELECT 6 * 7")
    assert (outcome.returncode, outcome.stdout) == (0, "42\n")
    assert outside("psql", "-v", "ON_ERROR_STOP=1", "-c", "SELECT nonsense").returncode == 1


def test_verbs_when_no_address_is_set_then_share_the_embedded_database(outside: Run):
    with temporary_folder() as home:
        changed = {"DB_DSN": "", "PUMPCAST_HOME": str(home)}
        assert outside("simulate", "--minutes", "3", **changed).returncode == 0
        outcome = outside("psql", "-Atc", "SELECT count(*) > 0 FROM coin_metrics", **changed)
        assert outcome.stdout == "t\n"
