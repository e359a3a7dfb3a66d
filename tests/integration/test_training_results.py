"""The API of tests and comparisons: asking, reading, removing; the work itself is tested elsewhere."""

from collections.abc import AsyncIterator

import pytest

from tests.support.serving import Api, api_of
from tests.support.training import training_settings
from training_service.app import build

WINDOW = {"test_start": "2026-03-02T00:00:00Z", "test_end": "2026-03-04T00:00:00Z"}


@pytest.fixture
async def api(database, tmp_path) -> AsyncIterator[Api]:
    async with api_of(build(training_settings(database, tmp_path))) as client:
        yield client


async def add_model(connection, name, *, status="READY", is_deleted=False, future_minutes=10):
    return await connection.fetchval(
        "INSERT INTO ml_models (name, model_type, status, is_deleted, target_variable, future_minutes,"
        " price_change_percent, target_direction, train_start, train_end, features)"
        " VALUES ($1, 'xgboost', $2, $3, 'price_close', $4, 5, 'up', '2026-03-01Z', '2026-03-02Z', '[]') RETURNING id",
        name, status, is_deleted, future_minutes,
    )  # fmt: skip


async def add_test(connection, model_id, day=5):
    return await connection.fetchval(
        "INSERT INTO ml_test_results (model_id, test_start, test_end, tp, tn, fp, fn, num_samples, num_positive,"
        " num_negative, confusion_matrix, metrics, warnings)"
        " VALUES ($1, '2026-04-01', '2026-04-01'::timestamptz + $2 * interval '1 day', 1, 2, 3, 4, 10, 5, 5,"
        ' \'{"tp": 1, "tn": 2, "fp": 3, "fn": 4}\', \'{"brier": 0.1}\', \'[{"code": "low_f1", "message": "low"}]\')'
        " RETURNING id",
        model_id, day,
    )  # fmt: skip


async def add_comparison(connection, model_ids, test_ids):
    return await connection.fetchval(
        "INSERT INTO ml_comparisons (model_ids, model_a_id, model_b_id, test_start, test_end, test_result_ids,"
        " winner_id, results) VALUES ($1, $2, $3, '2026-04-01', '2026-04-02', $4, $3, '{\"rule\": \"best\"}')"
        " RETURNING id",
        model_ids, *model_ids, test_ids,
    )  # fmt: skip


async def test_a_test_is_accepted_when_its_model_is_ready_and_says_what_the_window_shows(api, connection):
    model_id = await add_model(connection, "one")

    async with api.session.post(f"/api/models/{model_id}/test", json={**WINDOW, "priority": 9}) as answer:
        created, location = await answer.json(), answer.headers["Location"]

    assert answer.status == 201
    assert location == f"/api/queue/{created['job_id']}"
    assert (created["status"], created["name"]) == ("PENDING", "one")
    # It starts when the training window ends, ten minutes before the last answers of training were known.
    assert [warning["code"] for warning in created["warnings"]] == ["overlap"]
    assert "shares 10 of its 2880 minutes" in created["warnings"][0]["message"]
    _, job = await api.get(location)
    assert (job["job_type"], job["test_model_id"], job["priority"]) == ("TEST", model_id, 9)
    assert (job["test_start"], job["test_end"]) == (WINDOW["test_start"], WINDOW["test_end"])
    assert (job["model_name"], job["warnings"], job["result_test"]) == (None, [], None)


async def test_a_test_is_refused_when_its_model_cannot_be_measured_or_the_window_is_no_window(api, connection):
    ready, failed = await add_model(connection, "ready"), await add_model(connection, "failed", status="FAILED")
    deleted = await add_model(connection, "deleted", is_deleted=True)

    missing = await api.post("/api/models/999/test", WINDOW)
    gone = await api.post(f"/api/models/{deleted}/test", WINDOW)
    unready = await api.post(f"/api/models/{failed}/test", WINDOW)
    turned = await api.post(f"/api/models/{ready}/test", {**WINDOW, "test_end": WINDOW["test_start"]})
    naive = await api.post(f"/api/models/{ready}/test", {**WINDOW, "test_end": "2026-03-04T00:00:00"})
    unknown = await api.post(f"/api/models/{ready}/test", {**WINDOW, "phases": [1]})

    assert [answer[0] for answer in (missing, gone, unready, turned, naive, unknown)] == [404, 404, 409, 422, 422, 422]
    assert "There is no model 999" in missing[1]["detail"]
    assert "deleted" in gone[1]["detail"]
    assert f"Model {failed} is FAILED" in unready[1]["detail"]
    assert turned[1]["errors"][0]["pointer"] == "/test_end"
    assert await connection.fetchval("SELECT count(*) FROM ml_jobs") == 0


async def test_a_comparison_is_accepted_in_both_forms(api, connection):
    first, second = await add_model(connection, "one"), await add_model(connection, "two")

    for form in ({"model_ids": [second, first]}, {"model_a_id": second, "model_b_id": first}):
        status, created = await api.post("/api/models/compare", {**WINDOW, **form})

        assert (status, created["name"]) == (201, "two, one")
        _, job = await api.get(f"/api/queue/{created['job_id']}")
        assert (job["job_type"], job["test_model_id"]) == ("COMPARE", None)
        assert job["request"]["model_ids"] == [second, first]


