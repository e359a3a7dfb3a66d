"""The process of packages: started when there is work, done again what a kill cut off, gone with its worker."""

import asyncio
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from prediction_service.runtime import metrics
from prediction_service.settings import PredictionSettings
from prediction_service.store import package_work, packages
from prediction_service.usecases import package_child
from prediction_service.usecases import package_work as working
from prediction_service.usecases.package_work import Finder
from shared.db import Connection, Executor, Pool, Queries, connect, transaction
from shared.wakeup import Wakeup
from tests.support import live
from tests.support.live import until
from tests.support.warming import add_package, bars_of, child_of, ended, market, put, state
from tests.support.workers import worker

COPIES = """
INSERT INTO model_packages (id, name, forecast_rel_path, ppo_rel_path, manifest, status, validated_at)
SELECT 'copy_' || n, 'copy', 'f', 'p', CASE WHEN n % 2 = 0 THEN manifest
       ELSE jsonb_set(manifest, '{market,symbol}', '"X"') END, 'READY', now()
FROM model_packages, generate_series(1, 60) AS n
"""
STATE = "SELECT warmup_status FROM model_packages WHERE id = 'tiny'"


async def test_child_when_a_package_is_uploaded_then_it_is_checked_and_warmed_up_also_across_kills(
    database: str, tmp_path: Path, pool: Pool, connection: Connection, monkeypatch: pytest.MonkeyPatch
):
    # Behind whatever else runs, the process of packages is slow to start.
    monkeypatch.setattr(live, "PATIENCE_SECONDS", 90)
    with worker(database, tmp_path) as process:
        await add_package(pool, tmp_path / "packages", checked=False)
        words = "have 0 of 1500 candles: no market has any of 15m, send some to POST /candles"
        await until(connection, "SELECT warmup_error FROM model_packages", expected=words)
        assert await state(pool) == ("READY", "PENDING", words, False)
        first = child_of(process.pid)
        assert first is not None
        await put(pool, bars_of(market(700)))
        await until(connection, "SELECT warmup_error LIKE 'have 700 of 1500%' FROM model_packages", expected=True)
        await put(pool, bars_of(market()))
        # It loads torch now, which takes a while.
        await until(connection, STATE, expected="RUNNING")
        os.kill(first.pid, signal.SIGKILL)
        await ended(first)
        await until(connection, STATE, expected="DONE")
        second = child_of(process.pid)
        assert second is not None
        os.kill(process.pid, signal.SIGKILL)
        await ended(second)
    diagnostics = await connection.fetchval("SELECT warmup_diagnostics FROM model_packages")
    assert (diagnostics["lookback_rows_used"], diagnostics["symbol"]) == (828, "BTCUSDT")
    sessions = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name LIKE '%packages%'"
    )
    await until(connection, sessions, expected=0)


async def test_child_when_files_are_refused_then_the_reason_is_kept_and_nothing_is_loaded(
    pool: Pool, configured: PredictionSettings
):
    place = await add_package(pool, configured.packages_folder, checked=False, symbol="BTCUSDT")
    await put(pool, bars_of(market()))
    (place / "forecast_model.pt").write_bytes(b"no zip")
    await working.check_files(pool, configured, "tiny")
    status, warm, reason, completed = await state(pool)
    assert (status, warm, completed) == ("UPLOADED", "FAILED", False)
    assert reason is not None
    assert "forecast_model.pt is no complete zip file" in reason
    shutil.rmtree(place)
    async with transaction(pool) as changing:
        await packages.request_warmup(changing, "tiny")
    await working.check_files(pool, configured, "tiny")
    assert (await state(pool))[:2] == ("UPLOADED", "FAILED")
    assert not await Finder(pool).find(notified=True)


async def test_child_when_one_package_cannot_even_be_refused_then_the_others_are_checked(
    pool: Pool, configured: PredictionSettings
):
    for name in ("odd", "sound"):
        await add_package(pool, configured.packages_folder, name, checked=False)
    (configured.packages_folder / "odd" / "forecast_model.pt").write_bytes(b"no zip")
    await pool.execute("ALTER TABLE model_packages ADD CHECK (id <> 'odd' OR warmup_status = 'PENDING')")
    await working._Worker(pool, configured)._prepare(await Finder(pool).find(notified=True))
    assert await state(pool, "odd") == ("UPLOADED", "PENDING", None, False)
    assert (await state(pool, "sound"))[0] == "READY"


