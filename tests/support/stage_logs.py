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
    (listed,) = stage.ask("training", "GET", f"/queue?job_type={job_type}")["jobs"]
    job = stage.ask("training", "GET", f"/queue/{listed['id']}")
    assert {
        ("app", "request answered"), ("app", "drawn"), ("training-api", "request"), ("training-worker", "work started"),
        ("training-fitting", "work begins"), ("training-fitting", "work done"), ("training-worker", "result recorded"),
    } <= said(stage, job["request_id"])  # fmt: skip
    of_job = [one for one in lines(stage) if one.get("request_id") == job["request_id"] and "job_id" in one]
    assert {one["job_id"] for one in of_job} == {job["id"]}
    (trace,) = {one["trace_id"] for one in of_job}
    return trace


def follow_import(stage: Stage) -> None:
    """See that what an import asks the training service carries the id of its own request."""
    imports = [one for one in lines(stage) if one.get("path") == "/api/models/import" and one["event"] == "request"]
    services = {service for service, _ in said(stage, imports[-1]["request_id"])}
    assert services == {"app", "prediction-api", "training-api"}


def follow_message(stage: Stage, received: Receiver, delivery_id: int) -> str:
    """See that a test event carries the id of its request to the receiver, and is logged by it; give its trace."""
    path = f"/webhook-deliveries/{delivery_id}"
    shown = until(lambda: _delivered(stage.ask("prediction", "GET", path)), "the test event to be taken")
    (sent,) = [one for one in received.requests if json.loads(one.body)["type"] == "webhook.test"]
    ids = {sent.headers["X-Request-ID"], shown["request_id"], *(one["request_id"] for one in shown["attempt_log"])}
    (request_id,) = ids
    until(lambda: ("prediction-worker", "webhook taken") in said(stage, request_id), "the attempt in the log")
    assert {("app", "request answered"), ("prediction-api", "request")} <= said(stage, request_id)
    (trace,) = {one["trace_id"] for one in lines(stage) if one.get("request_id") == request_id}
    return trace


def _delivered(shown: dict[str, Any]) -> dict[str, Any] | None:
    return shown if shown["status"] == "delivered" else None


def see_trace(spans: Collector, job: str, message: str) -> None:
    """See that the spans of a job and of a message hang below the page that led to them."""
    assert _way(spans, job, "fit") == [
        ("pumpcast-app", "draw train"), ("pumpcast-app", "POST training"),
        ("pumpcast-training-api", "POST /api/models/create"), ("pumpcast-training-worker", "job TRAIN"),
        ("pumpcast-training-worker", "fit"),
    ]  # fmt: skip
    assert "INSERT" in {one.name for one in spans.of_trace(job) if one.service == "pumpcast-training-api"}
    assert _way(spans, message, "webhook attempt") == [
        ("pumpcast-app", "draw delivery"), ("pumpcast-app", "POST prediction"),
        ("pumpcast-prediction-api", "POST /api/webhooks/{endpoint_id}/test"),
        ("pumpcast-prediction-worker", "webhook attempt"),
    ]  # fmt: skip
    live = until(lambda: [one for one in spans.spans if one.name == "live batch"], "a live batch")[0]
    assert live.attributes["pumpcast.rows"] > 0
    assert live.attributes["pumpcast.models"] > 0


def _way(spans: Collector, trace: str, name: str) -> list[tuple[str, str]]:
    """Wait for the one span of a name, and for all above it; give service and name of each."""

    def whole() -> list[tuple[str, str]]:
        found = [one for one in spans.of_trace(trace) if one.name == name]
        way = spans.way_to(found[0]) if found else []
        return way if way and way[0][0] == "pumpcast-app" and way[0][1].startswith("draw") else []

    way: list[tuple[str, str]] = until(whole, f"the span {name} and all above it")
    return way


def see_no_noise(stage: Stage) -> None:
    """See that a part which draws itself anew all the time fills no log."""
    drawn = {one["what"] for one in lines(stage) if one["event"] == "drawn"}
    assert "jobs" in drawn
    assert "follow" not in drawn


def see_no_secret(stage: Stage, *secrets: str) -> None:
    """See that nobody has written a secret down."""
    everything = "".join(path.read_text() for path in stage.home.glob("*.log"))
    assert not [secret for secret in (*MARKED.values(), PASSWORD, HEADER, *secrets) if secret in everything]
