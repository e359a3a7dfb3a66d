"""Comparisons of models by a real worker: the same rows for all, a winner only where it is proved."""

from pathlib import Path

import numpy as np
import pytest

from shared.artifact import read_artifact, verify
from shared.scoring import average_precision, brier, roc_auc
from tests.support.database import insert_rows
from tests.support.measuring import ask_to_compare, compare, test_on, train_all, until_told
from tests.support.training import learnable_rows, model_file, training_settings, until_over, working
from training_service.store import models, results

# What buyers and sellers do is what moves this market; what is sold alone is noise.
GOOD = {}
NOISE = {"features": ["sell_volume_sol"]}


@pytest.fixture
def settings(database, tmp_path):
    return training_settings(database, tmp_path)


@pytest.fixture
async def market(connection):
    await insert_rows(connection, learnable_rows(minutes=300))


def difference(comparison, name, at=0):
    return comparison["results"]["differences"][at][name]


def codes(found):
    return {warning["code"] for warning in found["warnings"]}


async def test_a_model_that_knows_more_wins_and_the_rule_is_stated(pool, settings, market):
    noise, good, also = await train_all(pool, settings, NOISE, GOOD, {"features": ["sell_volume_sol", "num_buys"]})

    job, found = await compare(pool, settings, [noise, good, also])

    assert (job["status"], job["error_msg"]) == ("COMPLETED", None)
    assert found["winner_id"] == good["id"]
    assert found["model_ids"] == [noise["id"], good["id"], also["id"]]
    assert (found["model_a_id"], found["model_b_id"]) == (noise["id"], good["id"])
    told = found["results"]
    assert "highest average precision" in told["rule"]
    assert told["sentence"].startswith(f"model {good['id']} 'model 1' wins")
    assert told["sentence"] in job["progress_msg"]
    assert told["shared"]["coins"] == 25
    assert told["intervals"]["blocks"] >= 10
    lead = difference(found, "average_precision")
    assert lead["low"] < lead["high"] < 0
    figures = {model["model_id"]: model for model in told["models"]}
    assert lead["difference"] == pytest.approx(
        figures[noise["id"]]["average_precision"] - figures[good["id"]]["average_precision"]
    )
    assert [(pair["model_a_id"], pair["model_b_id"]) for pair in told["differences"]] == [
        (noise["id"], good["id"]),
        (noise["id"], also["id"]),
        (good["id"], also["id"]),
    ]
    assert all(len(model["precision_recall_curve"]) <= 60 for model in told["models"])
    tests = [await results.get_test(pool, test_id) for test_id in found["test_result_ids"]]
    assert [test["model_id"] for test in tests] == found["model_ids"]


async def test_figures_on_the_shared_rows_are_those_of_the_files(pool, settings, market):
    good, noise = await train_all(pool, settings, GOOD, NOISE)

    _, found = await compare(pool, settings, [good, noise])

    rows = await pool.fetch("SELECT mint, timestamp, sell_volume_sol, price_close FROM coin_metrics ORDER BY 1, 2")
    told = {model["model_id"]: model for model in found["results"]["models"]}[noise["id"]]
    artifact = read_artifact(model_file(noise))
    probabilities, answers = by_hand(rows, artifact, found["test_start"], found["test_end"])
    assert told["own_rows"] == found["results"]["shared"]["rows"] == len(answers)
    assert told["average_precision"] == pytest.approx(average_precision(probabilities, answers))
    assert told["roc_auc"] == pytest.approx(roc_auc(probabilities, answers))
    assert told["brier"] == pytest.approx(brier(probabilities, answers))


def by_hand(rows, artifact, start, end):
    answers, sold = [], []
    for now, later in zip(rows, rows[5:], strict=False):
        if start <= now["timestamp"] <= end and now["mint"] == later["mint"]:
            answers.append(float(later["price_close"]) / float(now["price_close"]) >= 1.05)
            sold.append([float(now["sell_volume_sol"])])
    return verify(artifact).probabilities(np.array(sold, np.float32)), np.array(answers)


