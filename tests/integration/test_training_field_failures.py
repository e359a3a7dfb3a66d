"""What has failed jobs in the field: refused at once, or told beforehand in the words with which the job ends."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from shared.errors import JobFailed
from tests.support.database import START, insert_rows
from tests.support.serving import Api, api_of
from tests.support.training import body, learnable_rows, training_settings, until_over, working
from training_service.app import build
from training_service.usecases.task import TrainTask
from training_service.usecases.train import train

MAX_ROWS = 4000


@pytest.fixture
def settings(database, tmp_path):
    return training_settings(database, tmp_path, max_training_rows=MAX_ROWS)


@pytest.fixture
async def market(connection):
    await insert_rows(connection, learnable_rows())


@pytest.fixture
async def api(settings) -> AsyncIterator[Api]:
    async with api_of(build(settings)) as client:
        yield client


def minutes(number):
    return (START + timedelta(minutes=number)).isoformat()


async def run(api, pool, settings, **changes):
    """Look at a request, let it become a job, and give the report and the job at its end."""
    status, report = await api.post("/api/models/preflight", body(**changes))
    assert status == 200, report
    _, created = await api.post("/api/models/create", body(**changes))
    async with working(settings):
        await until_over(pool, created["job_id"])
    _, job = await api.get(f"/api/queue/{created['job_id']}")
    return report, created, job


HIT = {
    "use_time_based_prediction": False, "future_minutes": ..., "min_percent_change": ..., "target_var": "num_buys",
    "operator": ">", "target_value": 10, "features": ["price_close", "buy_volume_sol"],
}  # fmt: skip

FAILING = {
    "no row reaches the threshold": (
        {"min_percent_change": 5000}, "",
        "all 3625 rows have the same answer (base rate 0%); the nearest min_percent_change that gives both is ",
    ),
    "every row reaches the threshold": (
        {
            "use_time_based_prediction": False, "future_minutes": ..., "min_percent_change": ...,
            "target_var": "buy_volume_sol", "operator": ">=", "target_value": 0.0, "features": ["price_close"],
        },
        "",
        "all 3750 rows have the same answer (base rate 100%); the nearest target_value that gives both is ",
    ),
    "nothing ever changes": (
        {}, "UPDATE coin_metrics SET price_close = 3e-8", "(base rate 0%); no min_percent_change would give both",
    ),
    "a window before everything": (
        {"train_start": "2026-01-01T00:00:00Z", "train_end": "2026-01-02T00:00:00Z"}, "",
        "holds no rows from 2026-01-01T00:00:00+00:00 to 2026-01-02T00:00:00+00:00: GET /data-availability says which",
    ),
    "a window in the future": (
        {"train_start": "2126-01-01T00:00:00Z", "train_end": "2126-01-02T00:00:00Z"}, "",
        "coin_metrics holds no rows from 2126-01-01T00:00:00+00:00",
    ),
    "an empty table": ({}, "TRUNCATE coin_metrics", "coin_metrics holds no rows: load some with `pumpcast load`"),
    "no table": ({}, "DROP TABLE coin_metrics", "the table coin_metrics does not exist: start the tracker"),
    "columns the tracker does not have": (
        {"features": ["unique_wallets", "volume_sol", "is_koth"]},
        "ALTER TABLE coin_metrics DROP unique_wallets, DROP is_koth",
        "coin_metrics has no column unique_wallets and no column is_koth",
    ),
    "no column of the target": (
        {"target_var": "market_cap_close"}, "ALTER TABLE coin_metrics DROP market_cap_close",
        "coin_metrics has no column market_cap_close",
    ),
    "features that are always missing": (
        {"features": ["unique_wallets", "is_koth"]}, "UPDATE coin_metrics SET unique_wallets = NULL, is_koth = NULL",
        "every feature is missing in every row of the window: choose other features",
    ),
    "a phase nobody is in": ({"phases": [77, 78]}, "", "none of the 3750 rows of the window lies in phases [77, 78]"),
    "answers that nobody knows yet": (
        {"train_start": minutes(140), "train_end": minutes(170), "future_minutes": 20}, "",
        "none of the 250 rows of the window has a known answer: 250 clock",
    ),
    "a target that is always missing": (
        {}, "UPDATE coin_metrics SET price_close = NULL", "has a known answer: 3750 value missing",
    ),
    "a horizon that leaves nothing to learn from": (
        {"future_minutes": 100, "min_percent_change": 1}, "", "no rows are left for ",
    ),
    "an answer that occurs only at the end": (
        {}, "UPDATE coin_metrics SET price_close = 3e-8 WHERE timestamp < '2026-03-01T14:10:00Z'",
        "hold one answer only",
    ),
    "more rows than allowed": (
        {}, "INSERT INTO coin_metrics (mint, timestamp) SELECT mint, timestamp + interval '30 s' FROM coin_metrics",
        f"more than MAX_TRAINING_ROWS ({MAX_ROWS}): take a shorter window or raise the setting; sample_by_coin 0.",
    ),
    "one rare row in an early fold": (
        {**HIT, "use_smote": True, "use_timeseries_split": True},
        "UPDATE coin_metrics SET num_buys = 50 WHERE timestamp > '2026-03-01T13:00:00Z' AND id % 9 = 0 OR id = 1",
        "fold 1 of 5 of the cross-validation: SMOTE needs two rows of the rarer answer; positive ones among the",
    ),
    "no fold that a search can be scored on": (
        {**HIT, "trials": 2, "cv_splits": 2},
        "UPDATE coin_metrics SET num_buys = 50 WHERE timestamp > '2026-03-01T13:24:00Z' AND id % 3 = 0",
        "no fold of the cross-validation holds both answers before and a positive one after",
    ),
    "a sample too small for any coin": (
        {"sample_by_coin": 1e-9}, "", "sample_by_coin 1e-09 takes none of the 25 coins of the window",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", list(FAILING))
async def test_preflight_tells_in_which_words_the_job_will_fail(api, pool, settings, market, connection, case):
    changes, statement, told = FAILING[case]
    if statement:
        await connection.execute(statement)

    _, report = await api.post("/api/models/preflight", body(**changes))
    path = "tune" if "trials" in changes else "create"
    _, created = await api.post(f"/api/models/{path}", body(**changes))

    assert report["ok"] is False
    assert told in report["errors"][0]
    assert created["warnings"][0] == {"code": "will_fail", "message": report["errors"][0]}
    _, job = await api.get(f"/api/queue/{created['job_id']}")
    # What the process that fits does, without the time to start one.
    work = TrainTask(
        job_id=job["id"], model_id=1, name=job["model_name"], request=job["request"], features=job["train_features"],
        params=job["train_params"], dsn=settings.db_dsn, path=settings.home / "model.zip", signing_key="",
        max_rows=MAX_ROWS, is_tuned=job["job_type"] == "TUNE",
    )  # fmt: skip
    with pytest.raises(JobFailed) as failed:
        train(work, lambda _step: None)
    assert failed.value.message == report["errors"][0]


@pytest.mark.parametrize("case", ["no row reaches the threshold", "more rows than allowed"])
async def test_a_job_that_fails_as_foretold_leaves_nothing_behind(api, pool, settings, market, connection, case):
    changes, statement, _ = FAILING[case]
    if statement:
        await connection.execute(statement)

    report, _, job = await run(api, pool, settings, **changes)

    assert (job["status"], job["error_msg"]) == ("FAILED", report["errors"][0])
    # It is not tried again in vain.
    assert (job["attempts"], job["result_model"]) == (1, None)
    assert await connection.fetchval("SELECT count(*) FROM ml_models") == 0
    assert not list(settings.model_folder("training").rglob("*.zip"))


@pytest.mark.parametrize(
    "changes",
    [
        {"min_percent_change": 5000},
        {"min_percent_change": 5000, "direction": "down", "label_mode": "within_horizon"},
        {
            "use_time_based_prediction": False, "future_minutes": ..., "min_percent_change": ...,
            "target_var": "buy_volume_sol", "operator": "<", "target_value": 0.0, "features": ["price_change_5"],
        },
    ],
)  # fmt: skip
async def test_the_nearest_threshold_that_is_named_trains(api, pool, settings, market, changes):
    _, report = await api.post("/api/models/preflight", body(**changes))
    told = float(report["errors"][0].rpartition(" ")[2])
    assert told == report["workable_threshold"] != report["nearest_threshold"]
    name = "min_percent_change" if "min_percent_change" in report["errors"][0] else "target_value"

    again, _, job = await run(api, pool, settings, **{**changes, name: told})

    assert again["ok"], again["errors"]
    assert (job["status"], job["error_msg"]) == ("COMPLETED", None)


async def test_the_share_of_coins_that_is_named_trains(api, pool, settings, market, connection):
    await connection.execute(FAILING["more rows than allowed"][1])
    _, report = await api.post("/api/models/preflight", body())
    share = float(report["errors"][0].partition("sample_by_coin ")[2].partition(" ")[0])

    again, _, job = await run(api, pool, settings, sample_by_coin=share)

    assert again["ok"], again["errors"]
    assert job["status"] == "COMPLETED", job["error_msg"]
    assert again["rows"] <= MAX_ROWS
    assert job["result_model"]["status"] == "READY"
    told = [warning for warning in job["warnings"] if warning["code"] == "sampled_by_coin"]
    assert len(told) == 1


REFUSED = {
    "auto": ({"features": ["auto"]}, "/features", "Unknown features: 'auto'"),
    "a feature nobody computes": ({"features": ["volume_sl", "price_roc_999"]}, "/features", "near: volume_sol"),
    "an unknown target": ({"target_var": "auto"}, "/target_var", "must be one of price_open"),
    "no target": ({"future_minutes": ..., "min_percent_change": ...}, "/future_minutes", "is needed when"),
    "half a rule": (
        {"use_time_based_prediction": False, "future_minutes": ..., "min_percent_change": ..., "operator": ">"},
        "/target_value", "is needed when",
    ),
    "a type of model that does not exist": ({"model_type": "random_forrest"}, "/model_type", "random_forest"),
    "a horizon longer than the window": ({"future_minutes": 151}, "/future_minutes", "longer than the training window"),
    "no features": ({"features": []}, "/features", "at least 1 item"),
    "all of the coins as a share": ({"sample_by_coin": 1.0}, "/sample_by_coin", "less than 1"),
}  # fmt: skip


@pytest.mark.parametrize("path", ["create", "preflight"])
@pytest.mark.parametrize("case", list(REFUSED))
async def test_what_the_request_alone_shows_is_refused_with_the_field(api, connection, case, path):
    changes, pointer, told = REFUSED[case]

    status, problem = await api.post(f"/api/models/{path}", body(**changes))

    assert status == 422
    assert [error for error in problem["errors"] if error["pointer"] == pointer and told in error["detail"]], problem
    assert await connection.fetchval("SELECT count(*) FROM ml_jobs") == 0
