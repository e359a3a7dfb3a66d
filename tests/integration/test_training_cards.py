"""Cards of models, as a page asks for them."""

import aiohttp
import orjson
import pytest

from tests.support.database import insert_rows
from tests.support.serving import served
from tests.support.training import body, learnable_rows, train, training_settings, until_over, working
from training_service.app import build
from training_service.store import models

SECTIONS = (
    "thresholds", "figures", "confusion", "curves", "calibration", "importance", "periods", "money", "profile",
    "audit", "cross_validation", "counts", "lineage",
)  # fmt: skip


@pytest.fixture
def settings(database, tmp_path):
    return training_settings(database, tmp_path)


@pytest.fixture
async def api(settings):
    async with served(build(settings)) as url, aiohttp.ClientSession(f"{url}/api/") as session:
        yield session


async def card_of(api, model_id):
    async with api.get(f"models/{model_id}/card") as answer:
        return answer.status, await answer.read()


async def test_the_card_of_a_trained_model_has_all_that_its_page_shows(api, pool, connection, settings):
    await insert_rows(connection, learnable_rows())
    job, model = await train(
        pool, settings, use_timeseries_split=True, cv_splits=3, alert_threshold_by="expected_value"
    )
    assert job["error_msg"] is None

    status, body = await card_of(api, model["id"])

    card = orjson.loads(body)
    assert status == 200
    assert [name for name in SECTIONS if not card[name]] == []
    assert len(body) < 300_000
    assert card["model"]["id"] == model["id"]
    assert card["model"]["metrics"] is None
    assert card["thresholds"]["alert"] == model["alert_threshold"]
    assert card["thresholds"]["alert_by"] == "expected_value"
    matrix = {name: card["confusion"]["at_decision_threshold"][name] for name in ("tp", "tn", "fp", "fn")}
    assert matrix == model["confusion_matrix"]
    assert card["figures"]["brier_uncalibrated"] > 0
    assert card["audit"]["laws"]["rows"] == 200
    assert card["audit"]["split"]["holdout_rows"] == sum(matrix.values())
    assert card["money"]["every_alert"]["mean_pct"] == pytest.approx(model["expected_value_pct"], rel=1e-6)
    assert set(card["importance"]["permutation"]) == set(model["features"]) == set(card["profile"]["features"])
    assert card["lineage"]["run_key"] == model["run_key"]
    assert card["lineage"]["request"]["future_minutes"] == 5


async def test_the_card_of_a_model_that_was_made_before_there_were_cards_has_empty_sections(api, connection):
    model_id = await connection.fetchval(
        "INSERT INTO ml_models (name, model_type, target_variable, train_start, train_end, features, alert_threshold,"
        " feature_importance) VALUES ('old', 'xgboost', 'price_close', now() - interval '1 day', now(), '[]', 0.4,"
        " '{\"volume_sol\": 1}') RETURNING id"
    )

    status, body = await card_of(api, model_id)

    card = orjson.loads(body)
    assert status == 200
    assert (card["thresholds"]["alert"], card["importance"]["gain"]) == (0.4, {"volume_sol": 1})
    assert {card[name] for name in ("figures", "curves", "audit", "profile", "money", "lineage")} == {None}


async def test_the_card_of_no_model_is_not_found(api):
    status, body = await card_of(api, 4711)

    assert status == 404
    assert "There is no model 4711" in orjson.loads(body)["detail"]


async def test_a_model_that_was_tuned_tells_that_its_folds_chose_it(api, pool, connection, settings):
    await insert_rows(connection, learnable_rows())
    asked = body(name="tuned", trials=2, use_timeseries_split=True, cv_splits=2)
    async with api.post("models/tune", json=asked) as answer:
        job_id = (await answer.json())["job_id"]

    async with working(settings):
        job = await until_over(pool, job_id)

    assert job["error_msg"] is None
    model = await models.get(pool, job["result_model_id"])
    (told,) = (warning["message"] for warning in model["warnings"] if warning["code"] == "tuned_on_folds")
    assert "best of 2 trials on the very folds of cv_scores" in told