async def test_child_when_it_fails_then_that_is_counted_and_the_next_start_waits(
    database: str, pool: Pool, configured: PredictionSettings, monkeypatch: pytest.MonkeyPatch
):
    await add_package(pool, configured.packages_folder, checked=False)
    monkeypatch.setattr(package_child, "COMMAND", (sys.executable, "-c", "raise SystemExit(1)"))
    before = metrics.PACKAGE_CHILD_FAILURES._value.get()
    keeper = package_child._Keeper(pool, database, configured)
    await keeper.look(notified=True)
    process = keeper._process
    assert process is not None
    await process.wait()
    for _ in range(3):
        await keeper.look(notified=True)
    assert metrics.PACKAGE_CHILD_FAILURES._value.get() == before + 1
    assert keeper._process is None
    keeper._not_before = 0.0
    await keeper.look(notified=True)
    assert await state(pool) == ("UPLOADED", "PENDING", None, False)
    await keeper._process.wait()
    await keeper.look(notified=True)
    keeper._not_before = 0.0
    await keeper.look(notified=True)
    assert "has ended with an error 2 times in a row" in ((await state(pool))[2] or "")
    await keeper.end()
    await working.check_files(pool, configured, "tiny")
    assert await state(pool) == ("READY", "PENDING", None, False)


async def test_work_when_another_process_has_it_then_nobody_else_takes_it(database: str, connection: Connection):
    other = await connect(database, application="other")
    assert not await package_work.is_taken(connection)
    assert await package_work.take(other)
    assert await package_work.is_taken(connection)
    assert not await package_work.take(connection)
    await other.close()
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'other'"
    await until(connection, sessions, expected=0)
    assert await package_work.take(connection)


async def test_work_when_packages_wait_then_only_what_can_be_done_now_is_found(
    pool: Pool, configured: PredictionSettings
):
    folder = configured.packages_folder
    finder = Finder(pool)
    assert not await finder.find(notified=True)
    for name, wanted in {"fits": {"symbol": "BTCUSDT"}, "lacks": {"symbol": "ETHUSDT"}, "any": {}, "old": {}}.items():
        await add_package(pool, folder, name, **wanted)
    await add_package(pool, folder, "new", checked=False)
    async with pool.acquire() as connection:
        await packages.archive(connection, "old")
    await put(pool, [*bars_of(market()), *bars_of(market(20), "ETHUSDT")])
    found = await finder.find(notified=True)
    assert (found.check, found.warm, found.trade) == (("new",), ("fits", "any"), ())
    assert "have 20 of 1500 candles of ETHUSDT 15m" in ((await state(pool, "lacks"))[2] or "")


async def test_work_when_many_packages_wait_then_a_look_asks_no_more_than_for_few_and_reads_no_manifest(
    pool: Pool, configured: PredictionSettings, connection: Connection, monkeypatch: pytest.MonkeyPatch
):
    await add_package(pool, configured.packages_folder, "any")
    for symbol, bars in {"BTCUSDT": 7, "ETHUSDT": 9, "SOLUSDT": 8}.items():
        await put(pool, bars_of(market(bars), symbol))
    asked: list[str] = []

    def counted(name: str) -> None:
        ask = getattr(Queries, name)

        async def note(queries: Queries, executor: Executor, query: str, /, **given: Any) -> Any:
            asked.append(query)
            return await ask(queries, executor, query, **given)

        monkeypatch.setattr(Queries, name, note)

    for name in ("fetch", "fetchrow", "fetchval", "execute"):
        counted(name)
    finder = Finder(pool)
    await finder.find(notified=True)
    asked.clear()
    await finder.find(notified=True)
    few = sorted(asked)
    await connection.execute(COPIES)
    await finder.find(notified=True)
    await connection.execute("UPDATE model_packages SET warmup_error = 'what a reader asked about' WHERE id = 'copy_7'")
    asked.clear()
    await finder.find(notified=True)
    assert sorted(asked) == sorted([*few, "tell_waiting"])
    told = await connection.fetch("SELECT left(warmup_error, 38), count(*) FROM model_packages GROUP BY 1 ORDER BY 1")
    # Where a manifest names no market it is the one with most.
    assert [tuple(one) for one in told] == [
        ("have 0 of 1500 candles of X 15m: none ", 30), ("have 9 of 1500 candles of ETHUSDT 15m:", 31)
    ]  # fmt: skip
    for name in ("waiting", "wanting", "followed"):
        assert "manifest" not in package_work._queries[name].text
    assert "manifest" not in packages._queries["list_page"].text


async def test_work_when_there_is_none_for_a_while_then_it_ends_unless_an_account_trades(
    database: str, pool: Pool, configured: PredictionSettings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(working, "IDLE_SECONDS", 0.2)
    monkeypatch.setattr(working, "LOOK_SECONDS", 0.1)
    await add_package(pool, configured.packages_folder, symbol="BTCUSDT")
    trading = "INSERT INTO paper_accounts (id, package_id, auto_trade, symbol) VALUES ('paper_tiny', 'tiny', true, 'X')"
    await pool.execute(trading)
    async with Wakeup(database, packages.CHANNEL) as changes:
        task = asyncio.create_task(working.work_on_packages(pool, configured, changes, asyncio.Event()))
        await asyncio.wait([task], timeout=1.5)
        assert not task.done()
        await pool.execute("UPDATE paper_accounts SET auto_trade = false")
        await asyncio.wait_for(task, 20)
