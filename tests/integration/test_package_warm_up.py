"""Warm-ups: PENDING, RUNNING, DONE or FAILED, whatever happens on the way."""

import asyncio
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prediction_service.app import build
from prediction_service.runtime.packages import core
from prediction_service.runtime.packages import instances as loading
from prediction_service.runtime.packages.account import EMPTY_ACCOUNT
from prediction_service.runtime.packages.instances import Instances
from prediction_service.settings import PredictionSettings
from prediction_service.store import packages
from prediction_service.usecases import warm_up as warming_up
from prediction_service.usecases.package_work import Finder
from prediction_service.usecases.warm_up import key_of, origin_of, recover, warm_up
from shared.db import Pool, transaction
from shared.errors import PackageInvalid
from tests.support.live import until
from tests.support.package_files import PackageFiles, probed, tiny_package
from tests.support.serving import Api, api_of
from tests.support.warming import add_package, ask, bars_of, market, put, state


@pytest.fixture
def folder(configured: PredictionSettings) -> Path:
    """Give the folder of packages."""
    return configured.packages_folder


async def request(pool: Pool, package_id: str = "tiny") -> None:
    async with transaction(pool) as connection:
        await packages.request_warmup(connection, package_id)


async def test_warm_up_when_a_file_was_damaged_then_it_fails_and_a_retry_clears_that(
    api: Api, pool: Pool, folder: Path
):
    place = await add_package(pool, folder, symbol="BTCUSDT")
    await put(pool, bars_of(market()))
    whole = (place / "forecast_model.pt").read_bytes()
    (place / "forecast_model.pt").write_bytes(whole[:-1] + b"x")
    status, refused = await ask(api)
    words = "forecast_model.pt of package tiny is not the file that was uploaded"
    assert (status, words in refused["detail"]) == (409, True)
    ready, warm, reason, completed = await state(pool)
    assert (ready, warm, completed) == ("READY", "FAILED", False)
    assert reason is not None
    assert words in reason
    status, again = await api.post(
        "/api/paper/signal",
        {"model_id": "tiny", "symbol": "BTCUSDT", "signal": "LONG", "confidence": 90, "current_price": 100},
    )
    assert (status, again["opened"], again["rule"]) == (200, None, "warmup")
    (place / "forecast_model.pt").write_bytes(whole)
    assert (await ask(api))[0] == 409
    status, shown = await api.post("/api/model-packages/tiny/warmup")
    assert (status, shown["warmup_status"], shown["warmup_error"]) == (200, "PENDING", None)
    assert (await ask(api))[0] == 200
    assert await state(pool) == ("READY", "DONE", None, True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda files: {"probe": _other_answers(files)}, "the probe of the manifest is missed"),
        (lambda _: {"market": {"warmup_bars": 600}}, "600 candles give"),
    ],
    ids=["probe", "bars"],
)
async def test_warm_up_when_the_package_does_not_do_what_it_should_then_it_fails_with_the_reason(
    pool: Pool, folder: Path, change: Any, words: str
):
    files = probed(tiny_package())
    await add_package(pool, folder, files=files, symbol="BTCUSDT")
    package = await packages.get(pool, "tiny")
    assert package is not None
    changed = change(files)
    manifest = {**package.manifest, **changed, "market": {**package.market, **changed.get("market", {})}}
    await packages.set_validated(pool, package, manifest)
    await put(pool, bars_of(market()))
    assert await warm_up(pool, Instances(), folder, "tiny")
    _, warm, reason, _ = await state(pool)
    assert (warm, words in (reason or "")) == ("FAILED", True), reason


def _other_answers(files: PackageFiles) -> dict[str, Any]:
    probe = files.manifest["probe"]
    return {**probe, "action": [value + 0.5 for value in probe["action"]]}


