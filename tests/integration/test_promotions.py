"""What is live: challengers, promotion, roll-back, and the log that tells what was live when."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prediction_service.app import build
from prediction_service.store import promotions
from prediction_service.store.promotions import NEWEST
from shared.db import Connection, PostgresError
from tests.support.live import settings
from tests.support.serving import Api, api_of
from tests.support.training_stub import TrainingStub

KEY_OF_ANNA = "anna:write:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"


async def import_all(api: Api, training: TrainingStub, home: Path, *modes: str, line: str | None = "pumps") -> None:
    """Import models 1, 2 …, one for each mode."""
    for model_id, mode in enumerate(modes, 1):
        training.add(home, model_id=model_id)
        status, body = await api.post("/api/models/import", {"model_id": model_id, "mode": mode, "line": line})
        assert status == 200, body


async def modes(api: Api) -> dict[int, str]:
    """Give the mode of every active model."""
    _, body = await api.get("/api/models/active")
    return {model["id"]: model["mode"] for model in body["models"]}


async def refused(api: Api, path: str, body: Any = None) -> str:
    status, problem = await api.post(f"/api/models/{path}", body)
    assert status == 409, problem
    return str(problem["detail"])


async def test_challenger_when_promoted_then_the_live_one_steps_back_and_one_call_undoes_it(
    database: str, training: TrainingStub, tmp_path: Path
):
    configured = settings(database, tmp_path, training_service_api_url=training.url, api_keys=[KEY_OF_ANNA])
    async with api_of(build(configured)) as api:
        api.session.headers["X-API-Key"] = "secret"
        await import_all(api, training, tmp_path, "live", "shadow")
        assert await modes(api) == {1: "live", 2: "shadow"}
        status, entry = await api.post("/api/models/2/promote", {"reason": "better in August"})
        assert status == 200
        assert await modes(api) == {1: "shadow", 2: "live"}
        _, undone = await api.post("/api/models/2/rollback", {"reason": "worse in September"})
        assert await modes(api) == {1: "live", 2: "shadow"}
        _, body = await api.get("/api/promotions")
    assert body["promotions"][:2] == [undone, entry]
    told = ("action", "active_model_id", "replaced_active_model_id", "is_live", "made_by", "reason", "undoes", "line")
    assert [tuple(one[name] for name in told) for one in body["promotions"]] == [
        ("rollback", 2, 1, False, "anna", "worse in September", 3, "pumps"),
        ("promote", 2, 1, True, "anna", "better in August", None, "pumps"),
        ("import", 2, None, False, "anna", None, None, "pumps"),
        ("import", 1, None, True, "anna", None, None, "pumps"),
    ]


async def test_promotion_when_it_cannot_be_then_409_says_why_and_nothing_changes(
    api: Api, training: TrainingStub, tmp_path: Path, connection: Connection
):
    await import_all(api, training, tmp_path, "live", "shadow", "shadow")
    await api.post("/api/models/3/deactivate", {"reason": "rests"})
    training.add(tmp_path, model_id=4)
    await api.post("/api/models/import", {"model_id": 4})
    before = await connection.fetch("SELECT * FROM prediction_active_models ORDER BY id")
    assert "activate it first" in await refused(api, "3/promote")
    assert "is live already" in await refused(api, "1/promote")
    assert "Active model 1 is the live one of line 'pumps'" in await refused(api, "2/promote", {"replaces": 4})
    assert "never promoted" in await refused(api, "1/rollback")
    assert "never promoted" in await refused(api, "3/rollback")
    for path in ("promote", "rollback"):
        assert (await api.post(f"/api/models/9/{path}"))[0] == 404
    await api.call("PATCH", "/api/models/4/settings", json={"mode": "shadow"})
    assert "4 is not live" in await refused(api, "4/promote", {"replaces": 4})
    status, problem = await api.post("/api/models/4/promote", {"replaces": 9})
    assert (status, "no active model 9" in problem["detail"]) == (422, True)
    await api.call("PATCH", "/api/models/4/settings", json={"mode": "live"})
    after = await connection.fetch("SELECT * FROM prediction_active_models ORDER BY id")
    assert [{**one, "updated_at": 0} for one in after] == [{**one, "updated_at": 0} for one in before]
    assert await connection.fetchval("SELECT array_agg(action ORDER BY id) FROM model_promotions") == [
        "import", "import", "import", "deactivate", "import", "shadow", "live",
    ]  # fmt: skip


async def test_roll_back_when_what_was_replaced_cannot_come_back_then_409_says_what_to_do(
    api: Api, training: TrainingStub, tmp_path: Path
):
    await import_all(api, training, tmp_path, "live", "shadow", "shadow")
    await api.post("/api/models/2/promote")
    await api.post("/api/models/1/deactivate")
    assert "Active model 1, which 2 replaced, does not predict" in await refused(api, "2/rollback")
    await api.post("/api/models/1/activate")
    await api.post("/api/models/3/promote")
    assert "is not live" in await refused(api, "2/rollback")
    assert (await api.post("/api/models/3/rollback"))[0] == 200
    assert (await api.post("/api/models/2/rollback"))[0] == 200
    assert await modes(api) == {1: "live", 2: "shadow", 3: "shadow"}
    await api.post("/api/models/3/promote")
    await api.call("DELETE", "/api/models/1", params={"reason": "too old"})
    assert "is deleted" in await refused(api, "3/rollback")
    assert await modes(api) == {2: "shadow", 3: "live"}


async def test_model_without_a_line_when_promoted_then_it_goes_live_beside_the_others_or_for_the_one_named(
    api: Api, training: TrainingStub, tmp_path: Path
):
    await import_all(api, training, tmp_path, "live", "shadow", "shadow", line=None)
    assert (await api.post("/api/models/2/promote"))[1]["replaced_active_model_id"] is None
    assert await modes(api) == {1: "live", 2: "live", 3: "shadow"}
    assert (await api.post("/api/models/3/promote", {"replaces": 1}))[1]["replaced_active_model_id"] == 1
    assert await modes(api) == {1: "shadow", 2: "live", 3: "live"}
    await api.post("/api/models/3/rollback")
    await api.post("/api/models/2/rollback")
    assert await modes(api) == {1: "live", 2: "shadow", 3: "shadow"}


async def test_line_when_another_question_or_a_second_live_model_comes_then_it_is_refused_whichever_way(
    api: Api, training: TrainingStub, tmp_path: Path
):
    await import_all(api, training, tmp_path, "live")
    training.add(tmp_path, model_id=2, future_minutes=5)
    training.add(tmp_path, model_id=3)
    assert "another question" in await refused(api, "import", {"model_id": 2, "mode": "shadow", "line": "pumps"})
    assert "Active model 1 is the live one" in await refused(api, "import", {"model_id": 3, "line": "pumps"})
    assert list((tmp_path / "models" / "prediction").glob("[23]-*")) == []
    await api.post("/api/models/import", {"model_id": 2})
    await api.post("/api/models/import", {"model_id": 3})
    for active_id, words in ((2, "another question"), (3, "Active model 1 is the live one")):
        status, problem = await api.call("PATCH", f"/api/models/{active_id}/settings", json={"line": "pumps"})
        assert (status, words in problem["detail"]) == (409, True)
    await api.post("/api/models/3/deactivate")
    assert (await api.call("PATCH", "/api/models/3/settings", json={"line": "pumps"}))[0] == 200
    assert "Active model 1 is the live one" in await refused(api, "3/activate")
    await api.call("PATCH", "/api/models/3/settings", json={"mode": "shadow"})
    assert (await api.post("/api/models/3/activate"))[0] == 200


async def test_changes_when_made_at_once_then_one_model_of_the_line_is_live_and_no_call_fails(
    api: Api, training: TrainingStub, tmp_path: Path, connection: Connection
):
    await import_all(api, training, tmp_path, "live", "shadow", "shadow")
    training.add(tmp_path, model_id=4)
    calls = [api.post("/api/models/2/promote"), api.post("/api/models/2/promote"), api.post("/api/models/3/promote")]
    calls += [api.post("/api/models/import", {"model_id": 4, "line": "pumps"})]
    statuses = [status for status, _ in await asyncio.gather(*calls)]
    assert set(statuses) == {200, 409}
    assert (statuses[2], statuses[3]) == (200, 409)
    live = [active_id for active_id, mode in (await modes(api)).items() if mode == "live"]
    assert len(live) == 1
    twice = await asyncio.gather(*(api.post(f"/api/models/{live[0]}/rollback") for _ in range(2)))
    assert sorted(status for status, _ in twice) == [200, 409]
    assert list((await modes(api)).values()).count("live") == 1
    assert await connection.fetchval("SELECT count(*) FROM model_promotions WHERE action = 'rollback'") == 1


async def test_log_when_anything_was_done_then_it_tells_what_is_live_and_nobody_rewrites_it(
    api: Api, training: TrainingStub, tmp_path: Path, connection: Connection
):
    await import_all(api, training, tmp_path, "live", "shadow", "shadow", "shadow")
    rng = np.random.default_rng(8)
    live: set[int] = set()
    read, statuses = 0, []
    for _ in range(120):
        active_id = int(rng.integers(1, 5))
        change = ["promote", "rollback", "activate", "deactivate", "live", "shadow", "line", "pumps"][rng.integers(8)]
        if change in ("promote", "rollback", "activate", "deactivate"):
            status, _ = await api.post(f"/api/models/{active_id}/{change}")
        else:
            body = {"mode": change} if change in ("live", "shadow") else {"line": change}
            status, _ = await api.call("PATCH", f"/api/models/{active_id}/settings", json=body)
        statuses.append(status)
        entries = await connection.fetch("SELECT * FROM model_promotions WHERE id > $1 ORDER BY id", read)
        for entry in entries:
            read, changed, replaced = entry["id"], entry["active_model_id"], entry["replaced_active_model_id"]
            live = live | {changed} if entry["is_live"] else live - {changed}
            if replaced is not None:
                live = live - {replaced} if entry["is_live"] else live | {replaced}
        there = "SELECT id FROM prediction_active_models WHERE is_active AND mode = 'live'"
        assert live == {record[0] for record in await connection.fetch(there)}
    assert set(statuses) == {200, 409}
    assert statuses.count(200) > 30
    for statement in (
        "UPDATE model_promotions SET reason = 'x'",
        "DELETE FROM model_promotions",
        "TRUNCATE model_promotions",
    ):
        with pytest.raises(PostgresError, match="append-only"):
            await connection.execute(statement)


async def test_log_when_paged_and_filtered_then_each_entry_that_fits_comes_once_newest_first(
    api: Api, connection: Connection
):
    await connection.execute(
        "INSERT INTO model_promotions (action, active_model_id, model_id, replaced_active_model_id, line)"
        " SELECT CASE WHEN n % 3 = 0 THEN 'promote' ELSE 'activate' END, n % 4, 1, CASE WHEN n % 3 = 0 THEN 7 END,"
        " CASE WHEN n % 2 = 0 THEN 'pumps' END FROM generate_series(1, 50) AS n"
    )

    async def ids(**query: Any) -> list[int]:
        found: list[int] = []
        while True:
            status, body = await api.get("/api/promotions", params={"limit": 7, **query})
            assert status == 200
            found += [one["id"] for one in body["promotions"]]
            if body["next_cursor"] is None:
                return found
            query["cursor"] = body["next_cursor"]

    every = range(50, 0, -1)
    assert await ids() == list(every)
    assert await ids(line="pumps") == [n for n in every if n % 2 == 0]
    assert await ids(action="promote") == await ids(active_model_id=7) == [n for n in every if n % 3 == 0]
    assert await ids(active_model_id=3, action="activate") == [n for n in every if n % 4 == 3 and n % 3 != 0]
    assert (await api.get("/api/promotions", params={"cursor": "AAAA"}))[0] == 422
    assert (await api.get("/api/promotions", params={"action": "demote"}))[0] == 422
    await connection.execute("ANALYZE model_promotions; SET enable_seqscan = off")
    for given, index in (
        ({}, "model_promotions_pkey"), ({"line": "pumps"}, "idx_promotions_line"),
        ({"action": "promote"}, "idx_promotions_action"), ({"active_model_id": 7}, "idx_promotions_replaced"),
        ({"active_model_id": 7}, "idx_promotions_active_model"),
    ):  # fmt: skip
        wanted: dict[str, Any] = {"active_model_id": None, "line": None, "action": None, **given}
        text, arguments = promotions.compose_page(**wanted, before_id=NEWEST, most=8)
        plan = "\n".join(record[0] for record in await connection.fetch("EXPLAIN " + text, *arguments))
        assert index in plan, plan


async def test_import_when_it_says_nothing_of_lines_then_it_is_live_as_ever(
    api: Api, training: TrainingStub, tmp_path: Path
):
    training.add(tmp_path, model_id=5)
    await api.post("/api/models/import", {"model_id": 5, "reason": "first"})
    _, shown = await api.get("/api/models/1")
    assert (shown["mode"], shown["line"], shown["auto_promotion"]) == ("live", None, None)
    for wrong in ({"mode": "dark"}, {"line": ""}, {"line": 5}, {"reason": "\0"}):
        assert (await api.post("/api/models/import", {"model_id": 7, **wrong}))[0] == 422
