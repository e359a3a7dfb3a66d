"""A card is complete, plain and small."""

from datetime import UTC, datetime

import numpy as np
import orjson
import pytest

from shared.contracts.card import ModelCard
from shared.features import FeatureSpec
from shared.labels import TimeTarget
from tests.unit.test_ml_audit import ALL_FAMILIES, market
from training_service.ml.audit import audit
from training_service.ml.card import CardParts, build_card
from training_service.ml.crossval import CrossValidation
from training_service.ml.dataset import make_dataset
from training_service.ml.divide import divide
from training_service.ml.figures import measure
from training_service.ml.fit import feature_importance
from training_service.ml.importance import permutation_importance
from training_service.ml.model import Recipe, make_model
from training_service.ml.model_types import resolve_parameters
from training_service.ml.profile import profile
from training_service.ml.returns import Costs
from training_service.ml.scored import score_holdout

UP = TimeTarget(target_var="price_close", future_minutes=5, min_percent_change=3)
COSTS = Costs(fee_pct=1.0, slippage_pct=None, trade_size_sol=0.5)
START = datetime(2025, 9, 6, 20, tzinfo=UTC)
COLUMNS = {
    "id": 7, "name": "a model", "model_type": "xgboost", "status": "READY", "is_deleted": False, "description": None,
    "target_variable": "price_close", "target_operator": None, "target_value": None, "future_minutes": 5,
    "price_change_percent": 3.0, "target_direction": "up", "label_mode": "at_horizon", "label_resolution": "recording",
    "train_start": START, "train_end": START, "features": ["volume_sol"], "phases": None, "params": {},
    "training_accuracy": 0.9, "training_f1": 0.5, "training_precision": 0.5, "training_recall": 0.5, "roc_auc": 0.7,
    "mcc": 0.1, "fpr": 0.1, "fnr": 0.5, "confusion_matrix": {"tp": 1, "tn": 1, "fp": 1, "fn": 1},
    "decision_threshold": 0.3, "alert_threshold": 0.8, "simulated_profit_pct": 0.1, "expected_value_pct": 1.5,
    "cv_scores": {"folds": 2}, "cv_overfitting_gap": 0.02, "feature_importance": {"volume_sol": 1.0}, "warnings": [],
    "job_id": 3, "run_key": None, "model_file_path": None, "model_file_sha256": None, "created_at": START,
}  # fmt: skip


@pytest.fixture(scope="module")
def card():
    rows = market(coins=30)
    data = make_dataset(
        rows, np.ones(len(rows), np.bool_), spec=FeatureSpec(("volume_sol", "is_koth", *ALL_FAMILIES[:6])), target=UP,
        phases=None, clock_us=int(rows.timestamp.max()), last_seen=np.full(30, rows.timestamp.max()),
        untracked_phases=frozenset(),
    )  # fmt: skip
    split = divide(data, test_size=0.2, horizon_us=UP.horizon)
    recipe = Recipe(
        model_type="xgboost", parameters=resolve_parameters("xgboost", {"n_estimators": 10}), random_state=1,
        calibrate=True, alerts_per_day=None,
    )  # fmt: skip
    made = make_model(data, split, recipe)
    figures = measure(
        score_holdout(data, split, made.scorer), decision_threshold=made.decision_threshold,
        alert_threshold=made.alert_threshold, target=UP, costs=COSTS, random_state=1,
    )  # fmt: skip
    return build_card(
        CardParts(
            made=made, figures=figures, audit=audit(data, split, recipe, target=UP, horizon_us=UP.horizon),
            profile=profile(data), gain=feature_importance(made.native, data.spec.names),
            permutation=permutation_importance(
                made.scorer, data.features[split.holdout], data.answers[split.holdout], data.spec.names, trees=10,
                random_state=1,
            ),
            costs=COSTS, alert_by="share", alerts_per_day=None,
            cross=CrossValidation(scores={"folds": 1, "test_f1": [float("nan")]}, overfitting_gap=0.01),
            counts={"rows": len(data)}, lineage={"run_key": "abc", "request": {"name": "a model"}, "first_row": START},
        )
    )  # fmt: skip


def test_card_of_a_model_is_plain_json_without_nan_and_small(card):
    text = orjson.dumps(card)

    assert orjson.loads(text) == card
    assert len(text) < 200_000
    assert card["cross_validation"]["scores"]["test_f1"] == [None]
    assert card["lineage"]["first_row"] == "2025-09-06T20:00:00Z"


def test_card_of_a_model_has_every_section_a_page_needs(card):
    found = ModelCard.of({**COLUMNS, "metrics": {}}, card)

    empty = {name for name in ModelCard.model_fields if getattr(found, name) is None}
    assert empty == {"trials", "sampling"}
    assert found.model.metrics is None
    assert found.thresholds.alert_by == "share"
    assert found.confusion.at_half.threshold == 0.5
    assert 2 <= len(found.curves.roc) <= 200
    assert found.curves.precision_recall[-1].recall == 1
    assert found.curves.threshold[0].expected_value_pct is not None
    assert sum(part.rows for part in found.calibration.before) == sum(part.rows for part in found.calibration.after)
    assert sum(period.rows for period in found.periods) == found.audit.split.holdout_rows
    assert set(found.importance.permutation) == set(found.profile.features)
    assert sum(found.importance.gain.values()) == pytest.approx(1, abs=1e-5)
    assert found.money.trade_size_sol == 0.5
    assert found.lineage.export_difference < 1e-5


def test_card_of_an_older_model_tells_what_its_columns_know():
    metrics = {
        "base_rate": 0.1, "average_precision": 0.3, "brier": 0.08, "log_loss": 0.3, "holdout_days": 1.5,
        "alerts_per_day": 12.0, "counts": {"rows": 100},
        **{
            name: {"tp": 1, "tn": 2, "fp": 3, "fn": 4, "accuracy": 0.3, "precision": 0.25, "recall": 0.2, "f1": 0.2}
            for name in ("at_decision_threshold", "at_half", "at_alert_threshold")
        },
        "threshold_curve": [{"threshold": 0.5, "precision": 0.5, "recall": 0.5, "alerts_per_day": 1.0}],
        "calibration_bins": [
            {"lower": 0.0, "upper": 1.0, "rows": 10, "mean_probability": 0.1, "observed_rate": 0.1}
        ],
    }  # fmt: skip

    found = ModelCard.of({**COLUMNS, "metrics": metrics}, {})

    assert (found.thresholds.decision, found.thresholds.alert, found.thresholds.alert_by) == (0.3, 0.8, None)
    assert (found.figures.roc_auc, found.figures.expected_value_pct, found.figures.holdout_days) == (0.7, 1.5, 1.5)
    assert found.confusion.at_alert_threshold.fp == 3
    assert found.curves.threshold[0].expected_value_pct is None
    assert found.calibration.after[0].rows == 10
    assert found.importance.gain == {"volume_sol": 1.0}
    assert found.cross_validation.overfitting_gap == 0.02
    assert (found.audit, found.profile, found.money, found.lineage) == (None, None, None, None)


def test_card_of_a_row_with_columns_only_is_still_a_card():
    found = ModelCard.of({**COLUMNS, "metrics": {}, "cv_scores": None, "feature_importance": None}, {})

    assert (found.figures, found.curves, found.cross_validation, found.importance.gain) == (None, None, None, None)
