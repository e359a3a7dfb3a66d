"""Both services as the overview sees them: healthy, with one model, unless a test says otherwise."""

from datetime import UTC, datetime, timedelta
from typing import Any

from shared.contracts.health import HealthReport
from shared.contracts.jobs import Job, JobList
from shared.contracts.packages import Package, Packages
from shared.contracts.prediction import ActiveModel, Prediction
from shared.contracts.promotions import Promotion, PromotionPage
from shared.contracts.statistics import (
    Books,
    Changes,
    DriftDay,
    Figures,
    HoldOut,
    HourFigures,
    Judged,
    JudgedAlerts,
    JudgedPredictions,
    MeanChange,
    ModelCounts,
    ModelStatistics,
    ServiceStatistics,
    WorkerState,
)
from shared.contracts.training import Model, ModelList
from shared.contracts.webhook import Webhook, Webhooks
from tests.support.fake_services import FakeService
from tests.support.ui_predictions import active_model, phases, predicting


def now() -> datetime:
    """Give the present: the overview judges ages."""
    return datetime.now(UTC)


def health(service: str = "prediction", **changes: Any) -> HealthReport:
    """Give a healthy service."""
    values: dict[str, Any] = {
        "status": "healthy", "service": service, "db_connected": True, "uptime_seconds": 60.0, "start_time": now(),
        "last_error": None, "listener": "listen", "lag_seconds": 0.0, "disk_free_bytes": 50 * 1024**3,
        "model_store": "writable", "migrations": "current", "details": {},
    }  # fmt: skip
    return HealthReport(**{**values, **changes})


def figures(kind: type[Figures] = Figures, *, tp: int = 0, fp: int = 0, **changes: Any) -> Any:
    """Give figures in which so many alerts came true."""
    precision = tp / (tp + fp) if tp + fp else None
    judged: dict[str, Any] = {
        "tp": tp, "fp": fp, "tn": 0, "fn": 0, "precision": precision, "recall": None, "f1": None, "brier": None,
    }  # fmt: skip
    none = MeanChange(count=0, mean_pct=None)
    values: dict[str, Any] = {
        "predictions": 1200, "positives": 100, "alerts": 40, "pending": 5, "unresolved": 0, "resolved": tp + fp,
        "base_rate": None, "mean_probability": 0.2, "mean_duration_ms": 4.2, "prediction": JudgedPredictions(**judged),
        "alert": JudgedAlerts(**judged, unresolved=0, pending=5),
        "change": Changes(all=none, positives=none, alerts=none),
    }  # fmt: skip
    return kind(**{**values, **changes})


def worker(**changes: Any) -> WorkerState:
    """Give a worker that does all."""
    values: dict[str, Any] = {
        "shards": list(range(8)), "beat": now(), "listener": "listen", "lag_seconds": 0.0, "coins_in_memory": 3,
        "trouble": None,
    }  # fmt: skip
    return WorkerState(**{**values, **changes})


def service_statistics(**changes: Any) -> ServiceStatistics:
    """Give a service whose books balance."""
    values: dict[str, Any] = {
        "books": Books(rows=1200, owed=1200, predictions=1200, skipped={}, not_rolled_up=0, balanced=True),
        "figures": figures(tp=3, fp=1), "deliveries": {"delivered": 31, "pending": 2, "failed": 1},
        "models": ModelCounts(live=1, shadow=0, inactive=0, with_statistics=1), "recording_clock": now(),
        "outcomes_behind_seconds": 0.0, "last_prediction_at": now(), "workers": [worker()],
    }  # fmt: skip
    return ServiceStatistics(**{**values, **changes})


def model_statistics(active_id: int = 7, *, hours: int = 3, **changes: Any) -> ModelStatistics:
    """Give a model that predicted through the last hours, 100 predictions more in each."""
    start = now().replace(minute=0, second=0, microsecond=0)
    promised = Judged(tp=50, fp=50, tn=0, fn=0, precision=0.5, recall=0.3, f1=0.4)
    values: dict[str, Any] = {
        "active_model_id": active_id, "model_id": 70, "name": "Pump model", "is_active": True,
        "decision_threshold": 0.4, "alert_threshold": 0.6, "first_hour": start - timedelta(hours=hours - 1),
        "last_hour": start, "last_prediction_at": now(), "total": figures(tp=3, fp=1), "by_day": [],
        "by_hour": [
            figures(HourFigures, hour=start - timedelta(hours=n), predictions=100 * (hours - n), alerts=hours - n)
            for n in reversed(range(hours))
        ],
        "by_phase": [], "calibration": [],
        "hold_out": HoldOut(
            days=1.0, base_rate=0.1, roc_auc=0.8, average_precision=0.4, brier=0.1, prediction=promised,
            alert=promised, alerts_per_day=10.0, calibration=[],
        ),
        "drift": [],
    }  # fmt: skip
    return ModelStatistics(**{**values, **changes})


