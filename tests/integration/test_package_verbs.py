"""`pumpcast package` train, check, upload, list, show, warm-up as a user runs them."""

import asyncio
import importlib.util
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import structlog
import torch

from prediction_service.app import build
from prediction_service.settings import PredictionSettings
from prediction_service.usecases.package_work import work_on_packages
from pumpcast.cli import main
from pumpcast.packages import extras, recipes
from shared.db import Pool
from shared.wakeup import Wakeup
from tests.support.package_files import tiny_package
from tests.support.serving import Api, served
from tests.support.trained import ENOUGH, RECIPE, table
from tests.support.warming import bars_of, market, put


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    code: int
    output: str
    errors: str


Run = Callable[..., Ended]


@pytest.fixture
def pumpcast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(recipes.RECIPES, "tiny", RECIPE)
    for name in ("LOG_LEVEL", "API_KEYS", "UI_API_KEY", "API_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    torch.set_num_threads(1)

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["pumpcast", "package", *arguments])
        capfd.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        output, errors = capfd.readouterr()
        return Ended(code=int(left.value.code or 0), output=output, errors=errors)

    return run


@pytest.fixture
async def worker(pool: Pool, configured: PredictionSettings) -> AsyncIterator[None]:
    """Do what the process of packages does, in this one."""
    stop = asyncio.Event()
    async with Wakeup(configured.db_dsn, "packages_changed") as changes:
        task = asyncio.create_task(work_on_packages(pool, configured, changes, stop))
        yield
        stop.set()
        await task


@pytest.fixture
async def away(api: Api, pumpcast: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Awaitable[Ended]]:
    """Run a verb against the API of this test."""
    monkeypatch.setenv("API_BASE_URL", f"{api.session._base_url}/api")

    async def run(*arguments: str) -> Ended:
        # The log of the API goes to the stdout of this process, too.
        with structlog.testing.capture_logs():
            return await asyncio.to_thread(pumpcast, *arguments)

    return run


def refused(ended: Ended, code: int) -> str:
    assert (ended.code, ended.output) == (code, ""), ended
    lines = ended.errors.strip().splitlines()
    assert len(lines) == 1, ended.errors
    return lines[0]


def file(folder: Path, rows: pa.Table | None = None) -> str:
    pq.write_table(table() if rows is None else rows, folder / "candles.parquet")
    return "candles.parquet"


def test_help_then_every_verb_has_examples(pumpcast: Run):
    shown = pumpcast("--help").output
    verbs = [line.split()[0] for line in shown.split("Commands:")[1].split("Examples:")[0].splitlines() if line.strip()]
    assert {"train", "check", "upload", "list", "show", "warm-up"} <= set(verbs)
    for verb in verbs:
        assert f"pumpcast package {verb}" in pumpcast(verb, "--help").output.split("Examples:")[1]


def test_train_when_told_then_a_package_that_check_calls_ready(pumpcast: Run, tmp_path: Path):
    # A gap: the shorter run is left out, and that is said.
    rows = pa.concat_tables([table(50), table(ENOUGH + 60).slice(60)])
    quick = ("--name", "My Market", "--size", "tiny", "--epochs", "1", "--timesteps", "300")
    ended = pumpcast("train", "--candles", file(tmp_path, rows), *quick, "--description", "kept", "--json")
    assert ended.code == 0, ended.errors
    assert ended.errors.startswith(f"50 candles beyond gaps are left out: the longest run is taken, {ENOUGH} candles, ")
    report = json.loads(ended.output)
    assert (report["symbol"], report["candles"], report["left_out"]) == ("SIMUSDT", ENOUGH, 50)
    assert sorted(path.name for path in (tmp_path / "my_market").iterdir()) == [
        "forecast_model.pt", "manifest.json", "ppo_policy.zip"
    ]  # fmt: skip
    manifest = json.loads((tmp_path / "my_market" / "manifest.json").read_text())
    assert manifest["description"] == "kept"
    assert manifest["report"]["verdict"] == report["verdict"]
    assert pumpcast("check", "my_market").output == "my_market is READY: its probe holds\n"
    assert "holds a package already" in refused(pumpcast("train", "--candles", "candles.parquet", *quick), 2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--candles", "gone.parquet"], "There is no file gone.parquet"),
        (["--candles", "gone.parquet", "--out", "a/b/odd"], "There is no file gone.parquet"),
        (["--candles", "impossible.parquet"], "SIMUSDT: hl_range_pct of the candle of 2026-01-08T18:30:00Z is"),
        (["--candles", "letter.csv"], "letter.csv lacks symbol, open_time, open"),
        (["--candles", "candles.parquet", "--symbol", "SOLUSDT"], "has no candles of SOLUSDT, only of BTC, SIMUSDT"),
        (["--candles", "candles.parquet"], "holds 2 markets: choose one with --symbol, of BTC, SIMUSDT"),
        (["--candles", "candles.parquet", "--symbol", "BTC"], "30 candles without a gap are too few"),
        (["--candles", "candles.parquet", "--symbol", "BTC", "--until", "2020-01-01T00:00:00Z"], "no candle of BTC in"),
        (["--candles", "candles.parquet", "--symbol", "BTC", "--until", "yesterday"], "'yesterday' is not a moment"),
        (["--candles", "wrong.parquet"], "the first is SIMUSDT 2026-01-01T00:30:00+00:00 (row 3)"),
        (["--candles", "quick.parquet"], "Candles of 30 s: packages are made for candles of 60 s to a day"),
        (["--candles", "twice.parquet"], "the candle of 2026-01-01T00:00:00Z is there twice (3 such)"),
        (["--candles", "candles.parquet", "--symbol", "BTC", "--out", "letter.csv"], "letter.csv is a file"),
        (["--candles", "candles.parquet", "--symbol", "BTC", "--name", " "], "must be 1 to 200 printable characters"),
    ],
)
def test_train_when_what_is_given_is_wrong_then_exit_2_one_line_nothing_written(
    pumpcast: Run, tmp_path: Path, arguments: list[str], words: str
):
    file(tmp_path, pa.concat_tables([table(30), table(30, symbol="BTC")]))
    (tmp_path / "letter.csv").write_text("dear,friend\n1,2\n")
    wrong = table(5).to_pylist()
    wrong[2]["close"] = -1.0
    pq.write_table(pa.Table.from_pylist(wrong), tmp_path / "wrong.parquet")
    pq.write_table(pa.concat_tables([table(3), table(3)]), tmp_path / "twice.parquet")
    pq.write_table(table(5, interval_seconds=30), tmp_path / "quick.parquet")
    wrong = table(760).to_pylist()
    wrong[746]["high"] = 1e300
    pq.write_table(pa.Table.from_pylist(wrong), tmp_path / "impossible.parquet")
    before = sorted(tmp_path.iterdir())
    told = refused(pumpcast("train", "--name", "x", "--size", "tiny", *arguments), 2)
    assert words in told
    assert sorted(tmp_path.iterdir()) == before


