"""Jobs from request to model: what is written, and what fails with which words."""

import asyncio
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from shared.artifact import read_artifact, verify
from tests.support.database import START, insert_rows
from tests.support.serving import api_of, served
from tests.support.training import (
    create,
    learnable_rows,
    model_file,
    train,
    training_settings,
    until_over,
    working,
)
from training_service.app import build

both_types = pytest.mark.parametrize("model_type", ["random_forest", "xgboost"])


@pytest.fixture
def settings(database, tmp_path):
    return training_settings(database, tmp_path)


@pytest.fixture
async def market(connection):
    await insert_rows(connection, learnable_rows())


@both_types
async def test_a_job_ends_with_a_model_that_learnt_and_a_file_that_proves_itself(
    pool, settings, market, model_type, tmp_path
):
    job, model = await train(pool, settings, model_type=model_type, use_engineered_features=True)

    assert (job["status"], job["error_msg"], job["attempts"], job["progress"]) == ("COMPLETED", None, 0, 1)
    assert model["status"] == "READY"
    assert model["roc_auc"] > 0.7
    counts, confusion = model["metrics"]["counts"], model["confusion_matrix"]
    assert sum(confusion.values()) == counts["holdout_rows"]
    assert (
        counts["fit_rows"] + counts["calibration_rows"] + counts["holdout_rows"] + counts["purged_rows"]
        == (counts["resolved"])
    )
    assert model["training_accuracy"] == (confusion["tp"] + confusion["tn"]) / counts["holdout_rows"]
    assert sum(model["feature_importance"].values()) == pytest.approx(1, abs=1e-9)
    assert model["model_file_path"] == str(tmp_path / f"models/training/model_{model_type}_{model['id']}.zip")
    content = model_file(model)
    artifact = read_artifact(content, sha256=model["model_file_sha256"])
    verify(artifact)
    assert artifact.manifest.model_id == model["id"]
    assert list(artifact.manifest.features) == model["features"]
    assert artifact.manifest.alert_threshold == model["alert_threshold"]
    assert len(artifact.manifest.golden) == 12
    holed = [window for window in artifact.manifest.golden if any(None in cells for cells in window.columns.values())]
    assert len(holed) >= 4
    told = artifact.manifest.score_histogram
    assert sum(told.counts) >= counts["holdout_rows"]
    assert 0 <= told.edges[0] < told.edges[-1] <= 1
    for histogram in artifact.manifest.histograms.values():
        assert sum(histogram.counts) + histogram.missing >= counts["fit_rows"] + counts["calibration_rows"]


@both_types
async def test_the_same_request_gives_the_same_model_to_the_last_digit(pool, settings, market, model_type):
    changes = {"model_type": model_type, "use_timeseries_split": True, "cv_splits": 3}
    _, first = await train(pool, settings, **changes)
    _, second = await train(pool, settings, **changes, force=True)

    own = {"id", "name", "job_id", "created_at", "model_file_path", "model_file_sha256"}
    assert {key: value for key, value in first.items() if key not in own} == {
        key: value for key, value in second.items() if key not in own
    }
    assert second["name"] == "a model (2)"
    digests = {read_artifact(model_file(model)).manifest.onnx_sha256 for model in (first, second)}
    assert len(digests) == 1


async def test_cross_validation_gives_scores_of_each_fold(pool, settings, market):
    _, model = await train(pool, settings, use_timeseries_split=True, cv_splits=4)

    scores = model["cv_scores"]
    assert scores["folds"] == 4
    assert scores["train_rows"] == sorted(scores["train_rows"])
    assert all(0.5 < accuracy <= 1 for accuracy in scores["test_accuracy"])
    gap = sum(scores["train_accuracy"]) / 4 - sum(scores["test_accuracy"]) / 4
    assert model["cv_overfitting_gap"] == pytest.approx(gap, abs=1e-12)