async def test_equal_models_have_no_winner_and_a_difference_of_zero(pool, settings, market):
    first, second = await train_all(pool, settings, {**GOOD, "force": True}, {**GOOD, "force": True})

    _, found = await compare(pool, settings, [first, second])

    assert found["winner_id"] is None
    assert found["results"]["sentence"].startswith("no winner: ")
    assert "not proved better" in found["results"]["sentence"]
    for name in ("average_precision", "roc_auc", "brier", "expected_value_pct"):
        assert difference(found, name) == {"difference": 0, "low": 0, "high": 0, "note": None}


async def test_models_of_different_questions_are_not_ranked(pool, settings, market):
    five, ten = await train_all(pool, settings, GOOD, {"min_percent_change": 10.0, "fee_pct": 0.0})

    _, found = await compare(pool, settings, [five, ten])

    assert found["winner_id"] is None
    assert {"different_targets", "different_costs"} <= codes(found)
    assert difference(found, "average_precision") == {
        "difference": None,
        "low": None,
        "high": None,
        "note": "the two answer different questions",
    }
    assert difference(found, "expected_value_pct")["difference"] is not None


async def test_a_comparison_gives_each_model_the_figures_it_has_alone(pool, settings, market):
    # The second looks further back and ahead: what is read for it must not change what the first is asked.
    near, far = await train_all(
        pool, settings, {"label_resolution": "observed"}, {"features": ["price_change_40"], "future_minutes": 12}
    )
    _, found = await compare(pool, settings, [near, far], (0, 290))
    together = [dict(await results.get_test(pool, test_id)) for test_id in found["test_result_ids"]]

    alone = [dict((await test_on(pool, settings, model["id"], (0, 290)))[0]) for model in (near, far)]

    for one, other in zip(together, alone, strict=True):
        assert {key: value for key, value in one.items() if key not in {"job_id", "updated_at"}} == {
            key: value for key, value in other.items() if key not in {"job_id", "updated_at"}
        }
    assert "overlap" in codes(found)


async def test_models_without_a_common_row_fail_the_job(pool, settings, connection):
    rows = learnable_rows(minutes=300)
    for row in rows:
        row["phase_id_at_time"] = 1 if row["mint"] < "coin012" else 2
    await insert_rows(connection, rows)
    first, second = await train_all(pool, settings, {"phases": [1]}, {"phases": [2]})

    job, found = await compare(pool, settings, [first, second])

    assert (job["status"], found) == ("FAILED", None)
    assert "the models share no row of the window" in job["error_msg"]
    assert await connection.fetchval("SELECT count(*) FROM ml_test_results") == 0


async def test_a_comparison_with_a_lost_file_fails_and_names_the_model(pool, settings, market, connection):
    first, second = await train_all(pool, settings, GOOD, NOISE)
    lose(second)

    job, found = await compare(pool, settings, [first, second])

    assert (job["status"], found) == ("FAILED", None)
    assert f"the file of model {second['id']} is gone" in job["error_msg"]
    assert await connection.fetchval("SELECT count(*) FROM ml_test_results") == 0


def lose(model):
    Path(model["model_file_path"]).unlink()


async def test_a_model_deleted_before_the_comparison_fails_it_and_names_the_model(pool, settings, market):
    first, second = await train_all(pool, settings, GOOD, NOISE)
    job_id = await ask_to_compare(pool, [first, second])
    await models.delete(pool, second["id"])
    async with working(settings):
        job = await until_over(pool, job_id)

    assert job["status"] == "FAILED"
    assert f"model {second['id']} was deleted" in job["error_msg"]


async def test_a_model_deleted_during_the_comparison_leaves_no_result_of_any(pool, settings, market, connection):
    first, second = await train_all(pool, settings, GOOD, NOISE)

    async with working(settings):
        # The process that compares waits for this lock when it reads the rows.
        async with connection.transaction():
            await connection.execute("LOCK TABLE coin_metrics IN ACCESS EXCLUSIVE MODE")
            job_id = await ask_to_compare(pool, [first, second])
            await until_told(pool, job_id, "load")
            await models.delete(pool, first["id"])
        job = await until_over(pool, job_id)

    assert (job["status"], job["attempts"]) == ("FAILED", 1)
    assert f"model {first['id']} was deleted while it was measured" in job["error_msg"]
    assert await connection.fetchval("SELECT count(*) FROM ml_test_results") == 0