def test_train_when_its_libraries_are_missing_then_exit_1_with_the_command(
    pumpcast: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    missing = {"stable_baselines3", "gymnasium"}
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name in missing else importlib.util.find_spec(name))
    told = refused(pumpcast("train", "--candles", file(tmp_path), "--name", "x"), 1)
    assert told == "stable_baselines3 and gymnasium must be installed for this: pip install 'pumpcast[rl]'"


def test_check_when_a_package_is_cut_or_missing_then_says_so(pumpcast: Run, tmp_path: Path):
    folder = tiny_package().write(tmp_path / "cut")
    (folder / "ppo_policy.zip").write_bytes((folder / "ppo_policy.zip").read_bytes()[:-20])
    ended = pumpcast("check", "cut", "--json")
    assert (ended.code, ended.errors) == (3, "")
    verdict = json.loads(ended.output)
    assert verdict["ready"] is False
    assert "ppo_policy.zip" in verdict["reason"]
    (folder / "manifest.json").write_text("[1]")
    assert "manifest.json: manifest must be a JSON object" in refused(pumpcast("check", "cut"), 2)
    (folder / "manifest.json").write_text(r'{"description": "\ud800"}')
    assert "manifest.json: manifest is no JSON" in refused(pumpcast("check", "cut"), 2)
    (folder / "ppo_policy.zip").unlink()
    assert "cut lacks ppo_policy.zip" in refused(pumpcast("check", "cut"), 2)
    assert "There is no folder gone" in refused(pumpcast("check", "gone"), 2)


async def test_upload_when_waited_for_then_warm_listed_and_shown(
    away: Callable[..., Awaitable[Ended]], worker: None, pool: Pool, tmp_path: Path
):
    tiny_package(symbol="BTCUSDT").write(tmp_path / "pair")
    await put(pool, bars_of(market()))
    ended = await away("upload", "pair", "--name", "Größe 1", "--wait", "--json")
    assert ended.code == 0, ended.errors
    found = json.loads(ended.output)
    assert (found["id"], found["name"], found["status"], found["warmup_status"]) == (
        "gr_e_1",
        "Größe 1",
        "READY",
        "DONE",
    )
    assert found["warmup_diagnostics"]["lookback_rows_used"] == 828
    assert ended.errors.splitlines()[-1] == "gr_e_1: READY, warm-up DONE"
    listed = await away("list")
    assert ["gr_e_1", "READY", "DONE", "Größe", "1"] in [line.split() for line in listed.output.splitlines()]
    shown = await away("show", "gr_e_1")
    assert "market BTCUSDT, candles of 900 s, 1500 of them; forecaster patchtst/1" in shown.output
    again = await away("warm-up", "gr_e_1")
    assert again.output == "gr_e_1: warm-up PENDING\n"


async def test_upload_when_refused_or_nobody_answers_then_exit_1_one_line(
    away: Callable[..., Awaitable[Ended]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = tiny_package().write(tmp_path / "pair")
    (folder / "forecast_model.pt").write_bytes(b"no model")
    told = refused(await away("upload", "pair", "--strict"), 1)
    assert told.startswith("Refused (422): ")
    assert "forecast_model.pt" in told
    assert "nothing" in refused(await away("show", "nothing"), 1)
    assert json.loads((await away("list", "--json")).output) == {"packages": [], "total": 0}
    assert "does not answer at http://127.0.0.1:9" in refused(await away("list", "--url", "http://127.0.0.1:9/api"), 1)
    assert "'here' is no address of an API" in refused(await away("list", "--url", "here"), 2)


async def test_upload_when_too_large_then_the_refusal_is_read_though_it_came_early(
    configured: PredictionSettings, away: Callable[..., Awaitable[Ended]], tmp_path: Path
):
    small = configured.model_copy(update={"model_package_max_forecast_mb": 1})
    folder = tiny_package().write(tmp_path / "pair")
    (folder / "forecast_model.pt").write_bytes(bytes(64 << 20))
    async with served(build(small)) as address:
        told = refused(await away("upload", "pair", "--url", f"{address}/api"), 1)
    assert told.startswith("Refused (413): ")
