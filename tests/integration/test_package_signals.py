"""Signals of packages: the first one warms up, each package gives its own, and nothing is made up."""

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from prediction_service.runtime.packages.account import EMPTY_ACCOUNT
from prediction_service.runtime.packages.instance import Instance
from prediction_service.settings import PredictionSettings
from prediction_service.store import packages
from shared.contracts.packages import Manifest
from shared.db import Connection, Pool
from tests.support.database import insert_rows, row
from tests.support.package_files import probed, tiny_package
from tests.support.serving import Api
from tests.support.warming import add_package, ask, bars_of, market, put, state


async def test_signal_when_first_asked_then_the_package_is_warmed_up_and_answers(
    api: Api, pool: Pool, configured: PredictionSettings
):
    place = await add_package(pool, configured.packages_folder, files=probed(tiny_package()), symbol="BTCUSDT")
    rows = market()
    await put(pool, bars_of(rows))
    assert await state(pool) == ("READY", "PENDING", None, False)
    status, signal = await ask(api)
    assert status == 200, signal
    assert await state(pool) == ("READY", "DONE", None, True)
    package = await packages.get(pool, "tiny")
    assert package is not None
    expected = Instance.load(place, Manifest.model_validate(package.manifest)).answer(rows, EMPTY_ACCOUNT)
    assert (signal["model_id"], signal["symbol"]) == ("tiny", "BTCUSDT")
    assert (signal["signal"], signal["confidence"]) == (expected.decision.signal, expected.decision.confidence)
    assert signal["sentiment"] == expected.decision.sentiment
    assert signal["current_price"] == rows.close[-1]
    assert signal["action_raw"] == pytest.approx(expected.action_raw.tolist())
    curves = signal["forecast_values"]
    assert curves["median"] == pytest.approx(expected.curves[:, 1].tolist())
    assert curves["upper_price"] == pytest.approx((rows.close[-1] * np.exp(expected.curves[:, 2])).tolist())
    closed_at = datetime.fromtimestamp(int(rows.close_time[-1]) / 1e6, UTC)
    assert len(curves["times"]) == 192
    assert datetime.fromisoformat(curves["times"][0]) == closed_at + timedelta(minutes=15)
    found = signal["diagnostics"]
    assert (found["lookback_rows_used"], found["feature_dim"], found["warmup_status"]) == (828, 72, "DONE")
    assert (found["candles_used"], datetime.fromisoformat(found["candle_close_time"])) == (1500, closed_at)
    assert found["scaler"] == {"source": "manifest", "from_warmup_rows": []}
    assert found["probe"]["passed"] is True
    kept = package.warmup_diagnostics
    assert {name: kept[name] for name in ("lookback_rows_used", "warmup_ready", "warmup_status", "feature_dim")} == {
        "lookback_rows_used": 828, "warmup_ready": True, "warmup_status": "DONE", "feature_dim": 72
    }  # fmt: skip
    # The form of the account's id means the same package; so does the address without /api.
    assert (await api.get("/paper/ml-signal/paper_tiny"))[1]["action_raw"] == signal["action_raw"]


async def test_signal_when_two_packages_are_asked_then_each_gives_its_own_and_archived_ones_none(
    api: Api, pool: Pool, configured: PredictionSettings
):
    folder = configured.packages_folder
    await add_package(pool, folder, "one", files=tiny_package(seed=1))
    await add_package(pool, folder, "two", files=tiny_package(seed=2), symbol="ETHUSDT")
    await put(pool, [*bars_of(market()), *bars_of(market(seed=9), "ETHUSDT")])
    _, one = await ask(api, "one", symbol="ETHUSDT")
    _, two = await ask(api, "two")
    _, again = await ask(api, "one", symbol="ETHUSDT")
    assert one["action_raw"] != two["action_raw"]
    assert one["forecast_values"]["median"] != two["forecast_values"]["median"]
    assert again["action_raw"] == one["action_raw"]
    status, refused = await ask(api, "one")
    assert (status, refused["errors"][0]["pointer"]) == (422, "/query/symbol")
    status, refused = await ask(api, "three")
    assert (status, "no package 'three'" in refused["detail"]) == (404, True)
    assert (await api.post("/api/model-packages/two/archive"))[0] == 200
    status, refused = await ask(api, "two")
    assert (status, "is archived" in refused["detail"]) == (409, True)
    assert (await api.post("/api/model-packages/two/restore"))[0] == 200
    assert (await ask(api, "two"))[1]["action_raw"] == two["action_raw"]


