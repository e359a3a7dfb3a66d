"""Settings of an imported model: what is refused, what is kept, and that rows follow them at once."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from prediction_service.app import build
from prediction_service.store.promotions import LOCAL
from prediction_service.usecases.model_settings import change_settings
from prediction_service.usecases.promotions import promote, roll_back
from shared.contracts.model_settings import ChangeSettings
from shared.db import Connection, Pool
from tests.support.arrivals import until_done
from tests.support.database import insert_rows, row
from tests.support.live import running_worker, settings, until_live, until_predicted
from tests.support.models import activate_model
from tests.support.serving import Api, api_of
from tests.support.writers import Written, answered_rows, write_randomly

PATH = "/api/models/1/settings"


async def test_settings_when_set_then_the_whole_model_is_answered_and_workers_are_told_once(
    api: Api, pool: Pool, connection: Connection, tmp_path: Path
):
    await activate_model(pool, tmp_path, alert_threshold=0.7)
    before = await connection.fetchval("SELECT max(models_version) FROM worker_positions")
    told: list[str] = []
    await connection.add_listener("prediction_models_changed", lambda *_: told.append("changed"))
    wanted = {
        "alert_threshold": 1, "send_modes": ["positive_only", "alerts_only", "positive_only"],
        "cooldown_negative_seconds": 0, "cooldown_positive_seconds": 7.0, "cooldown_alert_seconds": 604_800,
        "coin_filter_mode": "whitelist", "coin_whitelist": ["b", "a", "b"], "phases": [3, 1, 3], "mode": "shadow",
        "line": "pumps", "auto_promotion": {"metric": "brier", "margin": 0.01, "min_outcomes": 500},
    }  # fmt: skip
    status, shown = await api.call("PATCH", PATH, json=wanted)
    assert status == 200
    assert {name: shown[name] for name in wanted} == wanted | {
        "send_modes": ["alerts_only", "positive_only"], "coin_whitelist": ["a", "b"], "phases": [3, 1],
    }  # fmt: skip
    assert shown == (await api.get("/api/models/1"))[1]
    assert (shown["name"], shown["decision_threshold"], shown["is_active"]) == ("model 1", 0.5, True)
    assert await connection.fetchval("SELECT max(models_version) FROM worker_positions") == before + 1
    assert told == ["changed"]
    _, shown = await api.call("PATCH", PATH, json={"phases": None, "alert_threshold": None, "coin_filter_mode": "all"})
    assert (shown["phases"], shown["alert_threshold"], shown["coin_filter_mode"]) == (None, 0.7, "all")
    assert shown["coin_whitelist"] == ["a", "b"]
    _, shown = await api.call("PATCH", PATH, json={"coin_whitelist": [], "line": None, "auto_promotion": None})
    assert (shown["coin_whitelist"], shown["line"], shown["auto_promotion"]) == ([], None, None)
    assert (await api.call("PATCH", "/api/models/2/settings", json={"phases": None}))[0] == 404


AUTO = {"metric": "precision", "margin": 0.1, "min_outcomes": 100}
WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "needs any of alert_threshold"),
    ({"reason": "no change"}, "needs any of alert_threshold"),
    ({"threshold": 0.5}, "/threshold"),
    ({"alert_threshold": 1.01}, "/alert_threshold"),
    ({"alert_threshold": "0.5"}, "/alert_threshold"),
    ({"alert_threshold": True}, "/alert_threshold"),
    ({"alert_threshold": float("nan")}, "/alert_threshold"),
    ({"alert_threshold": float("inf")}, "/alert_threshold"),
    ({"send_modes": []}, "/send_modes"),
    ({"send_modes": ["loud"]}, "/send_modes/0"),
    ({"send_modes": None}, "send_modes cannot be null"),
    ({"cooldown_alert_seconds": -1}, "/cooldown_alert_seconds"),
    ({"cooldown_alert_seconds": 604_801}, "/cooldown_alert_seconds"),
    ({"cooldown_positive_seconds": 1.5}, "/cooldown_positive_seconds"),
    ({"cooldown_negative_seconds": "5"}, "/cooldown_negative_seconds"),
    ({"cooldown_negative_seconds": None}, "cooldown_negative_seconds cannot be null"),
    ({"coin_filter_mode": "blacklist"}, "/coin_filter_mode"),
    ({"coin_filter_mode": "whitelist"}, "/coin_whitelist"),
    ({"coin_whitelist": ["a" * 101]}, "/coin_whitelist/0"),
    ({"coin_whitelist": ["a\0"]}, "/coin_whitelist/0"),
    ({"coin_whitelist": [f"{number}" for number in range(10_001)]}, "/coin_whitelist"),
    ({"phases": []}, "/phases"),
    ({"phases": [1, 4, 7]}, "There is no phase 4, 7: there are 1, 2, 3, 99, 100"),
    ({"phases": [True]}, "/phases/0"),
    ({"mode": "loud"}, "/mode"),
    ({"line": ""}, "/line"),
    ({"line": "x" * 101}, "/line"),
    ({"auto_promotion": AUTO | {"metric": "luck"}}, "/auto_promotion/metric"),
    ({"auto_promotion": AUTO | {"margin": 0}}, "/auto_promotion/margin"),
    ({"auto_promotion": AUTO | {"margin": 1.5}}, "margin is at most 1 for precision"),
    ({"auto_promotion": AUTO | {"min_outcomes": 0}}, "/auto_promotion/min_outcomes"),
    ({"auto_promotion": AUTO | {"min_outcomes": 100_001}}, "/auto_promotion/min_outcomes"),
    ({"auto_promotion": AUTO | {"days": 3}}, "/auto_promotion/days"),
]  # fmt: skip


async def test_settings_when_wrong_then_422_says_where_and_nothing_changes(api: Api, pool: Pool, tmp_path: Path):
    await activate_model(pool, tmp_path)
    _, before = await api.get("/api/models/1")
    for body, words in WRONG:
        status, problem = await api.call("PATCH", PATH, json=body)
        assert status == 422, (body, problem)
        assert words in orjson.dumps(problem).decode(), (body, problem)
    status, _ = await api.call("PATCH", PATH, json={"mode": "shadow", "coin_filter_mode": "whitelist"})
    assert (status, (await api.get("/api/models/1"))[1]) == (422, before)


async def test_settings_when_they_do_not_fit_the_model_then_409_says_why(
    api: Api, pool: Pool, connection: Connection, tmp_path: Path
):
    await activate_model(pool, tmp_path)
    for body, words in (
        ({"auto_promotion": AUTO}, "is live"),
        ({"auto_promotion": AUTO, "line": "pumps", "mode": "live"}, "is live"),
        ({"auto_promotion": AUTO, "mode": "shadow"}, "is in no line"),
    ):
        status, problem = await api.call("PATCH", PATH, json=body)
        assert status == 409
        assert words in problem["detail"]
    shadow = {"mode": "shadow", "line": "pumps", "auto_promotion": AUTO | {"metric": "mean_return", "margin": 3}}
    assert (await api.call("PATCH", PATH, json=shadow))[0] == 200
    status, problem = await api.call("PATCH", PATH, json={"line": None})
    assert (status, "auto_promotion to null" in problem["detail"]) == (409, True)
    _, shown = await api.call("PATCH", PATH, json={"mode": "live"})
    assert (shown["mode"], shown["line"], shown["auto_promotion"]) == ("live", "pumps", None)
    falling = "UPDATE prediction_active_models SET manifest = jsonb_set(manifest, '{target,direction}', '\"down\"')"
    await connection.execute(falling)
    status, problem = await api.call("PATCH", PATH, json=shadow)
    assert (status, "does not say when to buy" in problem["detail"]) == (409, True)
    await connection.execute("DROP TABLE ref_coin_phases")
    status, problem = await api.call("PATCH", PATH, json={"phases": [1]})
    assert (status, "ref_coin_phases" in problem["detail"]) == (409, True)


async def test_threshold_when_null_then_that_of_the_file_counts_whatever_the_default(
    database: str, pool: Pool, tmp_path: Path
):
    await activate_model(pool, tmp_path, alert_threshold=0.8)
    async with api_of(build(settings(database, tmp_path, default_alert_threshold=0.95))) as api:
        await api.call("PATCH", PATH, json={"alert_threshold": 0.0})
        assert (await api.get("/api/models/1"))[1]["alert_threshold"] == 0
        assert (await api.call("PATCH", PATH, json={"alert_threshold": None}))[1]["alert_threshold"] == 0.8


async def test_settings_when_ten_are_changed_at_once_then_none_is_lost(api: Api, pool: Pool, tmp_path: Path):
    await activate_model(pool, tmp_path)
    wanted: dict[str, Any] = {
        "alert_threshold": 0.9, "send_modes": ["all"], "cooldown_negative_seconds": 1, "cooldown_positive_seconds": 2,
        "cooldown_alert_seconds": 3, "coin_whitelist": ["a"], "phases": [2], "mode": "shadow", "line": "pumps",
    }  # fmt: skip
    # The tenth is of a name that another one changes too.
    bodies = [{name: value} for name, value in wanted.items()] + [{"phases": [2]}]
    answers = await asyncio.gather(*(api.call("PATCH", PATH, json=body) for body in bodies))
    assert {status for status, _ in answers} == {200}
    _, shown = await api.get("/api/models/1")
    assert {name: shown[name] for name in wanted} == wanted


async def test_rows_when_settings_change_then_those_that_come_after_follow_them_without_a_restart(
    api: Api, database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    await connection.execute(
        "INSERT INTO webhook_endpoints (url, secret) VALUES ('http://127.0.0.1:9/', 'whsec_c2VjcmV0IG9mIGEgdGVzdA==')"
    )
    await activate_model(pool, tmp_path, alert_threshold=1.0)

    async def change_and_write(number: int, **body: Any) -> list[tuple[Any, ...]]:
        """Give (coin, alert, sent) of the predictions of four rows that come after the change."""
        assert (await api.call("PATCH", PATH, json=body))[0] == 200
        coins = {f"{coin}{number}": phase for coin, phase in (("a", 1), ("b", 1), ("c", 2), ("d", None))}
        await insert_rows(connection, [row(coin, number, phase_id_at_time=phase) for coin, phase in coins.items()])
        await until_done(connection)
        found = await connection.fetch(
            "SELECT coin_id, is_alert, EXISTS (SELECT FROM webhook_deliveries AS one WHERE one.coin_id = made.coin_id)"
            " FROM predictions AS made WHERE coin_id = ANY($1) ORDER BY coin_id",
            list(coins),
        )
        return [(record[0][0], record[1], record[2]) for record in found]

    async with running_worker(settings(database, tmp_path)):
        await until_live(connection)
        everything = [(coin, False, False) for coin in "abcd"]
        assert await change_and_write(1, alert_threshold=1.0) == everything
        assert await change_and_write(2, alert_threshold=0.0) == [(coin, True, True) for coin in "abcd"]
        assert await change_and_write(3, phases=[1]) == [("a", True, True), ("b", True, True)]
        assert await change_and_write(4, phases=None, mode="shadow") == [(coin, True, False) for coin in "abcd"]
        filtered = {"coin_filter_mode": "whitelist", "coin_whitelist": ["b5", "d5", "nobody"], "mode": "live"}
        assert await change_and_write(5, **filtered) == [("b", True, True), ("d", True, True)]
        assert await change_and_write(6, coin_filter_mode="all", send_modes=["negative_only"]) == [
            (coin, True, False) for coin in "abcd"
        ]


async def switch_live(pool: Pool, first: int, second: int, *, stop: asyncio.Event) -> None:
    """Promote and roll back, and set what else can be set, again and again."""
    rng = np.random.default_rng(1)
    while not stop.is_set():
        for step in (lambda: promote(pool, second, LOCAL), lambda: roll_back(pool, second, LOCAL)):
            await step()
            threshold = float(rng.choice([0.0, 1.0]))
            await change_settings(pool, first, ChangeSettings(alert_threshold=threshold), by="test")
            await asyncio.sleep(float(rng.random()) * 0.2)


async def test_rows_when_they_stream_beside_promotions_and_changes_then_each_is_sent_once_by_one_model(
    database: str, pool: Pool, connection: Connection, tmp_path: Path
):
    await connection.execute(
        "INSERT INTO webhook_endpoints (url, secret, send_modes)"
        " VALUES ('http://127.0.0.1:9/', 'whsec_c2VjcmV0IG9mIGEgdGVzdA==', '{all}')"
    )
    first = await activate_model(pool, tmp_path, model_id=1)
    second = await activate_model(pool, tmp_path, model_id=2)
    both: dict[str, Any] = {"line": "pumps", "send_modes": ["all"]}
    await change_settings(pool, first, ChangeSettings(**both), by="test")
    await change_settings(pool, second, ChangeSettings(**both, mode="shadow"), by="test")
    written: list[Written] = []
    stop = asyncio.Event()
    async with running_worker(settings(database, tmp_path)):
        await until_live(connection)
        async with asyncio.TaskGroup() as group:
            for writer in range(4):
                group.create_task(write_randomly(database, written, writer=writer, seed=5, stop=stop))
            switching = group.create_task(switch_live(pool, first, second, stop=stop))
            await asyncio.sleep(3)
            stop.set()
            await switching
        await until_done(connection)
        await until_predicted(connection, 2 * len(written))
    keys = {(one.mint, one.at) for one in written}
    assert len(keys) == len(written) > 200
    assert await answered_rows(connection, first) == await answered_rows(connection, second) == keys
    bodies = [
        orjson.loads(one["body"])["data"] for one in await connection.fetch("SELECT body FROM webhook_deliveries")
    ]
    assert len({(body["coin_id"], body["timestamp"]) for body in bodies}) == len(bodies) == len(written)
    speakers = [[one["model"]["active_model_id"] for one in body["predictions"]] for body in bodies]
    assert {tuple(one) for one in speakers} == {(first,), (second,)}
