"""What the processes of a stage said: one JSON line each, no secret, and the way of one request through all of them."""

import json
from typing import Any, Final

from tests.support.collector import Collector
from tests.support.receiver import Receiver
from tests.support.stage import Stage, until

MARKED: Final = {
    "UI_API_KEY": "marked-key-of-the-app",
    "TRAINING_SERVICE_API_KEY": "marked-key-of-the-prediction-service",
    "ARTIFACT_SIGNING_KEY": "5ec2e7" * 10 + "5ec2",
}
PASSWORD: Final = "marked-password-of-the-database"
HEADER: Final = "marked-header-of-a-webhook"


def lines(stage: Stage) -> list[dict[str, Any]]:
    """Give what all processes said; a line that is no JSON fails."""
    return [json.loads(line) for path in stage.home.glob("*.log") for line in path.read_text().splitlines()]


def said(stage: Stage, request_id: str) -> set[tuple[str, str]]:
    """Give which service said what about a request."""
    return {(one["service"], one["event"]) for one in lines(stage) if one.get("request_id") == request_id}


def follow_job(stage: Stage, job_type: str) -> str:
    """See that a job is found in all logs by the id of the request that asked for it; give the trace of that."""
    jobs = stage.ask("training", "GET", f"/queue?job_type={job_type}")["jobs"]
    job = stage.ask("training", "GET", f"/queue/{jobs[-1]['id']}")
    found = said(stage, job["request_id"])
    assert {
        ("training-api", "request"), ("training-worker", "work started"),
        ("training-fitting", "work begins"), ("training-fitting", "work done"), ("training-worker", "result recorded"),
    } <= found  # fmt: skip
    of_job = [one for one in lines(stage) if one.get("request_id") == job["request_id"] and "job_id" in one]
    assert {one["job_id"] for one in of_job} == {job["id"]}
    (trace,) = {one["trace_id"] for one in of_job}
    return trace


def follow_import(stage: Stage) -> None:
    """See that what an import asks the training service carries the id of its own request."""
    imports = [one for one in lines(stage) if one.get("path") == "/api/models/import" and one["event"] == "request"]
    asked = [one for one in lines(stage) if one.get("request_id") == imports[-1]["request_id"]]
    assert {one["service"] for one in asked} >= {"prediction-api", "training-api"}


def follow_message(stage: Stage, received: Receiver, endpoint: int) -> str:
    """See that a test event carries the id of its request to the receiver, and is logged by it; give its trace."""
    before = len(received.requests)
    sent = stage.ask("prediction", "POST", f"/webhooks/{endpoint}/test", request_id="try-the-endpoint")
    until(lambda: len(received.requests) > before, "a test event")
    tests = [one for one in received.requests[before:] if json.loads(one.body)["type"] == "webhook.test"]
    assert [one.headers["X-Request-ID"] for one in tests] == ["try-the-endpoint"]
    until(lambda: ("prediction-worker", "webhook taken") in said(stage, "try-the-endpoint"), "the attempt in the log")
    shown = stage.ask("prediction", "GET", f"/webhook-deliveries/{sent['id']}")
    assert [shown["request_id"], *(one["request_id"] for one in shown["attempt_log"])] == ["try-the-endpoint"] * 2
    (trace,) = {one["trace_id"] for one in lines(stage) if one.get("request_id") == "try-the-endpoint"}
    return trace


def see_trace(spans: Collector, job: str, message: str) -> None:
    """See that the spans of a job and of a message hang below the request that led to them."""
    (stage_of_work,) = until(lambda: [one for one in spans.of_trace(job) if one.name == "fit"], "the span of a stage")
    way = until(lambda: _complete(spans.way_to(stage_of_work)), "all spans above it")
    assert way == [
        ("pumpcast-training-api", "POST /api/models/create"), ("pumpcast-training-worker", "job TRAIN"),
        ("pumpcast-training-worker", "fit"),
    ]  # fmt: skip
    assert "INSERT" in {one.name for one in spans.of_trace(job) if one.service == "pumpcast-training-api"}
    attempt = until(lambda: [one for one in spans.of_trace(message) if one.name == "webhook attempt"], "an attempt")[0]
    until(lambda: len(spans.way_to(attempt)) > 1, "the request above an attempt")
    assert spans.way_to(attempt)[0] == ("pumpcast-prediction-api", "POST /api/webhooks/{endpoint_id}/test")
    live = until(lambda: [one for one in spans.spans if one.name == "live batch"], "a live batch")[0]
    assert live.attributes["pumpcast.rows"] > 0
    assert live.attributes["pumpcast.models"] > 0


def _complete(way: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return way if way[0][1].startswith("POST") else []


def see_no_secret(stage: Stage, *secrets: str) -> None:
    """See that nobody has written a secret down."""
    everything = "".join(path.read_text() for path in stage.home.glob("*.log"))
    assert not [secret for secret in (*MARKED.values(), PASSWORD, HEADER, *secrets) if secret in everything]
