"""Tests of models on other rows, by a real worker: the figures, what is said about them, and how they fail."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from shared.artifact import read_artifact, verify
from tests.support.database import insert_rows, row
from tests.support.measuring import LATER, ask, at, test_on, train_all, until_told
from tests.support.training import learnable_rows, model_file, training_settings, until_over, working
from training_service.store import jobs, models, results

HORIZON = 5


@pytest.fixture
def settings(database, tmp_path):
    return training_settings(database, tmp_path)


@pytest.fixture
async def market(connection):
    rows = learnable_rows(minutes=300)
    # Minutes 400 to 420: prices stand still, so nobody's rises by 5 %.
    rows += [row(f"still{coin}", 60 * minute) for coin in range(5) for minute in range(400, 421)]
    await insert_rows(connection, rows)
    return rows


def remove(model):
    Path(model["model_file_path"]).unlink()


def damage(model):
    path = Path(model["model_file_path"])
    path.write_bytes(path.read_bytes()[:-10] + b"0123456789")


def codes(result):
    return {warning["code"] for warning in result["warnings"]}


async def test_the_figures_of_training_come_out_again_when_its_hold_out_is_tested(pool, settings, market):
    [model] = await train_all(pool, settings, {"use_engineered_features": True, "fee_pct": 0.5, "trade_size_sol": 1.0})

    # A fifth of the moments 0 to 150 is cut off for the hold-out.
    [result] = await test_on(pool, settings, model["id"], (121, 150))

    assert result["num_samples"] == model["metrics"]["counts"]["holdout_rows"]
    assert result["confusion_matrix"] == model["confusion_matrix"]
    same = {
        "accuracy": "training_accuracy", "f1_score": "training_f1", "precision_score": "training_precision",
        "recall": "training_recall", "roc_auc": "roc_auc", "mcc": "mcc", "fpr": "fpr", "fnr": "fnr",
        "expected_value_pct": "expected_value_pct", "simulated_profit_pct": "simulated_profit_pct",
    }  # fmt: skip
    assert {name: result[name] for name in same} == {name: model[other] for name, other in same.items()}
    assert result["expected_value_pct"] is not None
    for name in ("average_precision", "brier", "threshold_curve", "calibration_bins", "at_alert_threshold", "money"):
        assert result["metrics"][name] == model["metrics"][name]
    assert (result["accuracy_degradation"], result["f1_degradation"], result["is_overfitted"]) == (0, 0, False)
    assert result["has_overlap"]
    assert result["test_duration_days"] == pytest.approx(29 / 1440)
    assert {"overlap", "short_test"} <= codes(result)


def plain_table(rows, artifact, scorer):
    """Give the answered rows of the later window with their probability, the pedestrian way."""
    table = pd.DataFrame(rows)
    table["minute"] = (pd.to_datetime(table["timestamp"], utc=True) - at(0)).dt.total_seconds() / 60
    table = table.astype({"volume_sol": float}).sort_values(["mint", "minute"])
    coin = table.groupby("mint")
    table["price_change_5"] = (table["price_close"] / coin["price_close"].transform(_five_rows_before) - 1) * 100
    bought = coin["buy_volume_sol"].transform(lambda of: of.rolling(5, min_periods=1).sum())
    sold = coin["sell_volume_sol"].transform(lambda of: of.rolling(5, min_periods=1).sum())
    table["order_book_imbalance_5"] = (bought - sold) / (bought + sold)
    later = table[["mint", "minute", "price_close"]].assign(minute=table["minute"] - HORIZON)
    table = table.merge(later, on=["mint", "minute"], suffixes=("", "_later"))
    table["answer"] = table["price_close_later"] / table["price_close"] >= 1.05
    table = table[table["minute"].between(*LATER)]
    features = table[list(artifact.manifest.features)].to_numpy(np.float32)
    return table.assign(probability=scorer.probabilities(features))


def _five_rows_before(prices):
    return prices.shift(5).fillna(prices.iloc[0])


async def test_a_later_window_gives_what_file_and_rows_give_by_hand(pool, settings, market):
    [model] = await train_all(pool, settings, {})
    artifact = read_artifact(model_file(model), sha256=model["model_file_sha256"])
    table = plain_table(market, artifact, verify(artifact))

    [result] = await test_on(pool, settings, model["id"], LATER)

    said, true = table["probability"] >= model["decision_threshold"], table["answer"]
    counts = {"tp": said & true, "tn": ~said & ~true, "fp": said & ~true, "fn": ~said & true}
    assert {name: result[name] for name in counts} == {name: int(rows.sum()) for name, rows in counts.items()}
    assert result["num_samples"] == len(table) == 25 * 136
    assert result["num_positive"] == int(true.sum())
    assert result["accuracy"] == pytest.approx((said == true).mean())
    assert result["accuracy_degradation"] == pytest.approx(model["training_accuracy"] - result["accuracy"])
    assert result["train_recall"] == model["training_recall"]
    assert result["metrics"]["brier"] == pytest.approx(((table["probability"] - true) ** 2).mean())
    assert result["roc_auc"] > 0.7
    assert (result["has_overlap"], result["overlap_note"]) == (False, None)
    assert codes(result).isdisjoint({"overlap", "overfitting"})
    assert {"precision_recall_curve", "roc_curve", "periods", "money", "labels"} <= set(result["metrics"])


async def test_windows_at_the_edges_say_what_is_wrong_with_them(pool, settings, market):
    [model] = await train_all(pool, settings, {"train_start": at(50).isoformat()})

    windows = [(153, 250), (155, 250), (0, 30), (400, 410), (600, 700), (417, 420)]
    close, free, before, still, empty, open_end = await test_on(pool, settings, model["id"], *windows)

    assert close["has_overlap"]
    assert "shares 2 of its 97 minutes" in close["overlap_note"]
    assert not free["has_overlap"]
    assert before["has_overlap"]
    assert "the model knows what came after" in before["overlap_note"]
    assert (still["roc_auc"], still["mcc"], still["recall"]) == (None, None, None)
    assert (still["num_positive"], still["num_samples"]) == (0, 5 * 11)
    assert "one_class_holdout" in codes(still)
    assert {"short_test", "label_imbalance", "low_f1"} <= codes(still)
    assert empty["status"] == open_end["status"] == "FAILED"
    assert "holds no rows" in empty["error_msg"]
    assert "20 clock" in open_end["error_msg"]


async def test_a_repeated_test_renews_its_row(pool, settings, market, connection):
    [model] = await train_all(pool, settings, {})
    [first] = await test_on(pool, settings, model["id"], LATER)
    await connection.execute("UPDATE coin_metrics SET price_close = 3e-8 WHERE mint <= 'coin012'")

    [second] = await test_on(pool, settings, model["id"], LATER)

    assert (second["id"], second["created_at"]) == (first["id"], first["created_at"])
    assert second["updated_at"] > first["updated_at"]
    assert second["job_id"] > first["job_id"]
    assert second["num_positive"] < first["num_positive"]
    _, total = await results.list_tests(pool, model_id=model["id"], limit=10, offset=0)
    assert total == 1


async def test_a_file_that_is_gone_or_damaged_fails_the_test_with_what_to_do(pool, settings, market):
    gone, damaged = await train_all(pool, settings, {}, {"random_state": 1})
    remove(gone)
    damage(damaged)

    [first] = await test_on(pool, settings, gone["id"], LATER)
    [second] = await test_on(pool, settings, damaged["id"], LATER)

    assert (first["status"], second["status"]) == ("FAILED", "FAILED")
    assert "is gone from the model store: train the model again" in first["error_msg"]
    assert "it is damaged): train the model again" in second["error_msg"]
    assert (first["attempts"], second["attempts"]) == (1, 1)


async def test_a_model_deleted_while_it_is_tested_leaves_no_result(pool, settings, market, connection):
    [model] = await train_all(pool, settings, {})

    async with working(settings):
        # The process that tests waits for this lock when it reads the rows.
        async with connection.transaction():
            await connection.execute("LOCK TABLE coin_metrics IN ACCESS EXCLUSIVE MODE")
            job_id = await ask(pool, model["id"])
            await until_told(pool, job_id, "load")
            assert await models.delete(pool, model["id"])
        job = await until_over(pool, job_id)

    assert (job["status"], job["attempts"]) == ("FAILED", 1)
    assert f"model {model['id']} was deleted while it was measured" in job["error_msg"]
    assert await connection.fetchval("SELECT count(*) FROM ml_test_results") == 0


async def test_a_model_deleted_before_its_test_starts_fails_it_and_retrying_does_not_help(pool, settings, market):
    [model] = await train_all(pool, settings, {})
    job_id = await ask(pool, model["id"])
    await models.delete(pool, model["id"])

    async with working(settings):
        job = await until_over(pool, job_id)

    assert "was deleted before it could be tested" in job["error_msg"]
    async with pool.acquire() as connection:
        retried = await jobs.retry(connection, job_id, name=None)
    assert (retried["status"], retried["model_name"]) == ("PENDING", None)


async def test_steps_of_a_test_are_told_in_the_log(pool, settings, market):
    [model] = await train_all(pool, settings, {})
    job_id = await ask(pool, model["id"])
    async with working(settings):
        job = await until_over(pool, job_id)

    told = [line["message"].split(":")[0] for line in job["log"]]
    assert [step for step in told if step in {"open", "load", "answer", "evaluate"}] == [
        "open",
        "load",
        "answer",
        "evaluate",
    ]
    assert job["progress"] == 1
    assert f"test result {job['result_test_id']}" in job["progress_msg"]
