"""Lists of predictions and histories of coins, over HTTP."""

from typing import Any

from prediction_service.store import predictions
from prediction_service.store.predictions import Filter
from shared.db import Connection, Pool
from tests.support.database import START, insert_rows, row
from tests.support.predictions import at, listed, rising, store
from tests.support.serving import Api


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
        {"data_timestamp": at(90), "active_model_id": 3, "model_id": 13},
        {"coin_id": "b", "data_timestamp": at(90)},
    )
    # The third model was deleted; its predictions stay, but it is asked no more.
    await pool.execute(
        "INSERT INTO prediction_active_models"
        " (id, model_id, model_name, model_type, target_variable, features, local_model_path)"
        " SELECT id, 10 + id, 'm', 'xgboost', 'price_close', '[]', 'm.zip' FROM generate_series(1, 2) AS id"
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
