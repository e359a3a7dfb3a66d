"""What needs attention: each fault is found, at its severity, with the place of its fix; health is quiet."""

from datetime import timedelta
from typing import Any

import pytest

from shared.contracts.statistics import Books
from shared.contracts.training import Warned
from streamlit_ui.app_pages.attention import Finding, Situation, find
from streamlit_ui.texts import table
from tests.support import ui_overview as wire
from tests.support.ui_predictions import active_model

NOW = wire.now()
AGO = NOW - timedelta(hours=2)


def healthy(**changes: Any) -> Situation:
    values: dict[str, Any] = {
        "now": NOW,
        "health": (wire.health(), wire.health("training", listener=None)),
        "service": wire.service_statistics(),
        "models": [active_model(activated_at=AGO, last_prediction_at=NOW)],
        "statistics": [wire.model_statistics()],
        "trained": [wire.trained()],
        "endpoints": [wire.endpoint()],
        "packages": [wire.package()],
        "failed_jobs": [],
    }
    return Situation(**{**values, **changes})


def service(**changes: Any) -> dict[str, Any]:
    return {"service": wire.service_statistics(**changes)}


def worker(**changes: Any) -> dict[str, Any]:
    return service(workers=[wire.worker(**changes)])


def drifting(level: str) -> dict[str, Any]:
    return {"statistics": [wire.model_statistics(drift=[wire.drift(level)])]}


def alerts(tp: int, fp: int) -> dict[str, Any]:
    return {"statistics": [wire.model_statistics(total=wire.figures(tp=tp, fp=fp))]}


def broken_books() -> Books:
    return Books(rows=10, owed=10, predictions=7, skipped={"stale": 1}, not_rolled_up=0, balanced=False)


