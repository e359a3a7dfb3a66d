"""What the training service says of jobs and of what there is to choose from, for tests of the app."""

from datetime import UTC, datetime, timedelta
from typing import Any

from shared.contracts.events import JobLog, LogLine
from shared.contracts.jobs import DataAvailability, FeatureCatalogue, Job, JobList, ModelTypeList, PhaseList
from shared.contracts.preflight import PreflightReport
from shared.contracts.training import CreatedJob, Model
from tests.support.fake_services import FakeService

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
LAST = FIRST + timedelta(days=10)
REQUEST: dict[str, Any] = {
    "name": "Copied", "model_type": "random_forest", "features": ["volume_sol", "price_roc_5", "price_roc_20"],
    "train_start": "2026-01-02T00:00:30Z", "train_end": "2026-01-08T00:00:00Z", "future_minutes": 15,
    "min_percent_change": 40.0, "direction": "down", "label_resolution": "observed", "phases": [1],
    "params": {"max_depth": 7}, "cv_splits": 3,
}  # fmt: skip


def _feature(name: str, unit: str, family: str | None = None) -> dict[str, Any]:
    return {
        "name": name,
        "unit": unit,
        "meaning": f"What {name} is",
        "family": family,
        "windows": [5] if family else [],
    }


def catalogue(training: FakeService) -> None:
    """Let the service tell what there is to choose from."""
    features = [_feature(name, "SOL") for name in ("price_close", "volume_sol", "market_cap_close")]
    features += [_feature(name, "trades") for name in ("num_buys", "num_sells")]
    features += [_feature(f"{name}_<w>", "%", name) for name in ("price_change", "price_roc")]
    training.get("/features", FeatureCatalogue.model_validate({"features": features, "total": len(features)}))
    phases = [
        {"id": 1, "name": "Baby Zone", "interval_seconds": 5, "min_age_minutes": 0, "max_age_minutes": 10},
        {"id": 99, "name": "Finished", "interval_seconds": 0, "min_age_minutes": 10, "max_age_minutes": None},
    ]
    training.get("/phases", PhaseList.model_validate({"phases": phases, "total": 2}))
    parameters = [
        {"name": "max_depth", "default": 6, "allowed": "an integer from 1 to 16", "meaning": "deepest level"},
        {"name": "max_features", "default": "sqrt", "meaning": "share of the features",
         "allowed": "a number above 0 and up to 1 or one of sqrt, log2 or null"},
        {"name": "criterion", "default": "gini", "allowed": "one of gini, entropy", "meaning": "what a split lowers"},
    ]  # fmt: skip
    kinds = [
        {"name": name, "title": title, "description": f"About {title}", "parameters": parameters,
         "default_params": {one["name"]: one["default"] for one in parameters}}
        for name, title in (("random_forest", "Random forest"), ("xgboost", "XGBoost"))
    ]  # fmt: skip
    training.get("/model-types", ModelTypeList.model_validate({"model_types": kinds, "total": 2}))
    training.get(
        "/data-availability",
        DataAvailability(min_timestamp=FIRST, max_timestamp=LAST, rows=1_200_000, rows_counted=True, coins=321),
    )


def report(**changed: Any) -> PreflightReport:
    """Give a report of a request that would work."""
    found = {
        "ok": True, "rows": 110_257, "coins": 954, "resolved": 99_620, "unresolved": 10_637,
        "unresolved_by_reason": {"not_observed": 10_637}, "resolved_without_observation": 8_321, "positives": 8_587,
        "base_rate": 0.0862, "base_rate_recording": 0.0791, "base_rate_observed": 0.0862, "nearest_threshold": None,
        "workable_threshold": None, "history_rows": 700, "recording_clock": LAST, "missing_columns": [],
        "parts": {"fit": 56_763, "calibration": 15_244, "holdout": 19_922, "purged": 7_691},
        "null_share": {"volume_sol": 0.0125, "num_buys": 0.0}, "errors": [], "estimated_seconds": 14.6,
        "warnings": [{"code": "label_imbalance", "message": "8.62% of the rows are positive"}],
        "estimated_bytes": 411_032_200,
    }  # fmt: skip
    return PreflightReport.model_validate(found | changed)


HOPELESS = report(
    ok=False, positives=0, base_rate=0.0, parts=None, estimated_seconds=None, estimated_bytes=None,
    nearest_threshold=1021.783814672, workable_threshold=413.075538663,
    errors=["all 99620 rows have the same answer (base rate 0%)"],
)  # fmt: skip


