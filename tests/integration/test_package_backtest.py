"""Backtests: to the number what live answers and live paper trading give, and fair rivals beside them."""

import json
import shutil
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prediction_service.runtime.packages.account import account_features, account_state
from prediction_service.runtime.packages.candles import Candles
from prediction_service.runtime.packages.decoder import Decision
from prediction_service.runtime.packages.infer import complete_manifest
from prediction_service.runtime.packages.instance import Instance
from prediction_service.runtime.packages.policy_file import read_policy_zip
from prediction_service.runtime.packages.pt_file import read_pt
from prediction_service.runtime.paper import Rules
from prediction_service.runtime.paper_account import Account, mark_candle, take_signal
from prediction_service.usecases import paper_trading
from pumpcast.cli import main
from pumpcast.packages import chance
from pumpcast.packages.backtest import run_backtest
from pumpcast.packages.walk import Walk, candle_at, live_decisions, walk
from shared.db import Pool
from shared.errors import Invalid
from tests.support.package_files import PackageFiles, random_candles, tiny_package
from tests.support.paper import add_package, check_books, tell_candle

BARS = 760
SEEN = {"mean": [0.0] * 72, "var": [1.0] * 63 + [1, 1, 1e-4, 1e-2, 1e-4, 1e4, 1e5, 1, 1e-2], "clip": 3.0}
Run = Callable[..., tuple[int, str, str]]


def trading_package() -> PackageFiles:
    """One that goes long and short often, with a channel whose scale comes from the candles at hand."""
    files = tiny_package(seed=3, warmup_bars=BARS)
    files.manifest["policy"]["obs_normalization"] = SEEN
    channels = [dict(channel) for channel in files.manifest["forecast"]["channels"]]
    del channels[1]["mean"], channels[1]["scale"]
    files.manifest["forecast"] = {**files.manifest["forecast"], "channels": channels}
    return files


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trading_package().write(tmp_path_factory.mktemp("packages") / "often")


@pytest.fixture(scope="module")
def instance(folder: Path) -> Instance:
    given = json.loads((folder / "manifest.json").read_text())
    files = read_pt(folder / "forecast_model.pt"), read_policy_zip(folder / "ppo_policy.zip")
    return Instance.load(folder, complete_manifest(given, *files))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> tuple[int, str, str]:
        with monkeypatch.context() as patched:
            patched.chdir(tmp_path)
            patched.setenv("PUMPCAST_HOME", str(tmp_path))
            patched.setattr(sys, "argv", ["pumpcast", "package", "backtest", *arguments])
            with pytest.raises(SystemExit) as left:
                main()
        output, errors = capfd.readouterr()
        return int(left.value.code or 0), output, errors

    return run


def walked(instance: Instance, candles: Candles, start: int = BARS - 1) -> Walk:
    decide = live_decisions(instance, candles)
    return walk(candles, decide, symbol="BTCUSDT", start=start, rules=Rules(), told=lambda _: None)


def write(path: Path, candles: Candles, symbol: str = "BTCUSDT") -> Path:
    columns = {name: getattr(candles, name) for name in ("open", "high", "low", "close", "volume")}
    times = pa.array(candles.open_time, pa.timestamp("us", tz="UTC"))
    pq.write_table(pa.table({"symbol": [symbol] * len(candles), "open_time": times, **columns}), path)
    return path


def test_walk_when_candles_pass_then_each_signal_is_the_live_answer_to_the_bit(instance: Instance) -> None:
    candles = random_candles(BARS + 120, seed=11)
    decide, asked = live_decisions(instance, candles), 0

    def compared(place: int, account: Account) -> Decision:
        nonlocal asked
        decision, asked = decide(place, account), asked + 1
        state = account_features(account_state(account, at=int(candles.close_time[place])))
        live = instance.answer(candles.part(place + 1 - BARS, place + 1), state)
        assert live.scaled_from_warmup == ("ret_16",)
        assert decision == live.decision
        return decision

    done = walk(candles, compared, symbol="BTCUSDT", start=BARS - 1, rules=Rules(), told=lambda _: None)
    assert asked == len(done.decisions) == 121
    assert len({decision.confidence for decision in done.decisions}) > 20


