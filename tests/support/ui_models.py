"""Trained models with cards, tests and comparisons, as the training service says them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from shared.contracts.card import ModelCard
from shared.contracts.jobs import ModelTypeList
from shared.contracts.results import Comparison, TestResult
from shared.contracts.training import CreatedJob, Model, ModelList

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
_EARNED = {
    "trades": 40, "mean_pct": 3.25, "median_pct": 1.5, "share_positive": 0.55, "worst_pct": -60.0, "best_pct": 210.0,
    "low_pct": 1.25, "high_pct": 5.5, "interval_note": None, "total_sol": 6.5, "per_day_sol": 3.25,
}  # fmt: skip
_MATRIX = {"tp": 60, "tn": 800, "fp": 40, "fn": 100, "accuracy": 0.86, "precision": 0.6, "recall": 0.375, "f1": 0.4615}
_POINTS = [
    {"threshold": 0.9, "precision": 0.8, "recall": 0.1, "alerts_per_day": 5.0, "expected_value_pct": 9.0,
     "total_return_pct": 90.0},
    {"threshold": 0.6, "precision": 0.6, "recall": 0.375, "alerts_per_day": 50.0, "expected_value_pct": 3.25,
     "total_return_pct": 325.0},
    {"threshold": 0.2, "precision": 0.3, "recall": 0.8, "alerts_per_day": 200.0, "expected_value_pct": -2.5,
     "total_return_pct": -1000.0},
]  # fmt: skip
_RANKED = [{"threshold": one["threshold"], "recall": one["recall"], "precision": one["precision"]} for one in _POINTS]
_RATES = [{"threshold": None, "fpr": 0.0, "tpr": 0.0}, {"threshold": 0.6, "fpr": 0.05, "tpr": 0.375}]
_BINS = [{"lower": 0.0, "upper": 0.2, "rows": 500, "mean_probability": 0.1, "observed_rate": 0.09}]
_PERIODS = [
    {"start": NOON + timedelta(minutes=30 * step), "minutes": 30, "rows": 300, "base_rate": 0.16,
     "average_precision": score, "roc_auc": 0.8, "alerts": 30, "precision": 0.5, "expected_value_pct": 2.0}
    for step, score in enumerate((0.31, 0.12, 0.44))
]  # fmt: skip


def model(model_id: int = 7, **changed: Any) -> Model:
    """Give a trained model of a rising price."""
    fields = {
        "id": model_id, "name": f"Pump {model_id}", "model_type": "xgboost", "status": "READY", "is_deleted": False,
        "description": None, "target_variable": "price_close", "target_operator": None, "target_value": None,
        "future_minutes": 10, "price_change_percent": 30.0, "target_direction": "up", "label_mode": "at_horizon",
        "label_resolution": "observed", "train_start": NOON - timedelta(days=3), "train_end": NOON,
        "features": ["num_buys", "price_change_5"], "phases": None, "params": {"max_depth": 6},
        "training_accuracy": 0.86, "training_f1": 0.4615, "training_precision": 0.6, "training_recall": 0.375,
        "roc_auc": 0.81, "mcc": 0.4, "fpr": 0.05, "fnr": 0.6, "confusion_matrix": _MATRIX, "decision_threshold": 0.45,
        "alert_threshold": 0.6, "simulated_profit_pct": 0.1, "expected_value_pct": 3.25,
        "cv_scores": {"test_average_precision": [0.3, 0.4]}, "cv_overfitting_gap": 0.02,
        "feature_importance": {"num_buys": 0.7, "price_change_5": 0.3},
        "warnings": [{"code": "low_f1", "message": "F1 on the hold-out is 0.46, below 0.5"}], "job_id": 3,
        "model_file_path": "/models/m.zip", "model_file_sha256": "ab" * 32, "run_key": "cd" * 32, "created_at": NOON,
    }  # fmt: skip
    return Model.model_validate(fields | changed)


def listed(*shown: Model, total: int | None = None) -> ModelList:
    """Give a page of models."""
    return ModelList(models=list(shown), total=len(shown) if total is None else total)


def types() -> ModelTypeList:
    """Give the kinds of models."""
    kinds = [("xgboost", "Gradient boosting"), ("random_forest", "Random forest")]
    return ModelTypeList.model_validate(
        {
            "model_types": [
                {"name": name, "title": title, "description": "", "default_params": {}, "parameters": []}
                for name, title in kinds
            ],
            "total": len(kinds),
        }
    )


def bare_card(model_id: int = 7, **changed: Any) -> ModelCard:
    """Give the card of a model that was made before there were sections."""
    return ModelCard.model_validate(
        {
            "model": model(model_id, **changed).model_dump(),
            "thresholds": {"decision": 0.45, "alert": 0.6},
            "importance": {"gain": None},
        }
    )


def full_card(model_id: int = 7, **changed: Any) -> ModelCard:
    """Give a card with every section."""
    feature = {
        "missing_share": 0.125, "mean": 2.0, "std": 1.0, "min": 0.0, "q01": 0.0, "q25": 1.0, "median": 2.0, "q75": 3.0,
        "q99": 9.0, "max": 11.0, "edges": [0.0, 4.5, 9.0], "counts": [700, 300],
    }  # fmt: skip
    folds = {
        f"{part}_{name}": [0.5, 0.6] if part == "train" else [0.3, 0.4]
        for part in ("train", "test")
        for name in ("average_precision", "f1", "precision", "recall", "accuracy")
    }
    sections = {
        "model": model(model_id, **changed).model_dump(),
        "thresholds": {"decision": 0.45, "alert": 0.6, "alert_by": "expected_value"},
        "figures": {
            "base_rate": 0.16, "roc_auc": 0.81, "average_precision": 0.48, "brier": 0.09, "brier_uncalibrated": 0.1,
            "log_loss": 0.3, "holdout_days": 2.0, "alerts": 100, "alerts_per_day": 50.0, "expected_value_pct": 3.25,
        },
        "confusion": {
            name: {**_MATRIX, "threshold": threshold}
            for name, threshold in (("at_decision_threshold", 0.45), ("at_alert_threshold", 0.6), ("at_half", 0.5))
        },
        "curves": {"threshold": _POINTS, "precision_recall": _RANKED, "roc": _RATES},
        "calibration": {"method": "isotonic", "after": _BINS, "before": _BINS},
        "importance": {
            "gain": {"num_buys": 0.7, "price_change_5": 0.3},
            "permutation": {"num_buys": {"mean": 0.01, "std": 0.02}, "price_change_5": {"mean": 0.2, "std": 0.01}},
        },
        "periods": _PERIODS,
        "money": {
            "every_alert": _EARNED, "one_position": {**_EARNED, "mean_pct": 7.5, "low_pct": None, "high_pct": None,
            "interval_note": "an interval needs 10 stretches"}, "seen_again": _EARNED, "silent_alerts": 4,
            "alerts_without_outcome": 6, "assumed_reserves": 2, "fee_pct": 1.0, "slippage_pct": None,
            "trade_size_sol": 0.5,
        },
        "profile": {
            "rows": 1000, "coins": 20, "sampled_rows": 1000, "features": {"num_buys": feature,
            "price_change_5": {**feature, "missing_share": 0.5}},
            "periods": [{"start": NOON, "minutes": 15, "rows": 500, "coins": 10, "base_rate": 0.16}],
            "phases": [{"phase": None, "rows": 400, "base_rate": 0.1}, {"phase": 1, "rows": 600, "base_rate": 0.2}],
            "readings": {
                "observed_resolved": 1000, "observed_positives": 160, "observed_rate": 0.16,
                "recording_resolved": 1100, "recording_positives": 160, "recording_rate": 0.145,
                "unresolved": {"not_observed": 90, "of_tomorrow": 10}, "resolved_without_observation": 77,
                "without_observation_share": 0.07,
            },
        },
        "audit": {
            "laws": {"rows": 200, "coins": 19, "history_rows": 16},
            "split": {"fit_rows": 600, "calibration_rows": 150, "holdout_rows": 200, "purged_rows": 50,
                      "reaching_rows": 0, "gap_to_calibration_minutes": 1.5, "gap_to_holdout_minutes": 2.5},
            "strongest_features": [{"name": "num_buys", "auc": 0.96, "misjudged": 0.002}],
            "permuted": {"auc": 0.52, "bound": 0.05, "fit_rows": 600, "holdout_rows": 200},
        },
        "cross_validation": {"scores": {"folds": 2, "train_rows": [100, 200], "test_rows": [100, 100], **folds},
                             "overfitting_gap": 0.15},
        "counts": {"rows": 1200, "coins": 20, "resolved": 1000, "unresolved": 200, "positives": 160, "fit_rows": 600,
                   "calibration_rows": 150, "holdout_rows": 200, "purged_rows": 50},
        "lineage": {"request": {"name": "Pump 7", "seed": 42}, "run_key": "cd" * 32, "data_sha256": "ef" * 32,
                    "first_row": NOON, "last_row": NOON, "code_version": "0.1.0 python=3.11", "features_version": 1,
                    "fingerprint": "12" * 32, "libraries": {"onnx": "1.23.2"}, "export_difference": 8e-07,
                    "seconds": {"fit": 1.5, "load": 2.5}},
        "trials": [{"number": 0, "state": "COMPLETED", "value": 0.4, "seconds": 1.5, "params": {"max_depth": 4}}],
        "sampling": {"kept": 0.5},
    }  # fmt: skip
    return ModelCard.model_validate(sections)


def measured() -> dict[str, Any]:
    """Give figures and curves of a window."""
    earned = {"every_alert": _EARNED, "one_position": _EARNED, "seen_again": None, "alerts_without_outcome": 3}
    return {
        "average_precision": 0.36, "base_rate": 0.12, "brier": 0.1, "log_loss": 0.35, "alerts": 90,
        "alerts_per_day": 45.0, "money": earned, "periods": [{**one, "start": str(one["start"])} for one in _PERIODS],
        "at_decision_threshold": _MATRIX, "at_alert_threshold": _MATRIX, "at_half": _MATRIX,
        "threshold_curve": _POINTS, "precision_recall_curve": _RANKED, "roc_curve": _RATES, "calibration_bins": _BINS,
    }  # fmt: skip


def result(result_id: int = 5, **changed: Any) -> TestResult:
    """Give a test of model 7 that went worse than training."""
    fields = {
        "id": result_id, "model_id": 7, "test_start": NOON, "test_end": NOON + timedelta(days=2), "accuracy": 0.7,
        "f1_score": 0.36, "precision_score": 0.5, "recall": 0.3, "roc_auc": 0.75, "mcc": 0.3, "fpr": 0.1, "fnr": 0.7,
        "simulated_profit_pct": 0.0, "expected_value_pct": -1.75, "confusion_matrix": _MATRIX, "tp": 60, "tn": 800,
        "fp": 40, "fn": 100, "num_samples": 1000, "num_positive": 160, "num_negative": 840, "has_overlap": False,
        "overlap_note": None, "train_accuracy": 0.86, "train_f1": 0.4615, "train_precision": 0.6,
        "train_recall": 0.375, "accuracy_degradation": 0.16, "f1_degradation": 0.1, "is_overfitted": True,
        "test_duration_days": 2.0, "metrics": measured(), "warnings": [], "job_id": 8, "created_at": NOON,
        "updated_at": NOON,
    }  # fmt: skip
    return TestResult.model_validate(fields | changed)


def compared(comparison_id: int = 4, *, winner_id: int | None = 8, **changed: Any) -> Comparison:
    """Give a comparison of models 7 and 8."""
    lead = {"difference": -0.05, "low": -0.09, "high": -0.01, "note": None}
    unsure = {"difference": 0.01, "low": None, "high": None, "note": "3 blocks of time; an interval needs 10"}
    one = {"model_type": "xgboost", "alert_threshold": 0.6, "decision_threshold": 0.45, "roc_auc": 0.8, **measured()}
    results = {
        "rule": "The highest average precision wins.", "sentence": "model 8 wins by 0.05",
        "shared": {"rows": 900, "coins": 18, "days": 2.0},
        "intervals": {"level": 0.95, "blocks": 12, "block_minutes": 20.0},
        "models": [
            {**one, "model_id": 7, "name": "Pump 7", "average_precision": 0.36},
            {**one, "model_id": 8, "name": "Pump 8", "average_precision": 0.41},
        ],
        "differences": [{"model_a_id": 7, "model_b_id": 8, "average_precision": lead, "roc_auc": unsure,
                         "brier": lead, "expected_value_pct": unsure}],
    }  # fmt: skip
    fields = {
        "id": comparison_id, "model_ids": [7, 8], "model_a_id": 7, "model_b_id": 8, "test_start": NOON,
        "test_end": NOON + timedelta(days=2), "test_result_ids": [5, 6], "winner_id": winner_id, "results": results,
        "warnings": [{"code": "short_test", "message": "less than a day says little"}], "job_id": 9,
        "created_at": NOON,
    }  # fmt: skip
    return Comparison.model_validate(fields | changed)


def queued(job_id: int = 12) -> CreatedJob:
    """Give a job that was accepted."""
    return CreatedJob(job_id=job_id, status="PENDING", message="", name="Pump 7", warnings=[])