def job(job_id: int = 3, **changed: Any) -> Job:
    """Give a job that runs."""
    now = datetime.now(UTC)
    found = {
        "id": job_id, "job_type": "TRAIN", "status": "RUNNING", "priority": 5, "progress": 0.5,
        "progress_msg": "cross-validate: fold 2 of 3, average precision 0.275", "error_msg": None, "warnings": [],
        "attempts": 0, "lost_leases": 0, "worker_id": "here:1", "lease_expires_at": None, "model_name": "Pump 30",
        "train_model_type": "xgboost", "train_target_var": "price_close", "train_operator": None, "train_value": None,
        "train_start": FIRST, "train_end": LAST, "train_features": ["volume_sol"], "train_phases": None,
        "train_params": {}, "train_future_minutes": 10, "train_price_change_percent": 30.0,
        "train_target_direction": "up", "request": REQUEST, "request_id": None, "test_model_id": None,
        "test_start": None, "test_end": None, "run_key": None, "result_model_id": None, "result_test_id": None,
        "result_comparison_id": None, "created_at": now - timedelta(seconds=70),
        "started_at": now - timedelta(seconds=60), "completed_at": None,
    }  # fmt: skip
    return Job.model_validate(found | changed)


def listed(*shown: Job, total: int | None = None) -> JobList:
    """Give a page of jobs."""
    return JobList(jobs=list(shown), total=len(shown) if total is None else total)


def log(job_id: int = 3, *messages: str, level: str = "info", total: int | None = None) -> JobLog:
    """Give a log, two seconds between its lines; the last line has the level."""
    lines = [
        LogLine.model_validate(
            {"at": FIRST + timedelta(seconds=2 * at), "level": level if at == len(messages) - 1 else "info",
             "message": message}
        )
        for at, message in enumerate(messages)
    ]  # fmt: skip
    return JobLog(job_id=job_id, status="RUNNING", lines=lines, total=len(lines) if total is None else total)


def fold(number: int, score: float) -> dict[str, Any]:
    """Give the scores of a fold."""
    names = ("average_precision", "precision", "recall", "f1", "accuracy")
    scores = {f"{part}_{name}": score for part in ("train", "test") for name in names}
    times = {"test_start": "2026-01-03T00:00:00Z", "test_end": "2026-01-04T00:00:00Z"}
    return {"fold": number, "folds": 3, "train_rows": 14_151, "test_rows": 17_950, **scores, **times}


def trial(number: int, score: float | None) -> dict[str, Any]:
    """Give a trial of a search."""
    return {"number": number, "value": score, "state": "COMPLETED" if score else "PRUNED", "error": None,
            "seconds": 1.5, "folds": [], "params": {"max_depth": number + 3}}  # fmt: skip


def created(job_id: int = 12) -> CreatedJob:
    """Give what a new job is answered with."""
    return CreatedJob(job_id=job_id, status="PENDING", message="accepted", name="Pump 30", warnings=[])


def model(model_id: int = 7, **changed: Any) -> Model:
    """Give a trained model."""
    found = {
        "id": model_id, "name": "Pump 30", "model_type": "xgboost", "status": "READY", "is_deleted": False,
        "description": None, "target_variable": "price_close", "target_operator": None, "target_value": None,
        "future_minutes": 10, "price_change_percent": 30.0, "target_direction": "up", "label_mode": "at_horizon",
        "label_resolution": "observed", "train_start": FIRST, "train_end": LAST, "features": ["volume_sol"],
        "phases": None, "params": {"max_depth": 9}, "training_accuracy": 0.9, "training_f1": 0.33,
        "training_precision": 0.27, "training_recall": 0.42, "roc_auc": 0.745, "mcc": 0.2, "fpr": 0.1, "fnr": 0.5,
        "confusion_matrix": None, "decision_threshold": 0.2, "alert_threshold": 0.4, "simulated_profit_pct": 0.0,
        "expected_value_pct": 1.0, "cv_scores": None, "cv_overfitting_gap": 0.02, "feature_importance": None,
        "warnings": [], "job_id": None, "model_file_path": None, "model_file_sha256": None, "created_at": LAST,
    }  # fmt: skip
    return Model.model_validate(found | changed)