async def test_cross_validation_with_fewer_folds_than_asked_for_says_so(pool, settings, market):
    # For an hour nothing rises: the first folds hold one answer only.
    await pool.execute("UPDATE coin_metrics SET price_close = 3e-8 WHERE timestamp < $1", START + timedelta(minutes=60))
    _, model = await train(pool, settings, use_timeseries_split=True, cv_splits=10)

    folds = model["cv_scores"]["folds"]
    assert 0 < folds < 10
    (notice,) = [warning for warning in model["warnings"] if warning["code"] == "fewer_folds"]
    assert notice["message"].startswith(f"{folds} of the 10 folds asked for were scored")


async def test_a_refitted_model_keeps_figures_and_thresholds_of_the_one_that_was_measured(pool, settings, market):
    _, measured = await train(pool, settings)
    _, refitted = await train(pool, settings, refit=True)

    for column in ("roc_auc", "confusion_matrix", "decision_threshold", "alert_threshold"):
        assert refitted[column] == measured[column]
    first, second = (read_artifact(model_file(model)) for model in (measured, refitted))
    assert first.onnx != second.onnx
    assert first.manifest.score_histogram == second.manifest.score_histogram
    assert first.manifest.histograms != second.manifest.histograms
    assert "refitted" in [warning["code"] for warning in refitted["warnings"]]


async def test_a_rule_target_is_learnt_without_the_columns_that_give_it_away(pool, settings, market):
    rule = {"use_time_based_prediction": False, "future_minutes": ..., "min_percent_change": ...}
    job, model = await train(
        pool, settings, **rule, target_var="price_close", operator=">", target_value=3.2e-8,
        features=["price_close", "market_cap_close", "virtual_sol_reserves", "buy_volume_sol", "price_change_10"],
    )  # fmt: skip

    assert job["status"] == "COMPLETED", job["error_msg"]
    assert model["features"] == ["buy_volume_sol", "price_change_10"]
    assert (model["target_operator"], model["target_value"], model["future_minutes"]) == (">", 3.2e-8, None)
    assert model["expected_value_pct"] is None


async def test_a_column_that_is_always_null_leaves_the_model_with_a_warning(pool, settings, market, connection):
    await connection.execute("UPDATE coin_metrics SET unique_wallets = NULL")
    _, model = await train(pool, settings, features=["unique_wallets", "buy_volume_sol", "sell_volume_sol"])

    assert model["features"] == ["buy_volume_sol", "sell_volume_sol"]
    assert "all_null_feature" in [warning["code"] for warning in model["warnings"]]


FAILING = {
    "no rows": (
        {"train_start": "2026-01-01T00:00:00Z", "train_end": "2026-01-02T00:00:00Z"}, "",
        "coin_metrics holds no rows from 2026-01-01T00:00:00+00:00 to 2026-01-02T00:00:00+00:00",
    ),
    "one class": (
        {"min_percent_change": 5000}, "",
        "rows have the same answer (base rate 0%); the nearest min_percent_change that gives both is ",
    ),
    "missing column": ({}, "ALTER TABLE coin_metrics DROP buy_volume_sol", "coin_metrics has no column buy_volume_sol"),
    "missing table": ({}, "DROP TABLE coin_metrics", "the table coin_metrics does not exist"),
    "no phase": ({"phases": [77]}, "", "rows of the window lies in phases [77]"),
    "everything purged": ({"future_minutes": 100, "min_percent_change": 1}, "", "no rows are left for "),
}  # fmt: skip


@pytest.mark.parametrize("case", list(FAILING))
async def test_a_job_that_cannot_succeed_fails_at_once_with_the_reason(pool, settings, market, connection, case):
    changes, statement, told = FAILING[case]
    if statement:
        await connection.execute(statement)

    job, _ = await train(pool, settings, **changes)

    assert (job["status"], job["attempts"], job["result_model_id"]) == ("FAILED", 1, None)
    assert told in job["error_msg"]
    assert [line["message"].partition(":")[0] for line in job["log"][2:3]] == ["load"]
    assert (job["log"][-1]["level"], job["log"][-1]["message"]) == ("error", job["error_msg"])
    assert not list((settings.model_folder("training")).rglob("*.zip"))