async def test_walk_when_live_accounts_are_told_the_same_then_the_same_books(instance: Instance, pool: Pool) -> None:
    candles = random_candles(BARS + 90, seed=11)
    done = walked(instance, candles)
    await add_package(pool)
    for number, decision in enumerate(done.decisions):
        candle = candle_at(candles, done.start + number)
        at = datetime.fromtimestamp(candle.close_at / 1e6, UTC)
        if number:
            await tell_candle(
                pool, symbol="BTCUSDT", open=candle.open, high=candle.high, low=candle.low,
                close=candle.close, at=at, since=at - timedelta(minutes=15),
            )  # fmt: skip
        await paper_trading.take_signal(
            pool, package_id="one", symbol="BTCUSDT", signal=decision.signal, confidence=decision.confidence,
            price=candle.close, at=at, opened_by="auto",
        )  # fmt: skip
    (books,) = await check_books(pool)
    rows = await pool.fetch(
        "SELECT close_reason, pnl FROM paper_positions WHERE status = 'CLOSED' ORDER BY closed_at, id"
    )
    assert books["balance"] == pytest.approx(done.account.balance)
    assert books["open_positions"] == len(done.account.positions)
    assert [row["close_reason"] for row in rows] == [one.reason for one in done.closed]
    assert [row["pnl"] for row in rows] == pytest.approx([one.pnl for one in done.closed])
    assert len(rows) > 20


@pytest.mark.parametrize(
    ("rules", "price"),
    [
        (Rules(), 100.0),
        (Rules(max_hours=2.0, take_profit_pct=40.0, stop_loss_pct=30.0, max_positions=3), 3e-8),
        (Rules(size_pct=45.0, max_exposure_pct=100.0, leverage=1.0, take_profit_pct=1.0, stop_loss_pct=80.0), 1e5),
    ],
)
def test_random_accounts_when_given_signals_then_each_does_what_a_paper_account_does(
    rules: Rules, price: float
) -> None:
    candles = random_candles(160, seed=5)
    scaled = {name: getattr(candles, name) * price / 100 for name in ("open", "high", "low", "close")}
    scaled["open"] = np.clip(scaled["open"] * np.random.default_rng(1).choice([0.97, 1.0, 1.03], 160), 0, None)
    scaled["high"], scaled["low"] = (
        np.maximum(scaled["high"], scaled["open"]),
        np.minimum(scaled["low"], scaled["open"]),
    )
    candles = Candles(open_time=candles.open_time, **scaled, volume=candles.volume, interval_seconds=900)
    signals = np.random.default_rng(2).choice([-1, 0, 0, 0, 1], (150, 6)).astype(np.int8)
    together = chance.simulate(candles, signals, start=10, rules=rules, told=lambda _: None)
    opened = 0
    for run in range(6):
        account = Account(rules=rules)
        for number, side in enumerate(signals[:, run]):
            candle = candle_at(candles, 10 + number)
            account = mark_candle(account, candle, symbol="X").account
            step = take_signal(account, symbol="X", signal=("FLAT", "LONG", "SHORT")[side], confidence=99.0,
                               price=candle.close, at=candle.close_at)  # fmt: skip
            account, opened = step.account, opened + (step.opened is not None)
            assert together.equity[run, number] == pytest.approx(account.equity, abs=1e-6)
    assert together.trades == opened / 6 > 10


def test_random_accounts_when_drawn_then_as_many_trades_on_average_and_the_same_by_seed() -> None:
    candles = random_candles(600, seed=5)

    def draw(trades: int, seed: int, long_share: float = 0.5) -> chance.Chance:
        return chance.trade_at_random(candles, start=99, rules=Rules(), trades=trades, long_share=long_share, runs=200,
                                      seed=seed, told=lambda _: None)  # fmt: skip

    often, rarely = draw(300, 1), draw(5, 1)
    assert often.trades == pytest.approx(300, rel=0.05)
    assert rarely.trades == pytest.approx(5, rel=0.1)
    assert often.equity.shape == (200, 501)
    assert draw(300, 1).equity.tobytes() == often.equity.tobytes() != draw(300, 2).equity.tobytes()
    assert np.median(often.equity[:, -1]) < np.median(rarely.equity[:, -1]) < 10_000
    assert (draw(0, 1).equity == 10_000).all()


