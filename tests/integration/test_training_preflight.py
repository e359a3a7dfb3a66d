"""What is told of a request before anything is fitted, and whether it is true."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import numpy as np
import pytest

from shared.contracts.model_request import CreateModel
from shared.db import connect
from shared.errors import Unavailable
from shared.features import FeatureSpec
from tests.support.database import START, insert_rows, row
from tests.support.serving import Api, api_of
from tests.support.training import MINUTES, body, learnable_rows, training_settings
from training_service.app import build
from training_service.usecases import jobs
from training_service.usecases.preflight import Preflight
from training_service.usecases.prepare import build_dataset, load_rows

PATH = "/api/models/preflight"
ENGINEERED = {"use_engineered_features": True, "feature_engineering_windows": [1, 4, 15]}


@pytest.fixture
async def market(connection):
    await insert_rows(connection, learnable_rows())


@pytest.fixture
async def api(database, tmp_path) -> AsyncIterator[Api]:
    async with api_of(build(training_settings(database, tmp_path))) as client:
        yield client


async def report_of(api, **changes):
    status, report = await api.post(PATH, body(**changes))
    assert status == 200, report
    return report


def codes(report):
    return [warning["code"] for warning in report["warnings"]]


def dataset_of(dsn, **changes):
    """Give the rows that a job of the same request would learn from."""
    asked = CreateModel.model_validate(body(**changes))
    target = asked.target().to_target()
    spec, _ = FeatureSpec.resolve(
        asked.features, use_engineered=asked.use_engineered_features, windows=asked.feature_engineering_windows,
        target=target,
    )  # fmt: skip
    loaded = load_rows(asked, spec, target, dsn=dsn, max_rows=10**7)
    return loaded, build_dataset(loaded, asked, spec, target)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"label_resolution": "observed", "label_mode": "within_horizon", "min_percent_change": 10},
        {"train_start": (START + timedelta(minutes=40)).isoformat(), **ENGINEERED},
        {"train_end": (START + timedelta(minutes=70)).isoformat(), "phases": [1], "direction": "down"},
        {
            "use_time_based_prediction": False, "future_minutes": ..., "min_percent_change": ...,
            "target_var": "volume_sol", "operator": ">", "target_value": 4.0, "features": ["price_close", "num_buys"],
        },
    ],
)  # fmt: skip
async def test_a_report_counts_what_the_job_would_learn_from(api, database, market, connection, changes):
    await connection.execute("UPDATE coin_metrics SET phase_id_at_time = 2 WHERE mint = 'coin003'")
    await connection.execute(
        "DELETE FROM coin_metrics WHERE mint = 'coin005' AND timestamp > $1", START + timedelta(hours=1)
    )

    report = await report_of(api, **changes)

    loaded, data = dataset_of(database, **changes)
    readings = data.readings
    assert report["ok"] is True
    assert report["errors"] == []
    assert (report["rows"], report["resolved"], report["positives"]) == (
        readings.rows, readings.resolved, readings.positives,
    )  # fmt: skip
    assert report["unresolved"] == sum(readings.unresolved.values()) == sum(report["unresolved_by_reason"].values())
    assert report["resolved_without_observation"] == readings.resolved_without_observation
    assert report["base_rate"] == data.answers.mean()
    assert report["base_rate_observed"] == readings.observed_rate
    assert report["base_rate_recording"] == readings.recording_rate
    assert report["history_rows"] == np.count_nonzero(
        loaded.rows.timestamp < loaded.rows.timestamp[loaded.in_window].min()
    )
    parts = report["parts"]
    assert parts["fit"] + parts["calibration"] + parts["holdout"] + parts["purged"] == readings.resolved


async def test_a_repeated_moment_counts_once(api, market, connection):
    before = await report_of(api)
    await insert_rows(connection, [row(f"coin{number:03d}", 600) for number in range(25)])

    assert (await report_of(api))["rows"] == before["rows"]


@pytest.mark.parametrize("odd", [False, True])
async def test_the_share_of_missing_values_is_that_of_the_features_as_built(api, database, market, connection, odd):
    for number, name in enumerate(("buy_volume_sol", "price_high", "price_close", "market_cap_close", "num_buys")):
        await connection.execute(f"UPDATE coin_metrics SET {name} = NULL WHERE id % 17 = {number}")
    await connection.execute("UPDATE coin_metrics SET price_low = 0 WHERE id % 31 = 5")
    await connection.execute("UPDATE coin_metrics SET is_koth = id % 2 = 0")
    if odd:
        await connection.execute("UPDATE coin_metrics SET volume_sol = 1e60, sell_volume_sol = -1 WHERE id % 101 = 7")
    changes = {
        **ENGINEERED, "features": ["volume_sol", "num_buys", "unique_wallets", "price_low"],
        "train_start": (START + timedelta(minutes=30)).isoformat(),
    }  # fmt: skip

    report = await report_of(api, **changes)

    # A rule whose answer is always known keeps every row of the window.
    rule = {"use_time_based_prediction": False, "future_minutes": ..., "min_percent_change": ...}
    _, data = dataset_of(database, **changes, **rule, target_var="is_koth", operator=">", target_value=0)
    shares = dict(zip(data.spec.names, np.isnan(data.features).mean(axis=0), strict=True))
    assert len(shares) == 4 + 7 * 3
    assert {name: report["null_share"][name] for name in shares} == shares
    assert 0 < shares["volume_ratio_4"] < shares["volume_ratio_15"]
    # The target and the columns that features are made of are told as well.
    assert 0.05 < report["null_share"]["price_close"] < 0.07


async def test_a_feature_without_values_is_told_as_the_job_will_tell_it(api, database, market, connection):
    await connection.execute("UPDATE coin_metrics SET unique_wallets = NULL")
    changes = {"features": ["price_close", "unique_wallets", "buy_volume_sol"]}

    report = await report_of(api, **changes)

    _, data = dataset_of(database, **changes)
    assert report["null_share"]["unique_wallets"] == 1
    told = {warning["code"]: warning["message"] for warning in report["warnings"]}
    assert told["all_null_feature"] == data.notices[0].message
    assert "target_in_features" in told


async def test_a_window_that_is_not_over_or_has_no_past_or_few_rows_is_told(api, market):
    later = (START + timedelta(minutes=MINUTES + 60)).isoformat()
    assert {"window_not_over", "no_history"} <= set(codes(await report_of(api, train_end=later)))
    inside = {
        "train_start": (START + timedelta(minutes=20)).isoformat(),
        "train_end": (START + timedelta(minutes=60)).isoformat(),
    }
    assert not {"window_not_over", "no_history", "few_coins"} & set(codes(await report_of(api, **inside)))
    assert {"few_rows", "few_coins"} <= set(codes(await report_of(api, **inside, sample_by_coin=0.2)))


async def test_a_sample_is_told_with_its_coins(api, market):
    report = await report_of(api, sample_by_coin=0.5)

    assert 3 < report["coins"] < 22
    assert f"kept {report['coins']} of the 25 coins" in next(
        warning["message"] for warning in report["warnings"] if warning["code"] == "sampled_by_coin"
    )
    assert (await report_of(api, sample_by_coin=0.5))["rows"] == report["rows"]


async def test_every_missing_column_is_told_beside_what_else_is_wrong(api, market, connection):
    await connection.execute("ALTER TABLE coin_metrics DROP num_buys, DROP is_koth")

    report = await report_of(api, features=["num_buys", "is_koth", "volume_sol"])

    assert report["missing_columns"] == ["num_buys", "is_koth"]
    assert report["errors"] == ["coin_metrics has no column num_buys and no column is_koth"]
    assert report["rows"] is None


async def test_what_the_request_alone_shows_to_be_wrong_is_refused(api):
    for changes in ({"features": ["auto"]}, {"model_type": "lstm"}, {"future_minutes": MINUTES + 1}):
        status, problem = await api.post(PATH, body(**changes))
        assert status == 422, problem


async def test_a_locked_table_is_an_unavailable_report_and_a_job_that_says_so(database, pool, market, monkeypatch):
    monkeypatch.setattr(jobs, "CREATE_SECONDS", 0.3)
    looks = Preflight(database, max_rows=10**6)
    asked = CreateModel.model_validate(body())
    blocker = await connect(database)
    try:
        async with blocker.transaction():
            await blocker.execute("LOCK TABLE coin_metrics IN ACCESS EXCLUSIVE MODE")
            created = await jobs.enqueue(pool, looks, request=asked, request_id="test")
    finally:
        await blocker.close()

    assert created.status == "PENDING"
    (warned,) = created.warnings
    assert warned.code == "not_preflighted"
    await looks.end()
    assert (await looks.report(pool, asked)).ok


async def test_an_odd_number_is_looked_at_with_its_own_column_and_changes_nothing_else(api, market, connection):
    changes = {**ENGINEERED, "features": ["volume_sol", "num_buys", "price_low"]}
    before = await report_of(api, **changes)
    await connection.execute("UPDATE coin_metrics SET volume_sol = 1e60 WHERE id = 700")

    report = await report_of(api, **changes)

    assert report["null_share"]["volume_sol"] > before["null_share"]["volume_sol"]
    for name in ("rows", "positives", "parts", "unresolved_by_reason", "ok"):
        assert report[name] == before[name]


async def test_a_search_is_looked_at_with_its_trials(api, market):
    plain, searched = await report_of(api), await report_of(api, trials=20, search_space={})

    assert searched["estimated_seconds"] > 5 * plain["estimated_seconds"] / 2
    status, problem = await api.post(PATH, body(trials=5, search_space={"max_depth": {"low": "x", "high": 9}}))
    assert status == 422
    assert "/search_space/max_depth/low" in [error["pointer"] for error in problem["errors"]]
    assert not [error for error in problem["errors"] if "tune" in error["pointer"] or "Range" in error["pointer"]]


async def test_resampling_is_told_with_its_time(api, market):
    rarer = {"min_percent_change": 10, "use_timeseries_split": True}

    plain = await report_of(api, **rarer)
    resampled = await report_of(api, **rarer, use_smote=True)

    assert resampled["errors"] == []
    assert resampled["estimated_seconds"] >= plain["estimated_seconds"]


async def test_reports_wait_for_their_turn_and_give_up_in_time(database, pool, market, monkeypatch):
    looks = Preflight(database, max_rows=10**6)
    asked = CreateModel.model_validate(body())

    reports = await asyncio.gather(*(looks.report(pool, asked) for _ in range(5)))

    assert {report.rows for report in reports} == {reports[0].rows}
    monkeypatch.setattr("training_service.usecases.preflight.PATIENCE_SECONDS", 0.2)
    blocker = await connect(database)
    try:
        async with blocker.transaction():
            await blocker.execute("LOCK TABLE coin_metrics IN ACCESS EXCLUSIVE MODE")
            outcomes = await asyncio.gather(*(looks.report(pool, asked) for _ in range(3)), return_exceptions=True)
    finally:
        await blocker.close()
    assert all(isinstance(outcome, Unavailable) for outcome in outcomes)
    assert (await looks.report(pool, asked)).ok


async def test_a_caller_that_leaves_does_not_block_the_next(database, pool, market):
    looks = Preflight(database, max_rows=10**6)
    asked = CreateModel.model_validate(body())
    leaving = asyncio.create_task(looks.report(pool, asked))
    await asyncio.sleep(0.02)
    leaving.cancel()

    assert (await looks.report(pool, asked)).ok


async def test_a_database_that_is_gone_is_told(pool):
    looks = Preflight("postgresql://nobody@127.0.0.1:1/none", max_rows=10**6)

    with pytest.raises(Unavailable, match="coin_metrics cannot be read"):
        await looks.report(pool, CreateModel.model_validate(body()))


async def test_a_created_job_carries_what_the_look_found(api, market):
    status, created = await api.post("/api/models/create", body(min_percent_change=5000, sample_by_coin=0.5))

    report = await report_of(api, min_percent_change=5000, sample_by_coin=0.5)
    assert status == 201
    assert created["warnings"][0] == {"code": "will_fail", "message": report["errors"][0]}
    assert created["warnings"][1:] == report["warnings"]
    _, job = await api.get(f"/api/queue/{created['job_id']}")
    assert job["warnings"] == created["warnings"]
