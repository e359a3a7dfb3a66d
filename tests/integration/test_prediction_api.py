"""Asking for predictions, listing them, histories of coins, over HTTP."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from prediction_service.app import build
from prediction_service.store import predictions
from prediction_service.store.predictions import Filter
from shared.db import Connection, Pool, transaction
from shared.web.cursor import write_cursor
from tests.support.database import START, insert_rows, row
from tests.support.live import offline_probabilities, settings
from tests.support.models import FEATURES, activate_model
from tests.support.serving import Api, api_of
from tests.support.training_stub import TrainingStub, training_stub


@pytest.fixture
async def training() -> AsyncIterator[TrainingStub]:
    async with training_stub() as stub:
        yield stub


@pytest.fixture
async def api(database: str, tmp_path: Path, training: TrainingStub) -> AsyncIterator[Api]:
    async with api_of(build(settings(database, tmp_path, training_service_api_url=training.url))) as client:
        yield client


def rising(mint: str, count: int) -> list[dict[str, Any]]:
    """Give rows of a coin, one a minute, whose price and volume move."""
    return [row(mint, 60.0 * at, price_close=3e-8 * (1 + 0.05 * at), volume_sol=0.1 * (at % 7)) for at in range(count)]


async def store(pool: Pool, *given: dict[str, Any]) -> None:
    """Write predictions as the live loop does."""
    plain = {
        "active_model_id": 1, "model_id": 11, "coin_id": "a", "data_timestamp": START, "prediction": 0,
        "probability": 0.2,
        "threshold": 0.5, "is_alert": False, "phase_id_at_time": 1, "prediction_duration_ms": 1.5, "created_at": START,
    }  # fmt: skip
    async with transaction(pool) as connection:
        await predictions.copy_in(
            connection, [tuple((plain | one)[name] for name in predictions.COLUMNS) for one in given]
        )


def at(seconds: float) -> Any:
    return START + timedelta(seconds=seconds)


async def listed(api: Api, **query: Any) -> list[int]:
    status, body = await api.get("/api/predictions", params={name: str(value) for name, value in query.items()})
    assert status == 200, body
    return [one["id"] for one in body["predictions"]]


async def test_predict_when_asked_then_answers_are_those_computed_offline_and_nothing_is_stored(
    api: Api, pool: Pool, connection: Connection, tmp_path: Path
):
    await insert_rows(connection, rising("a", 30))
    await activate_model(pool, tmp_path, model_id=5, column=1, scale=0.1, decision_threshold=0.8, alert_threshold=0.7)
    await activate_model(pool, tmp_path, model_id=6, column=2, scale=0.3, phases=(99,))
    status, body = await api.post("/api/predict", {"coin_id": "a"})
    assert status == 200
    assert (body["coin_id"], body["timestamp"], body["total_models"]) == ("a", "2026-03-01T12:29:00Z", 2)
    for answer, (column, scale) in zip(body["predictions"], ((1, 0.1), (2, 0.3)), strict=True):
        expected = await offline_probabilities(connection, "a", FEATURES, column=column, scale=scale)
        assert answer["probability"] == pytest.approx(expected[at(29 * 60)], abs=2e-6)
    first = body["predictions"][0]
    assert first == {
        "model_id": 5, "active_model_id": 1, "model_name": "model 5", "prediction": 0,
        "probability": first["probability"], "threshold": 0.8, "is_alert": True,
    }  # fmt: skip
    assert 0.7 <= first["probability"] < 0.8
    assert await connection.fetchval("SELECT count(*) FROM predictions") == 0


async def test_predict_when_asked_as_of_then_no_later_row_counts(
    api: Api, pool: Pool, connection: Connection, tmp_path: Path
):
    await insert_rows(connection, rising("a", 30))
    await activate_model(pool, tmp_path, column=1, scale=0.1)
    expected = await offline_probabilities(connection, "a", FEATURES, column=1, scale=0.1)
    for moment, used in (
        ("2026-03-01T12:10:00Z", 600),
        ("2026-03-01T13:10:30.5+01:00", 600),
        ("2026-03-01T12:00:00Z", 0),
    ):
        status, body = await api.post("/api/predict", {"coin_id": "a", "timestamp": moment})
        assert status == 200
        assert body["predictions"][0]["probability"] == pytest.approx(expected[at(used)], abs=2e-6)
    status, problem = await api.post("/api/predict", {"coin_id": "a", "timestamp": "2026-03-01T11:59:59Z"})
    assert (status, problem["code"]) == (404, "not_found")


async def test_predict_when_one_row_lies_in_a_wrong_time_zone_then_it_is_not_the_newest(
    api: Api, pool: Pool, connection: Connection, tmp_path: Path
):
    for mint in ("a", "b", "c"):
        await insert_rows(connection, rising(mint, 30))
    await insert_rows(connection, [row("a", 400 * 86400.0)])
    await activate_model(pool, tmp_path)
    assert (await api.post("/api/predict", {"coin_id": "a"}))[1]["timestamp"] == "2026-03-01T12:29:00Z"


async def test_predict_when_models_are_named_then_those_answer_active_or_not_and_unknown_ones_are_404(
    api: Api, pool: Pool, connection: Connection, tmp_path: Path
):
    await insert_rows(connection, rising("a", 3))
    await activate_model(pool, tmp_path, model_id=5)
    await activate_model(pool, tmp_path, model_id=6)
    await api.post("/api/models/2/deactivate")
    assert (await api.post("/api/predict", {"coin_id": "a"}))[1]["total_models"] == 1
    _, body = await api.post("/api/predict", {"coin_id": "a", "model_ids": [6, 6]})
    assert [one["model_id"] for one in body["predictions"]] == [6]
    status, problem = await api.post("/api/predict", {"coin_id": "a", "model_ids": [5, 77, 78]})
    assert (status, "model 77, 78" in problem["detail"]) == (404, True)


async def test_predict_when_no_model_is_active_then_no_answer_but_a_known_coin(api: Api, connection: Connection):
    await insert_rows(connection, rising("a", 3))
    status, body = await api.post("/api/predict", {"coin_id": "a"})
    assert (status, body["predictions"], body["total_models"]) == (200, [], 0)


async def test_predict_when_coin_or_table_is_unknown_then_404(
    api: Api, pool: Pool, connection: Connection, tmp_path: Path
):
    await activate_model(pool, tmp_path)
    status, problem = await api.post("/api/predict", {"coin_id": "nobody"})
    assert (status, "nobody" in problem["detail"]) == (404, True)
    await connection.execute("DROP TABLE coin_metrics")
    status, problem = await api.post("/api/predict", {"coin_id": "a"})
    assert (status, "does not exist yet" in problem["detail"]) == (404, True)


@pytest.mark.parametrize("damage", ["missing", "cut short", "other bytes"])
async def test_model_file_when_lost_or_damaged_then_it_is_fetched_again_though_deleted_there(
    api: Api, pool: Pool, connection: Connection, tmp_path: Path, training: TrainingStub, damage: str
):
    await insert_rows(connection, rising("a", 3))
    await activate_model(pool, tmp_path, model_id=5)
    path = tmp_path / "models" / "prediction" / "5.zip"
    good = path.read_bytes()
    training.files[5] = good
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(good[:-10] if damage == "cut short" else b"x" * len(good))
    status, _ = await api.post("/api/predict", {"coin_id": "a"})
    assert status == 200
    assert path.read_bytes() == good


async def test_model_file_when_lost_and_the_training_service_is_gone_then_a_sentence_says_both(
    api: Api, pool: Pool, connection: Connection, tmp_path: Path, training: TrainingStub
):
    await insert_rows(connection, rising("a", 3))
    active_id = await activate_model(pool, tmp_path, model_id=5)
    path = tmp_path / "models" / "prediction" / "5.zip"
    good = path.read_bytes()
    path.unlink()
    training.fail_with = 500
    status, problem = await api.post("/api/predict", {"coin_id": "a"})
    assert status == 502
    assert f"active model {active_id} is missing or damaged" in problem["detail"]
    assert "answered 500" in problem["detail"]
    training.fail_with, training.files[5] = None, good
    assert (await api.post("/api/predict", {"coin_id": "a"}))[0] == 200


async def test_predictions_when_filtered_then_exactly_the_fitting_ones_come_newest_first(api: Api, pool: Pool):
    await store(
        pool,
        {"coin_id": "a", "probability": 0.1},
        {"coin_id": "a", "probability": 0.6, "prediction": 1, "data_timestamp": at(60), "phase_id_at_time": 2},
        {"coin_id": "b", "probability": 0.9, "prediction": 1, "is_alert": True, "active_model_id": 2, "model_id": 12},
        {"coin_id": "b", "probability": 0.3, "active_model_id": 3, "model_id": 11, "data_timestamp": at(120),
         "phase_id_at_time": None},
    )  # fmt: skip
    await pool.execute("UPDATE predictions SET outcome = 'tp', evaluated_at = now() WHERE id = 2")
    assert await listed(api) == [4, 3, 2, 1]
    assert await listed(api, coin_id="a") == [2, 1]
    assert await listed(api, coin_id="b", model_id=11) == [4]
    assert await listed(api, model_id=11) == [4, 2, 1]
    assert await listed(api, model_id=99) == []
    assert await listed(api, active_model_id=1) == [2, 1]
    assert await listed(api, active_model_id=1, model_id=12) == []
    assert await listed(api, prediction=1) == [3, 2]
    assert await listed(api, prediction=0, is_alert="false") == [4, 1]
    assert await listed(api, is_alert="true") == [3]
    assert await listed(api, min_probability=0.3, max_probability=0.6) == [4, 2]
    assert await listed(api, phase_id=2) == [2]
    assert await listed(api, date_from="2026-03-01T12:01:00Z") == [4, 2]
    assert await listed(api, date_to="2026-03-01T12:01:00Z") == [3, 2, 1]
    assert await listed(api, outcome="tp") == [2]
    assert await listed(api, outcome="pending", coin_id="a") == [1]
    assert await listed(api, coin_id="nobody") == []


async def test_predictions_when_paged_then_every_one_comes_once_though_new_ones_arrive(api: Api, pool: Pool):
    await store(pool, *({"data_timestamp": at(second)} for second in range(25)))
    seen: list[int] = []
    query: dict[str, Any] = {"limit": 10, "coin_id": "a"}
    for page in range(3):
        _, body = await api.get("/api/predictions", params=query)
        seen += [one["id"] for one in body["predictions"]]
        await store(pool, {"data_timestamp": at(1000 + page)})
        query["cursor"] = body["next_cursor"]
    assert seen == list(range(25, 0, -1))
    assert body["next_cursor"] is None


@pytest.mark.parametrize("cursor", ["x", "AAAAAAAAAAAAAAAA", write_cursor("deliveries", 5), "ü", "=" * 16])
async def test_cursor_when_made_up_or_of_another_list_then_422(api: Api, cursor: str):
    status, problem = await api.get("/api/predictions", params={"cursor": cursor})
    assert (status, problem["errors"][0]["pointer"]) == (422, "/query/cursor")


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"limit": "0"}, "/query/limit"), ({"limit": "1001"}, "/query/limit"), ({"coin": "a"}, "/query/coin"),
        ({"coin_id": ""}, "/query/coin_id"), ({"coin_id": "a\0"}, "/query/coin_id"), ({"coin_id": "a" * 101},
        "/query/coin_id"),
        ({"model_id": str(2**63)}, "/query/model_id"), ({"model_id": "0"}, "/query/model_id"),
        ({"date_from": "2026-03-01T12:00:00"}, "/query/date_from"), ({"date_from": "1772366400"}, "/query/date_from"),
        ({"date_to": "0001-01-01T00:00:00+14:00"}, "/query/date_to"), ({"date_to": "2026-13-01T00:00:00Z"},
        "/query/date_to"),
        ({"min_probability": "nan"}, "/query/min_probability"), ({"prediction": "2"}, "/query/prediction"),
        ({"outcome": "won"}, "/query/outcome"), ({"phase_id": str(2**31)}, "/query/phase_id"),
    ],
)  # fmt: skip
async def test_filter_when_wrong_then_422_points_at_it(api: Api, query: dict[str, str], pointer: str):
    status, problem = await api.get("/api/predictions", params=query)
    assert (status, problem["code"]) == (422, "invalid")
    assert problem["errors"][0]["pointer"] == pointer


async def test_prediction_when_asked_by_id_then_it_is_shown_whole(api: Api, pool: Pool):
    await store(pool, {})
    status, body = await api.get("/api/predictions/1")
    assert status == 200
    assert body == {
        "id": 1, "coin_id": "a", "data_timestamp": "2026-03-01T12:00:00Z", "model_id": 11, "active_model_id": 1,
        "prediction": 0, "probability": 0.2, "threshold": 0.5, "is_alert": False, "phase_id_at_time": 1,
        "prediction_duration_ms": 1.5, "created_at": "2026-03-01T12:00:00Z", "outcome": None, "actual_change_pct": None,
        "highest_change_pct": None, "lowest_change_pct": None, "evaluated_at": None,
    }  # fmt: skip
    assert (await api.get("/api/predictions/2"))[0] == 404


async def test_latest_when_asked_then_the_newest_row_of_each_model_comes(api: Api, pool: Pool):
    await store(
        pool,
        {"data_timestamp": at(60)},
        {"data_timestamp": at(0)},
        {"data_timestamp": at(30), "active_model_id": 2, "model_id": 12},
        {"coin_id": "b", "data_timestamp": at(90)},
    )
    _, body = await api.get("/api/predictions/latest/a")
    assert [one["id"] for one in body["predictions"]] == [1, 3]
    _, body = await api.get("/api/predictions/latest/a", params={"model_id": 12})
    assert [one["id"] for one in body["predictions"]] == [3]
    assert (await api.get("/api/predictions/latest/nobody"))[0] == 404


async def test_history_when_asked_then_rows_and_their_predictions_come_oldest_first(
    api: Api, pool: Pool, connection: Connection
):
    await insert_rows(connection, rising("a", 10))
    await insert_rows(connection, [row("a", 600.0, price_close=0.0, unique_wallets=None, is_koth=None)])
    await store(pool, *({"data_timestamp": at(60 * minute)} for minute in range(11)))
    await store(pool, {"data_timestamp": at(600), "active_model_id": 2}, {"coin_id": "b"})
    _, body = await api.get("/api/coins/a/history", params={"limit": 3})
    assert [one["timestamp"] for one in body["rows"]] == [f"2026-03-01T12:{minute:02}:00Z" for minute in (8, 9, 10)]
    assert [one["id"] for one in body["predictions"]] == [9, 10, 11, 12]
    newest = body["rows"][-1]
    assert (newest["price_close"], newest["unique_wallets"], newest["is_koth"]) == (None, None, None)
    assert (newest["num_buys"], newest["volume_sol"], newest["phase_id_at_time"]) == (3, 1.0, 1)
    window = {"date_from": "2026-03-01T12:02:00Z", "date_to": "2026-03-01T12:04:30Z", "active_model_id": 1}
    _, body = await api.get("/api/coins/a/history", params=window)
    assert len(body["rows"]) == 3
    assert [one["id"] for one in body["predictions"]] == [3, 4, 5]
    assert (await api.get("/api/coins/nobody/history"))[0] == 404


async def test_history_when_the_table_is_gone_then_predictions_remain(api: Api, pool: Pool, connection: Connection):
    await connection.execute("DROP TABLE coin_metrics")
    await store(pool, {})
    status, body = await api.get("/api/coins/a/history")
    assert (status, body["rows"], len(body["predictions"])) == (200, [], 1)


FILTERS = [
    Filter(), Filter(coin_id="coin 1"), Filter(model_id=3), Filter(active_model_id=3), Filter(active_model_id=3,
    is_alert=True),
    Filter(is_alert=True), Filter(is_alert=False), Filter(prediction=1), Filter(min_probability=0.5),
    Filter(phase_id=1),
    Filter(date_from=at(100)), Filter(outcome="pending"), Filter(before_id=50), Filter(model_id=99),
    Filter(coin_id="coin 1", model_id=3, date_to=at(100), before_id=9000),
]  # fmt: skip


async def test_lists_when_the_table_is_large_then_no_query_reads_all_of_it(pool: Pool, connection: Connection):
    await store(
        pool,
        *(
            {"coin_id": f"coin {index % 500}", "active_model_id": index % 5, "model_id": index % 5,
            "is_alert": index % 50 == 0,
             "data_timestamp": at(index), "prediction": int(index % 7 == 0), "probability": index % 10 / 10}
            for index in range(20_000)
        ),
    )  # fmt: skip
    await connection.execute("VACUUM ANALYZE predictions")
    for wanted in FILTERS:
        text, arguments = await predictions.compose_page(connection, wanted, most=101)
        plan = "\n".join(record[0] for record in await connection.fetch("EXPLAIN " + text, *arguments))
        assert "Seq Scan" not in plan, f"{wanted}: {plan}"


async def test_existing_when_asked_then_the_predictions_that_are_there_come(pool: Pool):
    await store(pool, {}, {"active_model_id": 2}, {"coin_id": "b"}, {"data_timestamp": at(5)})
    found = await predictions.existing(pool, [1], ["a", "b", "c"], [START, at(5), START])
    assert found == {(1, "a", START)}
    assert await predictions.existing(pool, [1, 2], ["a"], [START]) == {(1, "a", START), (2, "a", START)}