def test_backtest_when_run_then_figures_agree_and_the_picture_is_drawn(
    run: Run, folder: Path, tmp_path: Path, instance: Instance
) -> None:
    candles = random_candles(BARS + 200, seed=11)
    file, picture = write(tmp_path / "candles.parquet", candles), tmp_path / "drawn.svg"
    shutil.copytree(folder, tmp_path / "packages" / "often")
    since = datetime.fromtimestamp(int(candles.close_time[BARS + 9]) / 1e6, UTC).isoformat()
    code, output, errors = run("often", "--candles", str(file), "--from", since, "--picture", str(picture), "--json")
    assert (code, errors) == (0, "")
    told, expected = json.loads(output), walked(instance, candles, BARS + 9)
    assert (told["symbol"], told["candles"], told["trades"]) == ("BTCUSDT", 191, len(expected.closed))
    assert told["first_signal"] == since
    assert told["account"]["final_equity"] == pytest.approx(expected.equity[-1], abs=1e-3)
    assert sum(told["closed_by"].values()) == told["trades"] > 30
    assert sum(told["signals"].values()) == 191
    assert told["positions_opened"] == told["trades"] + told["open_at_the_end"]
    assert told["fees_usdt"] == pytest.approx(0.2 * (2 * told["trades"] + told["open_at_the_end"]), rel=0.01)
    change = candles.close[-1] / candles.close[BARS + 9] - 1
    assert told["buy_and_hold"]["return_pct"] == pytest.approx(((1 + change) / 1.001 - 1) * 100, abs=1e-3)
    assert told["buy_and_hold_at_limit"]["return_pct"] == pytest.approx(change * 10 - 0.01, abs=1e-3)
    band = told["random"]
    assert band["final_equity_5_pct"] < band["final_equity_median"] < band["final_equity_95_pct"]
    assert band["trades_on_average"] == pytest.approx(told["positions_opened"], rel=0.05)
    assert picture.read_text().startswith("<?xml")
    assert not any("too few" in remark for remark in told["remarks"])


@pytest.mark.parametrize(
    ("report", "remark"),
    [
        ({"symbol": "X", "fit": {"start": "2026-01-01T00:00:00+00:00"}, "learn": {"end": "2026-01-08T23:00:00+00:00"}},
         "The package was trained on 5 of these candles"),
        ({"symbol": "Y", "fit": {"start": "2026-01-01T00:00:00+00:00"}, "learn": {"end": "2026-01-08T23:00:00+00:00"}},
         "Closed trades: "),
        ({"fit": [], "learn": {"end": 7}}, "Closed trades: "),
    ],
)  # fmt: skip
def test_backtest_when_the_package_knows_the_candles_then_it_says_so(
    instance: Instance, report: dict[str, object], remark: str
) -> None:
    informed = replace(instance, manifest=instance.manifest.model_copy(update={"report": report}))
    backtest = run_backtest(informed, random_candles(BARS + 40), symbol="X", since=None, runs=5, seed=0,
                            progress=lambda *_: nullcontext(lambda _: None))  # fmt: skip
    assert backtest.result("x").remarks[0].startswith(remark)


@pytest.mark.parametrize(
    ("candles", "words"),
    [
        (random_candles(BARS + 40), "The candles end at 2026-01-09T08:00:00Z: begin to trade before that"),
        (random_candles(BARS), "760 candles without a gap are too few: the package needs 760"),
        (random_candles(BARS + 9, interval_seconds=3600), "made for candles of 900 s, these are of 3600 s"),
    ],
)
def test_backtest_when_candles_do_not_fit_then_it_says_what_the_package_needs(
    instance: Instance, candles: Candles, words: str
) -> None:
    with pytest.raises(Invalid, match=words):
        run_backtest(
            instance,
            candles,
            symbol="X",
            since=int(candles.close_time[-1]),
            runs=2,
            seed=0,
            progress=lambda *_: nullcontext(lambda _: None),
        )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nowhere", "--candles", "few.parquet"), "nowhere is neither a folder nor the id of a package in"),
        (("{folder}", "--candles", "few.parquet", "--symbol", "SOLUSDT"), "has no candles of SOLUSDT"),
        (("{folder}", "--candles", "few.parquet", "--picture", "p.jpg"), "p.jpg is no name of a picture"),
        (("{folder}", "--candles", "few.parquet", "--picture", "no/p.svg"), "There is no folder"),
        (("damaged", "--candles", "few.parquet"), "ppo_policy.zip"),
        (("deep", "--candles", "few.parquet"), "manifest.json: manifest is no JSON"),
        (("empty", "--candles", "few.parquet"), "empty lacks forecast_model.pt and ppo_policy.zip: a package is"),
    ],
)
def test_backtest_when_it_cannot_be_then_one_line_says_why(
    run: Run, folder: Path, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    write(tmp_path / "few.parquet", random_candles(BARS))
    trading_package().write(tmp_path / "damaged").joinpath("ppo_policy.zip").write_bytes(b"PK")
    trading_package().write(tmp_path / "deep").joinpath("manifest.json").write_text("[" * 100_000)
    (tmp_path / "empty").mkdir()
    code, output, errors = run(*(part.format(folder=folder) for part in arguments))
    assert (code, output) == (2, "")
    assert words in errors
    assert errors.count("\n") == 1
