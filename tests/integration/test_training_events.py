"""What a job tells: its log, and server-sent events read by a real client from a real server."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import aiohttp
import fastapi.routing
import pytest

from tests.support.database import insert_rows
from tests.support.serving import served
from tests.support.training import create, learnable_rows, training_settings, until, working
from training_service.app import build
from training_service.routes import events
from training_service.store import jobs
from training_service.store.job_rows import Line
from training_service.usecases.jobs import cancel
from training_service.usecases.lease import Lease
from training_service.usecases.task import Step


@pytest.fixture
def settings(database, tmp_path):
    return training_settings(database, tmp_path)


@pytest.fixture
async def api(settings) -> AsyncIterator[aiohttp.ClientSession]:
    async with served(build(settings)) as url, aiohttp.ClientSession(f"{url}/api/") as session:
        yield session


@asynccontextmanager
async def stream(api, job_id, **headers) -> AsyncIterator[AsyncIterator[dict]]:
    """Open the events of a job."""
    async with asyncio.timeout(60), api.get(f"queue/{job_id}/events", headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.headers["Content-Type"].partition(";")[0] == "text/event-stream"
        yield parsed(answer)


async def parsed(answer) -> AsyncIterator[dict]:
    event = {}
    async for line in answer.content:
        text = line.decode().rstrip("\n")
        if text:
            name, _, value = text.partition(": ")
            event[name or "comment"] = value
        elif event:
            yield {**event, "data": json.loads(event["data"])} if "data" in event else event
            event = {}


def lines(*messages):
    return [Line(at=datetime.now(UTC), message=message) for message in messages]


def messages(*told):
    return [line["message"] for event in told if event.get("event") == "progress" for line in event["data"]["lines"]]


async def test_a_whole_job_is_followed_from_its_start_to_its_model(api, pool, settings, connection):
    await insert_rows(connection, learnable_rows())
    job_id = await create(pool, use_timeseries_split=True, cv_splits=3)
    async with working(settings), stream(api, job_id) as told:
        found = [event async for event in told if "event" in event]

    assert [event["event"] for event in found] == ["progress"] * (len(found) - 1) + ["end"]
    steps = [event["data"] for event in found[:-1]]
    assert [step["progress"] for step in steps] == sorted(step["progress"] for step in steps)
    assert (steps[0]["id"], steps[-1]["status"], steps[-1]["progress"]) == (job_id, "COMPLETED", 1)
    async with api.get(f"queue/{job_id}/log") as answer:
        log = await answer.json()
    assert messages(*found) == [line["message"] for line in log["lines"]]
    assert (log["job_id"], log["status"], log["total"]) == (job_id, "COMPLETED", len(log["lines"]))
    assert messages(*found)[0] == "accepted: waits for a worker"
    assert any(message.startswith("fit") for message in messages(*found))
    assert messages(*found)[-1] == f"model {found[-1]['data']['result_model_id']} is ready"
    (folds,) = [step["interim"]["folds"] for step in steps if step["interim"]][-1:]
    assert [fold["fold"] for fold in folds] == [1, 2, 3]
    job = found[-1]["data"]
    assert (job["status"], job["result_model"]["id"]) == ("COMPLETED", job["result_model_id"])


async def test_a_job_that_is_over_gives_its_last_state_and_the_end_at_once(api, pool):
    job_id = await create(pool)
    await cancel(pool, job_id)

    async with stream(api, job_id) as told:
        progress, end = [event async for event in told]

    assert (progress["event"], progress["data"]["status"]) == ("progress", "CANCELLED")
    assert messages(progress) == ["accepted: waits for a worker", "cancelled"]
    assert (end["event"], end["data"]["status"], end["data"]["result_model"]) == ("end", "CANCELLED", None)


async def test_the_last_event_id_leaves_out_the_lines_told_before_and_no_others(api, pool):
    job_id = await create(pool)
    job = await jobs.claim(pool, worker="w")
    async with stream(api, job_id) as told:
        first = await anext(told)
    await jobs.renew(pool, job, progress=0.1, message="b", lines=lines("a", "b"), interim={"folds": [{"fold": 1}]})
    async with stream(api, job_id, **{"Last-Event-ID": first["id"]}) as told:
        second = await anext(told)
        await jobs.renew(pool, job, progress=0.1, message="b")
        await jobs.renew(pool, job, progress=0.2, message="c", lines=lines("c"))
        third = await anext(told)
    async with stream(api, job_id, **{"Last-Event-ID": third["id"]}) as told:
        fourth = await anext(told)
    async with stream(api, job_id, **{"Last-Event-ID": "of another time"}) as told:
        everything = await anext(told)

    assert messages(first) == ["accepted: waits for a worker", "taken up by worker w"]
    assert messages(second) == ["a", "b"]
    assert second["data"]["interim"] == {"folds": [{"fold": 1}]}
    assert (messages(third), third["data"]["progress"], third["data"]["interim"]) == (["c"], 0.2, None)
    assert (messages(fourth), fourth["data"]["progress"]) == ([], 0.2)
    assert messages(everything) == [*messages(first), "a", "b", "c"]


async def test_a_line_that_is_told_late_bears_the_moment_it_was_noted(pool):
    job_id = await create(pool)
    lease = Lease(job=await jobs.claim(pool, worker="w"))
    before = datetime.now(UTC)
    lease.note(Step(progress=0.1, message="load"))
    after = datetime.now(UTC)
    early = before - timedelta(minutes=9)
    told = [Line(at=early, message="early"), *lease.lines]
    await jobs.renew(pool, lease.job, progress=0.1, message="load", lines=told)
    await jobs.put_back(pool, lease.job, reason="over", lines=[Line(at=early, message="late")])

    log = (await jobs.get_log(pool, job_id))["log"]
    at = {line["message"]: datetime.fromisoformat(line["at"]) for line in log}
    assert (at["early"], at["late"]) == (early, early)
    assert before <= at["load"] <= after
    assert at["over"] > before, "a line without a moment is of now"


async def test_a_log_keeps_its_newest_lines_and_gives_the_last_ones_asked_for(api, pool):
    job_id = await create(pool)
    job = await jobs.claim(pool, worker="w")
    async with stream(api, job_id) as told:
        first = await anext(told)
    await jobs.renew(pool, job, progress=0.1, message="x", lines=lines(*(f"line {number}" for number in range(600))))

    async with api.get(f"queue/{job_id}/log", params={"limit": 2}) as answer:
        log = await answer.json()
    async with stream(api, job_id, **{"Last-Event-ID": first["id"]}) as told:
        after = await anext(told)

    assert ([line["message"] for line in log["lines"]], log["total"]) == (["line 598", "line 599"], 500)
    assert messages(after) == [f"line {number}" for number in range(100, 600)]


@pytest.mark.parametrize("part", ["log", "events"])
async def test_an_unknown_job_is_not_found(api, part):
    async with api.get(f"queue/77/{part}") as answer:
        assert answer.status == 404
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert "77" in (await answer.json())["detail"]


async def test_more_streams_than_are_held_are_refused_until_one_is_closed(api, pool, monkeypatch):
    monkeypatch.setattr(events, "MOST_STREAMS", 1)
    job_id = await create(pool)
    async with stream(api, job_id) as told:
        await anext(told)
        async with api.get(f"queue/{job_id}/events") as refused:
            assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
            assert refused.headers["Content-Type"] == "application/problem+json"
    for _ in range(100):
        if not events.streams.open_now:
            break
        await asyncio.sleep(0.05)

    async with stream(api, job_id) as told:
        assert (await anext(told))["event"] == "progress"


async def test_one_reader_with_many_streams_leaves_room_for_others(settings, pool, monkeypatch):
    monkeypatch.setattr(events, "MOST_STREAMS_OF_ONE", 2)
    keys = {name: f"the secret of {name}" for name in ("greedy", "modest")}
    digests = [f"{name}:read:{hashlib.sha256(secret.encode()).hexdigest()}" for name, secret in keys.items()]
    greedy, modest = ({"X-API-Key": secret} for secret in keys.values())
    app = build(settings.model_copy(update={"api_keys": tuple(digests)}))
    job_id = await create(pool)
    async with served(app) as url, aiohttp.ClientSession(f"{url}/api/") as session:
        async with stream(session, job_id, **greedy) as one, stream(session, job_id, **greedy) as two:
            await anext(one)
            await anext(two)
            async with session.get(f"queue/{job_id}/events", headers=greedy) as refused:
                assert (refused.status, refused.headers["Retry-After"]) == (429, "5")
                assert (await refused.json())["detail"].startswith("2 event streams of yours are open here")
            async with stream(session, job_id, **modest) as told:
                assert (await anext(told))["event"] == "progress"
        for _ in range(100):
            if not events.streams.open_now:
                break
            await asyncio.sleep(0.05)
        async with stream(session, job_id, **greedy) as told:
            assert (await anext(told))["event"] == "progress"


async def test_a_stopping_server_ends_its_streams(settings, pool):
    job_id = await create(pool)
    async with aiohttp.ClientSession() as session:
        # This server waits without end for answers under way.
        async with served(build(settings)) as url:
            answer = await session.get(f"{url}/api/queue/{job_id}/events")
            told = parsed(answer)
            await anext(told)
        assert [event async for event in told] == []


async def test_more_streams_than_connections_leave_the_api_answering(api, pool):
    job_id = await create(pool)
    answers = [await api.get(f"queue/{job_id}/events") for _ in range(25)]
    assert {answer.status for answer in answers} == {200}

    async with api.get("queue") as answer:
        assert (await answer.json())["total"] == 1
    await cancel(pool, job_id)

    ends = [[event async for event in parsed(answer)][-1] for answer in answers]
    assert {(event["event"], event["data"]["status"]) for event in ends} == {("end", "CANCELLED")}


async def test_a_stream_outlives_the_sessions_of_its_database(api, pool):
    job_id = await create(pool)
    async with stream(api, job_id) as told:
        await anext(told)
        await pool.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'pumpcast training'"
        )
        await cancel(pool, job_id)
        assert [event["event"] async for event in told] == ["progress", "end"]


async def test_a_stream_in_which_nothing_happens_is_kept_alive(api, pool, monkeypatch):
    monkeypatch.setattr(fastapi.routing, "_PING_INTERVAL", 0.1)
    job_id = await create(pool)
    async with stream(api, job_id) as told:
        assert (await anext(told))["event"] == "progress"
        assert await anext(told) == {"comment": "ping"}


async def test_a_job_that_is_retried_can_be_followed_again(api, pool):
    job_id = await create(pool)
    await cancel(pool, job_id)
    async with api.post(f"queue/{job_id}/retry") as answer:
        assert answer.status == 200

    async with stream(api, job_id) as told:
        assert messages(await anext(told))[-1] == "to be run again"
    assert (await until(pool, job_id, "PENDING"))["progress"] == 0


async def test_a_list_of_jobs_leaves_out_what_only_one_job_shows(api, pool):
    job_id = await create(pool)
    job = await jobs.claim(pool, worker="w")
    await jobs.renew(pool, job, progress=0.1, message="x", lines=lines("x" * 1000), interim={"folds": [{"fold": 1}]})

    async with api.get("queue") as answer:
        text = await answer.text()
    async with api.get(f"queue/{job_id}") as answer:
        one = await answer.json()

    (listed,) = json.loads(text)["jobs"]
    assert (listed["id"], listed["interim"], "log" in listed) == (job_id, None, False)
    assert "x" * 1000 not in text
    assert one["interim"] == {"folds": [{"fold": 1}]}
    rows, _ = await jobs.list_page(pool, status=None, job_type=None, limit=1, offset=0)
    assert {"log", "interim"}.isdisjoint(rows[0].keys())