async def test_signal_when_candles_lack_then_409_says_how_many_and_where_and_nothing_is_made_up(
    api: Api, pool: Pool, configured: PredictionSettings
):
    await add_package(pool, configured.packages_folder, symbol="BTCUSDT")
    rows = bars_of(market(1503))
    status, refused = await ask(api)
    assert (status, refused["code"]) == (409, "too_few_candles")
    assert "have 0 of 1500 candles of BTCUSDT 15m" in refused["detail"]
    await put(pool, [*rows[:600], *rows[601:]])
    status, refused = await ask(api)
    assert (status, "have 902 of 1500 candles" in refused["detail"], "gap" in refused["detail"]) == (409, True, True)
    waits = ("READY", "PENDING", refused["detail"], False)
    assert await state(pool) == waits
    status, refused = await ask(api, symbol="btcusdt")
    assert (status, "have 0 of 1500" in refused["detail"], "BTCUSDT" in refused["detail"]) == (409, True, True)
    # What the package waits for is its own market.
    assert await state(pool) == waits
    _, refused = await ask(api, at="1969-07-20T20:17:40Z")
    first = rows[0].open_time.isoformat().replace("+00:00", "Z")
    assert refused["detail"] == (
        "have 0 of 1500 candles of BTCUSDT 15m: none had closed by 1969-07-20T20:17:40Z; the first opens at " + first
    )
    await put(pool, rows[600:601])
    assert (await ask(api))[0] == 200
    earlier = rows[-2].open_time + timedelta(minutes=1)
    status, past = await ask(api, at=earlier.isoformat().replace("+00:00", "Z"))
    assert (status, past["current_price"]) == (200, rows[-3].close)
    assert (past["diagnostics"]["age_seconds"], past["diagnostics"]["age"]) == (60, None)
    status, refused = await ask(api, at=rows[700].open_time.isoformat().replace("+00:00", "Z"))
    assert (status, "have 700 of 1500" in refused["detail"]) == (409, True)
    assert await state(pool) == ("READY", "DONE", None, True)


async def test_signal_when_the_newest_candle_is_old_then_the_answer_says_so(
    api: Api, pool: Pool, configured: PredictionSettings
):
    await add_package(pool, configured.packages_folder, symbol="BTCUSDT")
    await put(pool, bars_of(market(ends=datetime.now(UTC) - timedelta(hours=10))))
    _, signal = await ask(api)
    assert 36_000 <= signal["diagnostics"]["age_seconds"] < 36_960
    assert re.search("4[01] that closed since have not arrived", signal["diagnostics"]["age"])


async def test_signal_when_asked_of_a_coin_then_its_rows_are_resampled_and_quiet_intervals_are_told(
    api: Api, pool: Pool, connection: Connection, configured: PredictionSettings
):
    await add_package(pool, configured.packages_folder, interval_seconds=60)
    price = 3e-8 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.01, 501)))
    await insert_rows(connection, [row("mint", 180 * n + 5, price_close=float(price[n])) for n in range(500)])
    status, refused = await ask(api, symbol="mint", source="coin_metrics")
    assert (status, "have 1497 of 1500 candles of mint 1m" in refused["detail"]) == (409, True), refused
    await insert_rows(connection, [row("mint", 180 * 500 + 65, price_close=float(price[500]))])
    status, signal = await ask(api, symbol="mint", source="coin_metrics")
    assert status == 200, signal
    found = signal["diagnostics"]
    assert (found["source"], found["interval_seconds"], found["candles_used"]) == ("coin_metrics", 60, 1500)
    assert (found["candles_without_trades"], signal["current_price"]) == (1001, pytest.approx(price[499]))
    # The recording ended then, however long ago that is.
    assert (found["age_seconds"] < 60, found["age"]) == (True, None)


async def test_signal_when_its_files_wait_to_be_checked_or_were_refused_then_409_says_so(
    api: Api, pool: Pool, configured: PredictionSettings
):
    await add_package(pool, configured.packages_folder, checked=False, symbol="BTCUSDT")
    await put(pool, bars_of(market()))
    status, refused = await ask(api)
    assert (status, "wait to be checked" in refused["detail"]) == (409, True)
    package = await packages.get(pool, "tiny")
    assert package is not None
    await packages.fail(pool, package, "The forecaster has no head")
    status, refused = await ask(api)
    assert (status, "files were refused: The forecaster has no head" in refused["detail"]) == (409, True)
    assert "POST /model-packages/tiny/warmup" in refused["detail"]


def test_api_when_it_starts_then_the_libraries_of_packages_are_not_loaded():
    code = """
import sys
import prediction_service.app, prediction_service.worker, prediction_service.child
loaded = {name.partition(".")[0] for name in sys.modules} & {"torch", "talib", "stable_baselines3", "gymnasium"}
raise SystemExit(f"loaded: {loaded}" if loaded else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
