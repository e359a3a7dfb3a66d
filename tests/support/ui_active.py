"""Imported models, their statistics, promotions and cards, as the services say them."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from shared.contracts.card import (
    CardConfusion,
    CardConfusions,
    CardCurves,
    CardFigures,
    CardImportance,
    CardThresholdPoint,
    CardThresholds,
    ModelCard,
)
from shared.contracts.jobs import PhaseList
from shared.contracts.prediction import ActiveModel, ActiveModels, AvailableModel, AvailableModels
from shared.contracts.promotions import Challenge, Promotion, PromotionPage
from shared.contracts.promotions import Figures as Side
from shared.contracts.statistics import (
    Books,
    CalibrationBin,
    Changes,
    DayFigures,
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
    PhaseFigures,
    ServiceStatistics,
)
from shared.contracts.training import Model, Warned

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
_QUESTION = {
    "target_variable": "price_close", "target_operator": None, "target_value": None, "future_minutes": 10,
    "price_change_percent": 30.0, "target_direction": "up",
}  # fmt: skip
PHASES = PhaseList.model_validate(
    {
        "phases": [
            {"id": 1, "name": "Baby Zone", "interval_seconds": 5, "min_age_minutes": 0, "max_age_minutes": 10},
            {"id": 2, "name": "Survival", "interval_seconds": 30, "min_age_minutes": 10, "max_age_minutes": 60},
        ],
        "total": 2,
    }
)


def active(active_id: int = 3, **changed: Any) -> ActiveModel:
    """Give an imported model, live unless told otherwise."""
    name = changed.get("model_name", "Pump 30")
    fields = _QUESTION | {
        "id": active_id, "model_id": active_id + 10, "model_name": name, "custom_name": None, "name": name,
        "model_type": "xgboost", "features": ["volume_sol"], "phases": None, "params": None,
        "local_model_path": "/models/13.zip", "model_file_sha256": "0" * 64, "is_active": True, "activated_at": NOON,
        "deactivated_at": None, "decision_threshold": 0.3, "alert_threshold": 0.6, "send_modes": ["alerts_only"],
        "cooldown_negative_seconds": 0, "cooldown_positive_seconds": 0, "cooldown_alert_seconds": 60,
        "coin_filter_mode": "all", "coin_whitelist": [], "mode": "live", "line": None, "auto_promotion": None,
        "created_at": NOON, "updated_at": NOON, "total_predictions": 1234, "last_prediction_at": NOON,
    }  # fmt: skip
    return ActiveModel.model_validate(fields | changed)


def actives(*models: ActiveModel) -> ActiveModels:
    """Give a list of imported models."""
    return ActiveModels(models=list(models), total=len(models))


def available(model_id: int = 13, **changed: Any) -> AvailableModel:
    """Give a trained model that can be imported."""
    fields = _QUESTION | {
        "id": model_id, "name": f"Trained {model_id}", "model_type": "xgboost", "description": None,
        "features": ["volume_sol"], "phases": None, "train_start": NOON, "train_end": NOON,
        "training_accuracy": 0.9, "training_f1": 0.4, "training_precision": 0.26, "training_recall": 0.41,
        "roc_auc": 0.738, "mcc": 0.3, "decision_threshold": 0.3, "alert_threshold": 0.487, "created_at": NOON,
        "active_model_id": None,
    }  # fmt: skip
    return AvailableModel.model_validate(fields | changed)


def availables(*models: AvailableModel) -> AvailableModels:
    """Give a list of trained models."""
    return AvailableModels(models=list(models), total=len(models))


def card(model_id: int = 13, *, warnings: tuple[str, ...] = ()) -> ModelCard:
    """Give a model card whose alert threshold 0.5 finds few and is often right."""
    empty = dict.fromkeys(Model.model_fields)
    fields = empty | _QUESTION | {
        "id": model_id, "name": f"Trained {model_id}", "model_type": "xgboost", "status": "READY", "is_deleted": False,
        "train_start": NOON, "train_end": NOON, "features": ["volume_sol"], "params": {}, "created_at": NOON,
        "warnings": [Warned(code="low_f1", message=one) for one in warnings],
    }  # fmt: skip
    confusion = CardConfusion(tp=22, tn=900, fp=23, fn=55, accuracy=0.9, precision=0.489, recall=0.29, f1=0.36)
    curve = [
        CardThresholdPoint(threshold=at, precision=precision, recall=recall, alerts_per_day=per_day)
        for at, precision, recall, per_day in ((0.9, 0.8, 0.05, 10.0), (0.6, 0.55, 0.2, 70.0), (0.2, 0.2, 0.8, 900.0))
    ]
    return ModelCard(
        model=Model.model_validate(fields), thresholds=CardThresholds(decision=0.3, alert=0.5),
        figures=CardFigures(
            base_rate=0.074, roc_auc=0.738, average_precision=0.3, brier=0.05, log_loss=0.2, holdout_days=1.5,
            alerts_per_day=120.0, expected_value_pct=4.2,
        ),
        confusion=CardConfusions(at_decision_threshold=confusion, at_alert_threshold=confusion, at_half=confusion),
        curves=CardCurves(threshold=curve), importance=CardImportance(gain=None),
    )  # fmt: skip


def figures(*, known: bool = True) -> Figures:
    """Give 1,000 predictions: 800 known, 150 pending, 50 unresolved; or all of them pending."""
    if not known:
        nothing = MeanChange(count=0, mean_pct=None)
        unknown = {"tp": 0, "fp": 0, "tn": 0, "fn": 0, "precision": None, "recall": None, "f1": None, "brier": None}
        return Figures(
            predictions=1000, positives=200, alerts=50, pending=1000, unresolved=0, resolved=0, base_rate=None,
            mean_probability=0.2, mean_duration_ms=4.0, prediction=JudgedPredictions.model_validate(unknown),
            alert=JudgedAlerts.model_validate(unknown | {"unresolved": 0, "pending": 50}),
            change=Changes(all=nothing, positives=nothing, alerts=nothing),
        )  # fmt: skip
    return Figures(
        predictions=1000, positives=200, alerts=50, pending=150, unresolved=50, resolved=800, base_rate=0.1,
        mean_probability=0.2, mean_duration_ms=4.0,
        prediction=JudgedPredictions(tp=60, fp=100, tn=620, fn=20, precision=0.375, recall=0.75, f1=0.5, brier=0.0812),
        alert=JudgedAlerts(
            tp=12, fp=8, tn=712, fn=68, precision=0.6, recall=0.15, f1=0.24, brier=0.2, unresolved=7, pending=23
        ),
        change=Changes(
            all=MeanChange(count=800, mean_pct=-1.5), positives=MeanChange(count=160, mean_pct=3.25),
            alerts=MeanChange(count=20, mean_pct=11.5),
        ),
    )  # fmt: skip


def statistics(active_id: int = 3, *, known: bool = True, **changed: Any) -> ModelStatistics:
    """Give how a model does: alerts 60 % right live, 45 % promised."""
    total = figures(known=known)
    bins = [CalibrationBin(lower=0.1, upper=0.15, rows=80, mean_probability=0.12, observed_rate=0.1)]
    promised = Judged(tp=45, fp=55, tn=800, fn=60, precision=0.45, recall=0.43, f1=0.44)
    fields = {
        "active_model_id": active_id, "model_id": active_id + 10, "name": "Pump 30", "is_active": True,
        "decision_threshold": 0.3, "alert_threshold": 0.6, "first_hour": NOON, "last_hour": NOON,
        "last_prediction_at": NOON, "total": total,
        "by_day": [DayFigures(day=NOON.date(), **_values(total))],
        "by_hour": [HourFigures(hour=NOON - timedelta(hours=one), **_values(total)) for one in range(3)],
        "by_phase": [PhaseFigures(phase=phase, **_values(total)) for phase in (1, None)],
        "calibration": bins if known else [],
        "hold_out": HoldOut(
            days=1.5, base_rate=0.08, roc_auc=0.7, average_precision=0.3, brier=0.0712, prediction=promised,
            alert=promised, alerts_per_day=120.0, calibration=bins,
        ),
        "drift": [
            DriftDay(
                day=date(2026, 3, 1), rows=900, score_psi=0.05, features={"volume_sol": 0.3}, level="strong",
                computed_at=NOON,
            )
        ],
    }  # fmt: skip
    return ModelStatistics.model_validate(fields | changed)


def _values(figures: Figures) -> dict[str, Any]:
    return {name: getattr(figures, name) for name in Figures.model_fields}


def service_statistics(*, known: bool = True, balanced: bool = True) -> ServiceStatistics:
    """Give the books of the whole service."""
    return ServiceStatistics(
        books=Books(
            rows=500, owed=1010, predictions=1000, skipped={"duplicate": 4, "stale": 6}, not_rolled_up=0,
            balanced=balanced,
        ),
        figures=figures(known=known), deliveries={},
        models=ModelCounts(live=1, shadow=0, inactive=0, with_statistics=1),
        recording_clock=NOON, last_prediction_at=NOON, workers=[],
    )  # fmt: skip


def challenge(active_id: int = 3, **changed: Any) -> Challenge:
    """Give a shadow that leads in the precision of alerts, not yet by enough."""
    side = Side(
        outcomes=500, positives=90, precision=0.3, alerts=40, alert_precision=0.618, brier=0.05, returns=40,
        mean_return_pct=12.0,
    )  # fmt: skip
    fields = {
        "active_model_id": active_id, "live_active_model_id": 4, "line": "pump30",
        "auto_promotion": {"metric": "alert_precision", "margin": 0.02, "min_outcomes": 200}, "since": NOON,
        "pairs": 512, "challenger": side, "live": side.model_copy(update={"alert_precision": 0.251}), "coins": 31,
        "lead": 0.367, "chance": 0.4, "ready": False, "missing": ["alerts: 40 of 200"],
    }  # fmt: skip
    return Challenge.model_validate(fields | changed)


def promotion(promotion_id: int = 1, **changed: Any) -> Promotion:
    """Give an entry of the log."""
    fields = {
        "id": promotion_id, "action": "promote", "active_model_id": 3, "model_id": 13, "replaced_active_model_id": 4,
        "replaced_model_id": 14, "line": "pump30", "is_live": True, "made_by": "local", "reason": None, "metrics": {},
        "undoes": None, "created_at": NOON,
    }  # fmt: skip
    return Promotion.model_validate(fields | changed)


def promotions(*found: Promotion) -> PromotionPage:
    """Give a page of the log."""
    return PromotionPage(promotions=list(found), next_cursor=None)