async def test_a_window_with_too_many_rows_is_refused(pool, database, tmp_path, market):
    job, _ = await train(pool, training_settings(database, tmp_path, max_training_rows=100))

    assert job["status"] == "FAILED"
    assert "more than MAX_TRAINING_ROWS (100)" in job["error_msg"]


async def test_a_download_is_the_file_whole_in_parts_or_not_at_all(pool, settings, market):
    _, model = await train(pool, settings)
    content = model_file(model)
    tag = f'"{model["model_file_sha256"]}"'
    async with served(build(settings)) as url:
        path = f"{url}/api/models/{model['id']}/download"
        async with aiohttp.ClientSession() as session:
            async with session.get(path) as answer:
                assert await answer.read() == content
                assert answer.headers["ETag"] == tag
                assert answer.headers["Content-Length"] == str(len(content))
                assert answer.headers["Content-Type"] == "application/zip"
            async with session.get(path, headers={"Range": "bytes=100-199", "If-Range": tag}) as answer:
                assert answer.status == 206
                assert await answer.read() == content[100:200]
            for beyond in (f"bytes={len(content)}-", "bytes=-0"):
                async with session.get(path, headers={"Range": beyond}) as answer:
                    assert answer.status == 416
                    assert answer.headers["Content-Type"] == "application/problem+json"
                    assert answer.headers["Content-Range"] == f"bytes */{len(content)}"
                    assert (await answer.json())["code"] == "requested_range_not_satisfiable"
            for senseless in ("bytes=abc", "lines=1-2", "bytes=9-3", "bytes", "bytes=", "bytes=0-1,x"):
                async with session.get(path, headers={"Range": senseless}) as answer:
                    assert (answer.status, await answer.read()) == (200, content)
            async with session.get(path, headers={"Range": f"Bytes = 5-9 , {len(content)}-"}) as answer:
                assert (answer.status, await answer.read()) == (206, content[5:10])
            async with session.get(path, headers={"Range": "bytes=0-9", "If-Range": '"other"'}) as answer:
                assert answer.status == 200
            async with session.get(path, headers={"If-None-Match": f'"x", {tag}'}) as answer:
                assert answer.status == 304
            async with session.delete(f"{url}/api/models/{model['id']}") as answer:
                assert answer.status == 204
            async with session.get(path) as answer:
                assert await answer.read() == content, "a deleted model can still be fetched"
            await asyncio.to_thread(Path(model["model_file_path"]).unlink)
            async with session.get(path) as answer:
                assert answer.status == 404
                assert "train the model again" in (await answer.json())["detail"]


async def test_a_finished_job_shows_its_model(pool, settings, market):
    job, model = await train(pool, settings)
    async with api_of(build(settings)) as api:
        _, shown = await api.get(f"/api/queue/{job['id']}")

    assert shown["result_model"]["id"] == model["id"]
    assert shown["result_model"]["confusion_matrix"] == model["confusion_matrix"]


async def test_doubts_foretold_at_the_acceptance_give_way_to_those_of_the_rows_that_were_read(
    pool, settings, connection
):
    foretold = [
        {"code": code, "message": "as it was when the job was asked for"}
        for code in ("few_rows", "few_coins", "no_history", "window_not_over", "target_in_features")
    ]
    await insert_rows(connection, learnable_rows(coins=9))
    job_id = await create(pool)
    await pool.execute("UPDATE ml_jobs SET warnings = $1 WHERE id = $2", foretold, job_id)
    async with working(settings):
        job = await until_over(pool, job_id)

    told = {warning["code"]: warning["message"] for warning in job["warnings"]}
    assert {"few_coins", "no_history", "window_not_over"} < told.keys()
    assert told["few_coins"] == "9 coins are few to learn from: others may be different"
    assert "few_rows" not in told, "there are more than a thousand by now"
    assert told["target_in_features"] == foretold[-1]["message"]
    assert [code for code, message in told.items() if message == foretold[0]["message"]] == ["target_in_features"]