FAULTS = {
    "silent service": ({"silent": ("training",)}, "bad", "unreachable", "system"),
    "no database": ({"health": (wire.health(db_connected=False, status="degraded"),)}, "bad", "no_database", "system"),
    "store": ({"health": (wire.health(model_store="read_only"),)}, "bad", "model_store", "system"),
    "migrations": ({"health": (wire.health(migrations="pending"),)}, "bad", "migrations", "system"),
    "disk": ({"health": (wire.health(disk_free_bytes=1024),)}, "bad", "disk", "system"),
    "degraded": ({"health": (wire.health(status="degraded"),)}, "warning", "degraded", "system"),
    "degraded, why": (
        {"health": (wire.health(status="degraded", last_error="no table"),)}, "warning", "degraded_why", "system"
    ),
    "no worker": (service(workers=[]), "bad", "no_worker", "system"),
    "dead worker": (worker(beat=AGO), "bad", "dead_worker", "system"),
    "worker without a beat": (worker(beat=None), "bad", "dead_worker", "system"),
    "uncovered": (worker(shards=[0, 1, 2]), "bad", "uncovered", "system"),
    "trouble": (worker(trouble="model 7 cannot be loaded"), "bad", "trouble", "system"),
    "polling": (worker(listener="polling"), "warning", "polling", "system"),
    "lag": (worker(lag_seconds=300.0), "warning", "lag", "system"),
    "books": (service(books=broken_books()), "bad", "books", "system"),
    "outcomes": (service(outcomes_behind_seconds=3600.0), "warning", "outcomes", "statistics"),
    "nothing ever predicted": (
        {"models": [active_model(activated_at=AGO, last_prediction_at=None)]}, "warning", "no_predictions", "system"
    ),
    "no rows": ({"models": [active_model(last_prediction_at=AGO)]}, "warning", "no_rows", "system"),
    "overfitted": ({"trained": [wire.trained(cv_overfitting_gap=0.31)]}, "warning", "overfitted", "models"),
    "overfitting told": (
        {"trained": [wire.trained(warnings=[Warned(code="overfitting", message="…")])]},
        "warning", "overfitting", "models",
    ),
    "old": ({"trained": [wire.trained(train_end=NOW - timedelta(days=45))]}, "warning", "old", "train"),
    "drift": (drifting("strong"), "warning", "drift", "statistics"),
    "below promise": (alerts(tp=8, fp=32), "warning", "below_promise", "statistics"),
    "endpoint disabled": (
        {"endpoints": [wire.endpoint(enabled=False, disabled_reason="410")]}, "bad", "endpoint_disabled", "delivery"
    ),
    "endpoint failing": ({"endpoints": [wire.endpoint(failing_since=AGO)]}, "bad", "endpoint_failing", "delivery"),
    "endpoint stumbles": (
        {"endpoints": [wire.endpoint(failing_since=NOW - timedelta(minutes=2))]},
        "warning", "endpoint_failing", "delivery",
    ),
    "package": (
        {"packages": [wire.package(warmup_status="FAILED", warmup_error="NaN")]}, "bad", "package_failed", "packages"
    ),
    "package waits": (
        {"packages": [wire.package(warmup_status="PENDING", warmup_error="have 3 of 1500 candles")]},
        "warning", "package_waiting", "packages",
    ),
    "job": ({"failed_jobs": [wire.failed_job()]}, "warning", "job_failed", "jobs"),
}  # fmt: skip
QUIET = {
    "all well": {},
    "moderate drift": drifting("moderate"),
    "few alerts": alerts(tp=0, fp=20),
    "keeps its promise": alerts(tp=16, fp=24),
    "old failure": {"failed_jobs": [wire.failed_job(completed_at=NOW - timedelta(days=2))]},
    "archived package": {"packages": [wire.package(status="ARCHIVED", warmup_status="FAILED")]},
    "endpoint that just refused one": {"endpoints": [wire.endpoint(failing_since=NOW - timedelta(seconds=10))]},
    "endpoint switched off by hand": {"endpoints": [wire.endpoint(enabled=False)]},
    "just activated": {"models": [active_model(activated_at=NOW, last_prediction_at=None)]},
    "replay of old rows": {
        "trained": [wire.trained(train_end=NOW - timedelta(days=45))],
        **service(recording_clock=NOW - timedelta(days=40)),
    },
    "no model": {"models": []},
    "nothing told": {"service": None, "health": (), "models": [], "trained": [], "statistics": []},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_attention_when_something_is_wrong_then_it_alone_is_found(fault: str):
    changes, severity, code, place = FAULTS[fault]
    assert [(one.severity, one.code, one.place) for one in find(healthy(**changes))] == [(severity, code, place)]


@pytest.mark.parametrize("state", QUIET)
def test_attention_when_nothing_is_wrong_then_it_is_quiet(state: str):
    assert find(healthy(**QUIET[state])) == []


def test_attention_when_one_model_is_silent_then_only_it_is_named():
    busy = active_model(id=1, name="Busy", activated_at=AGO, last_prediction_at=NOW)
    stuck = active_model(id=2, name="Stuck", activated_at=AGO, created_at=AGO, last_prediction_at=AGO)
    choosy = active_model(id=3, name="Choosy", coin_filter_mode="whitelist", last_prediction_at=AGO)
    (found,) = find(healthy(models=[busy, stuck, choosy], statistics=[], trained=[]))
    assert (found.code, found.values["model"], found.query) == ("silent", "Stuck", {"model": 2})


def test_attention_when_faults_and_warnings_mix_then_faults_come_first():
    found = find(healthy(failed_jobs=[wire.failed_job()], endpoints=[wire.endpoint(failing_since=AGO)]))
    assert [one.code for one in found] == ["endpoint_failing", "job_failed"]
    assert found[0].query == {"endpoint": 3}
    assert found[1].query == {"id": 12}


def test_attention_when_many_are_alike_then_the_rest_is_a_number():
    found = find(healthy(failed_jobs=[wire.failed_job(id=n) for n in range(10)]))
    assert [one.code for one in found] == ["job_failed", "job_failed", "job_failed", "more"]
    assert found[-1].values == {"count": 7, "kind": "job_failed"}


def test_attention_when_found_then_there_are_words_for_it_and_for_its_fix():
    words = table("en")
    findings: list[Finding] = [one for changes, *_ in FAULTS.values() for one in find(healthy(**changes))]
    needed = {f"attention.{one.code}" for one in findings} | {f"attention.fix_{one.place}" for one in findings}
    assert needed - words.keys() == set()