def drift(level: str) -> DriftDay:
    """Give a day on which the volume moved."""
    features = {"num_buys": 0.1, "volume_sol": 0.9}
    values = {"day": now().date(), "rows": 500, "score_psi": 0.2, "features": features, "computed_at": now()}
    return DriftDay(**values, level=level)


def trained(**changes: Any) -> Model:
    """Give a trained model that is neither old nor overfitted."""
    values: dict[str, Any] = dict.fromkeys(Model.model_fields)
    values |= {
        "id": 70, "name": "Pump model", "model_type": "xgboost", "status": "READY", "is_deleted": False,
        "target_variable": "price_close", "train_start": now() - timedelta(days=3),
        "train_end": now() - timedelta(days=2), "features": ["volume_sol"], "params": {}, "warnings": [],
        "created_at": now(), "cv_overfitting_gap": 0.02,
    }  # fmt: skip
    return Model(**{**values, **changes})


def endpoint(**changes: Any) -> Webhook:
    """Give an endpoint that takes what it is sent."""
    values: dict[str, Any] = {
        "id": 3, "name": None, "url": "https://example.org/hook", "headers": {}, "secret": "***",
        "previous_secret_expires_at": None, "active_model_ids": None, "send_modes": ["alerts_only"], "enabled": True,
        "is_builtin": False, "expires_after_seconds": None, "max_concurrency": 8, "failing_since": None,
        "last_success_at": now(), "disabled_reason": None, "created_at": now(), "updated_at": now(),
    }  # fmt: skip
    return Webhook(**{**values, **changes})


def package(**changes: Any) -> Package:
    """Give a package that is warm."""
    values: dict[str, Any] = dict.fromkeys(Package.model_fields)
    values |= {
        "id": "ppo_v1", "name": "PPO v1", "status": "READY", "warmup_required": True, "warmup_status": "DONE",
        "forecast_rel_path": "a", "ppo_rel_path": "b", "uploaded_by": "local", "is_builtin": True,
        "created_at": now(), "updated_at": now(),
    }  # fmt: skip
    return Package(**{**values, **changes})


def failed_job(**changes: Any) -> Job:
    """Give a job that failed just now."""
    values: dict[str, Any] = dict.fromkeys(Job.model_fields)
    values |= {
        "id": 12, "job_type": "TRAIN", "status": "FAILED", "priority": 5, "progress": 0.2, "warnings": [],
        "attempts": 1, "lost_leases": 0, "request": {}, "model_name": "Too rare", "error_msg": "one class only",
        "created_at": now(), "completed_at": now(),
    }  # fmt: skip
    return Job(**{**values, **changes})


def promotion(number: int, action: str, active_id: int, *, at: datetime, **changes: Any) -> Promotion:
    """Give a change of what is live."""
    values: dict[str, Any] = {
        "id": number, "action": action, "active_model_id": active_id, "model_id": active_id * 10,
        "replaced_active_model_id": None, "replaced_model_id": None, "line": None,
        "is_live": action in {"import", "activate", "live", "promote"}, "made_by": "local", "reason": None,
        "metrics": {}, "undoes": None, "created_at": at,
    }  # fmt: skip
    return Promotion(**{**values, **changes})


def running(
    prediction: FakeService, training: FakeService, *, models: list[ActiveModel] | None = None,
    predictions: list[Prediction] | None = None, statistics: ServiceStatistics | None = None,
) -> None:  # fmt: skip
    """Let both services be well."""
    known = [active_model(last_prediction_at=now())] if models is None else models
    predicting(prediction, predictions or [], known)
    prediction.get("/health", health()).get("/stats", statistics or service_statistics())
    for one in known:
        prediction.get(f"/models/{one.id}/statistics", model_statistics(one.id, name=one.name))
    prediction.get("/webhooks", Webhooks(webhooks=[endpoint()], total=1))
    prediction.get("/model-packages", Packages(packages=[package()], total=1))
    imported = [promotion(n, "import", one.id, at=now() - timedelta(hours=2)) for n, one in enumerate(known, 1)]
    prediction.get("/promotions", PromotionPage(promotions=imported[:100], next_cursor=None))
    learnt = [trained(id=one.model_id) for one in known]
    training.get("/models", ModelList(models=learnt, total=len(learnt)))
    training.get("/health", health("training", listener=None)).get("/queue", JobList(jobs=[], total=0))
    training.get("/phases", phases())