async def test_a_comparison_is_refused_when_its_models_are_too_few_too_many_equal_or_not_there(api, connection):
    ids = [await add_model(connection, f"model {number}") for number in range(6)]
    failed = await add_model(connection, "failed", status="FAILED")
    refused = [
        {"model_ids": ids[:1]},
        {"model_ids": ids},
        {"model_ids": [ids[0], ids[1], ids[0]]},
        {"model_a_id": ids[0]},
        {"model_a_id": ids[0], "model_b_id": ids[0]},
        {"model_ids": ids[:2], "model_a_id": ids[0], "model_b_id": ids[1]},
        {},
        {"model_ids": [0, ids[1]]},
        {"model_a_id": "x", "model_b_id": ids[1]},
    ]

    answers = [await api.post("/api/models/compare", {**WINDOW, **form}) for form in refused]
    missing = await api.post("/api/models/compare", {**WINDOW, "model_ids": [ids[0], 999]})
    unready = await api.post("/api/models/compare", {**WINDOW, "model_ids": [ids[0], failed]})

    assert [status for status, _ in answers] == [422] * len(refused)
    assert "named twice" in str(answers[2][1]["errors"])
    assert "takes either model_ids or" in str(answers[5][1]["errors"])
    assert (missing[0], unready[0]) == (404, 409)
    assert "There is no model 999" in missing[1]["detail"]
    assert await connection.fetchval("SELECT count(*) FROM ml_jobs") == 0


async def test_test_results_are_listed_by_model_without_their_curves(api, connection):
    first, second = await add_model(connection, "one"), await add_model(connection, "two")
    ids = [await add_test(connection, model_id, day) for model_id, day in ((first, 1), (second, 1), (first, 2))]

    _, everything = await api.get("/api/test-results")
    _, page = await api.get("/api/test-results", params={"model_id": first, "limit": 1})
    _, one = await api.get(f"/api/test-results/{ids[0]}")

    assert ([item["id"] for item in everything["test_results"]], everything["total"]) == (ids[::-1], 3)
    assert ([item["id"] for item in page["test_results"]], page["total"]) == ([ids[2]], 2)
    assert page["test_results"][0]["metrics"] is None
    assert one["metrics"] == {"brier": 0.1}
    assert one["warnings"] == [{"code": "low_f1", "message": "low"}]
    assert one["confusion_matrix"] == {"tp": 1, "tn": 2, "fp": 3, "fn": 4}


async def test_comparisons_are_listed_without_their_figures(api, connection):
    ids = [await add_model(connection, "one"), await add_model(connection, "two")]
    found = await add_comparison(connection, ids, [7, 8])

    _, listed = await api.get("/api/comparisons")
    _, one = await api.get(f"/api/comparisons/{found}")

    assert (listed["total"], listed["comparisons"][0]["results"]) == (1, None)
    assert (one["results"], one["winner_id"], one["test_result_ids"]) == ({"rule": "best"}, ids[1], [7, 8])


async def test_jobs_carry_what_they_found_until_it_is_removed_and_stay_themselves(api, connection):
    ids = [await add_model(connection, "one"), await add_model(connection, "two")]
    test_id = await add_test(connection, ids[0])
    comparison_id = await add_comparison(connection, ids, [test_id])
    jobs = {
        "result_test": await add_job(connection, "TEST", "result_test_id", test_id),
        "result_comparison": await add_job(connection, "COMPARE", "result_comparison_id", comparison_id),
    }

    for name, path, found in (
        ("result_test", "test-results", test_id),
        ("result_comparison", "comparisons", comparison_id),
    ):
        _, job = await api.get(f"/api/queue/{jobs[name]}")
        assert (job[name]["id"], job["result_model"]) == (found, None)
        _, listed = await api.get("/api/queue", params={"job_type": job["job_type"]})
        assert listed["jobs"][0][name] == job[name]

        statuses = [(await api.call(method, f"/api/{path}/{found}"))[0] for method in ("DELETE", "DELETE", "GET")]

        assert statuses == [204, 404, 404]
        _, job = await api.get(f"/api/queue/{jobs[name]}")
        assert (job["status"], job[name], job[f"{name}_id"]) == ("COMPLETED", None, None)


async def add_job(connection, job_type, column, result_id):
    return await connection.fetchval(
        f"INSERT INTO ml_jobs (job_type, status, {column}) VALUES ($1, 'COMPLETED', $2) RETURNING id",
        job_type, result_id,
    )  # fmt: skip


async def test_a_failed_test_can_be_asked_for_again(api, connection):
    model_id = await add_model(connection, "one")
    _, created = await api.post(f"/api/models/{model_id}/test", WINDOW)
    await api.post(f"/api/queue/{created['job_id']}/cancel")

    status, job = await api.post(f"/api/queue/{created['job_id']}/retry")

    assert (status, job["status"], job["model_name"]) == (200, "PENDING", None)


async def test_a_deleted_test_result_leaves_the_comparisons_that_named_it(api, connection):
    first, second = await add_model(connection, "one"), await add_model(connection, "two")
    tests = [await add_test(connection, model_id, day) for model_id, day in ((first, 1), (second, 1), (second, 11))]
    shared = await add_comparison(connection, [first, second], tests[:2])
    other = await add_comparison(connection, [first, second], [tests[0], tests[2]])

    assert (await api.session.delete(f"/api/test-results/{tests[1]}")).status == 204
    assert (await api.session.delete(f"/api/test-results/{tests[1]}")).status == 404

    left = {comparison_id: (await api.get(f"/api/comparisons/{comparison_id}"))[1] for comparison_id in (shared, other)}
    assert left[shared]["test_result_ids"] == tests[:1]
    assert left[other]["test_result_ids"] == [tests[0], tests[2]]
    assert (await api.session.delete(f"/api/test-results/{tests[0]}")).status == 204
    assert (await api.get(f"/api/comparisons/{shared}"))[1]["test_result_ids"] == []