async def test_warm_up_when_a_candle_cannot_be_then_it_waits_until_that_is_corrected(
    api: Api, pool: Pool, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(core, "LARGEST", 1000.0)
    await add_package(pool, folder, symbol="BTCUSDT")
    bars = bars_of(market())
    spike = replace(bars[-5], high=bars[-5].close * 5000)
    await put(pool, [*bars[:-5], spike, *bars[-4:]])
    words = f"hl_range_pct of the candle of {spike.open_time:%Y-%m-%dT%H:%M:%SZ} is 5e+03, which no market brings about"
    status, refused = await ask(api)
    assert (status, refused["code"], words in refused["detail"]) == (409, "candles_unusable", True), refused
    assert await state(pool) == ("READY", "PENDING", refused["detail"], False)
    await put(pool, [bars[-5]])
    assert (await ask(api))[0] == 200
    await put(pool, [spike])
    status, refused = await ask(api)
    assert (status, refused["code"], words in refused["detail"]) == (409, "candles_unusable", True), refused
    assert await state(pool) == ("READY", "DONE", None, True)


async def test_warm_up_when_torch_is_not_installed_then_it_fails_with_the_command_that_installs_it(
    pool: Pool, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    await add_package(pool, folder, symbol="BTCUSDT")
    await put(pool, bars_of(market()))
    for name in list(sys.modules):
        if name.startswith("prediction_service.runtime.packages.") and hasattr(sys.modules[name], "torch"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert await warm_up(pool, Instances(), folder, "tiny")
    _, warm, reason, _ = await state(pool)
    assert warm == "FAILED"
    assert "pip install 'pumpcast[packages]'" in (reason or "")


async def test_warm_up_when_several_ask_at_once_then_it_runs_once_and_all_are_answered(
    api: Api, pool: Pool, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    await add_package(pool, folder, symbol="BTCUSDT")
    await put(pool, bars_of(market()))
    claims = []

    async def counted(*given: Any) -> Any:
        claims.append(given)
        return await claim(*given)

    claim = packages.claim_warmup
    monkeypatch.setattr(warming_up.packages, "claim_warmup", counted)
    answers = await asyncio.gather(*(ask(api) for _ in range(6)))
    assert [status for status, _ in answers] == [200] * 6
    assert len({str(signal["action_raw"]) for _, signal in answers}) == 1
    assert len(claims) == 1


async def test_warm_up_when_it_was_left_running_then_a_start_lets_it_wait_again_unless_somebody_holds_it(
    configured: PredictionSettings, pool: Pool, folder: Path
):
    for name in ("left", "held"):
        await add_package(pool, folder, name, symbol="BTCUSDT")
        package = await packages.get(pool, name)
        assert package is not None
        assert await packages.claim_warmup(pool, package)
    async with pool.acquire() as connection:
        assert await packages.try_hold(connection, "held")
        async with api_of(build(configured)):
            assert await state(pool, "left") == ("READY", "PENDING", None, False)
            assert await state(pool, "held") == ("READY", "RUNNING", None, False)


async def test_warm_up_when_its_process_ends_each_time_then_it_stands_last_and_is_given_up_until_asked_for(
    pool: Pool, folder: Path
):
    await put(pool, bars_of(market()))
    for name in ("kills", "sound"):
        await add_package(pool, folder, name, symbol="BTCUSDT")
    package = await packages.get(pool, "kills")
    assert package is not None
    finder = Finder(pool)
    for _ in range(2):
        assert await packages.claim_warmup(pool, package)
        assert (await finder.find(notified=True)).warm == ("sound", "kills")
        await recover(pool)
        assert (await finder.find(notified=True)).warm == ("sound", "kills")
        assert await state(pool, "kills") == ("READY", "PENDING", None, False)
    assert await packages.claim_warmup(pool, package)
    # The next question sees what became of the one before.
    assert await warm_up(pool, Instances(), folder, "kills")
    _, warm, reason, _ = await state(pool, "kills")
    assert (warm, "ended before that was done, 3 times in a row" in (reason or "")) == ("FAILED", True)
    await request(pool, "kills")
    assert await packages.claim_warmup(pool, package)
    assert await warm_up(pool, Instances(), folder, "kills")
    assert await state(pool, "kills") == ("READY", "DONE", None, True)


async def test_warm_up_when_the_memory_does_not_suffice_then_it_fails_with_figures(
    pool: Pool, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    await add_package(pool, folder, symbol="BTCUSDT")
    await put(pool, bars_of(market()))
    monkeypatch.setattr("prediction_service.runtime.packages.instances.LEAST_FREE_BYTES", 1 << 60)
    assert await warm_up(pool, Instances(), folder, "tiny")
    _, warm, reason, _ = await state(pool)
    assert (warm, "takes 1099511627776 MiB of memory" in (reason or "")) == ("FAILED", True)


async def test_warm_up_when_many_packages_load_at_once_then_other_questions_are_answered_meanwhile(
    api: Api, pool: Pool, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    names = [f"cold_{n}" for n in range(12)]
    for name in names:
        await add_package(pool, folder, name, symbol="BTCUSDT")
    await put(pool, bars_of(market()))
    may_load, load = threading.Event(), loading.load_checked

    def load_when_told(*given: Any) -> Any:
        assert may_load.wait(60)
        return load(*given)

    monkeypatch.setattr(loading, "load_checked", load_when_told)
    asked = [asyncio.create_task(ask(api, name)) for name in names]
    try:
        await until(pool, "SELECT count(*) FROM model_packages WHERE warmup_status = 'RUNNING'", expected=2)
        status, listed = await asyncio.wait_for(api.get("/api/model-packages"), 10)
        assert (status, listed["total"]) == (200, 12)
        # Nobody waits for a turn that could not be used.
        assert (await ask(api, "cold_11", symbol="none"))[1]["code"] == "too_few_candles"
    finally:
        may_load.set()
        answers = await asyncio.gather(*asked)
    assert [status for status, _ in answers] == [200] * 12


async def test_warm_up_when_the_package_goes_meanwhile_then_nothing_comes_back(
    pool: Pool, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    await add_package(pool, folder, symbol="BTCUSDT")
    await put(pool, bars_of(market()))
    loaded = warming_up._try_out

    async def archived_meanwhile(*given: Any) -> Any:
        async with transaction(pool) as connection:
            await packages.archive(connection, "tiny")
            await packages.request_warmup(connection, "tiny")
        return await loaded(*given)

    monkeypatch.setattr(warming_up, "_try_out", archived_meanwhile)
    await warm_up(pool, Instances(), folder, "tiny")
    assert await state(pool) == ("ARCHIVED", "PENDING", None, False)
    monkeypatch.undo()
    await warm_up(pool, Instances(), folder, "tiny")
    assert await state(pool) == ("ARCHIVED", "PENDING", None, False)


async def test_instances_when_a_reload_fails_then_the_old_one_answers_and_only_a_few_are_kept(pool: Pool, folder: Path):
    instances, keys = Instances(most=2), {}
    for name in ("a", "b", "c"):
        await add_package(pool, folder, name, files=tiny_package(seed=len(keys) + 1))
        package = await packages.get(pool, name)
        assert package is not None
        keys[name] = key_of(package), origin_of(package, folder)

    async def use(name: str, *, afresh: bool = False) -> Any:
        async def find() -> Any:
            return keys[name][1]

        async with instances.held(keys[name][0], find, afresh=afresh) as instance:
            return instance

    first = await use("a")
    await use("b")
    assert await use("a") is first
    await use("c")
    assert instances.ids == ("a", "c")
    (folder / "a" / "ppo_policy.zip").write_bytes(b"damaged")
    # Truncated in place: what is loaded must not depend on the file any more.
    (folder / "a" / "forecast_model.pt").write_bytes(b"")
    with pytest.raises(PackageInvalid, match="is not the file that was uploaded"):
        await use("a", afresh=True)
    assert await use("a") is first
    assert np.isfinite(first.answer(market(), EMPTY_ACCOUNT).curves).all()
    instances.keep(frozenset({"c"}))
    assert instances.ids == ("c",)
