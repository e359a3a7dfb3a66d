"""The part of a model's page that is stored with the model."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np

from training_service.ml.audit import Audit
from training_service.ml.crossval import CrossValidation
from training_service.ml.figures import Figures, counts_and_shares
from training_service.ml.importance import Importance
from training_service.ml.model import Made
from training_service.ml.profile import Profile
from training_service.ml.returns import Costs

_DIGITS = 7  # a probability has 6 decimals; more would double the size of the card


@dataclass(frozen=True, slots=True, kw_only=True)
class CardParts:
    """Everything a card is made of."""

    made: Made
    """The model that was measured: its thresholds, calibration and difference of the export."""
    figures: Figures
    audit: Audit
    profile: Profile
    gain: Mapping[str, float]
    permutation: Mapping[str, Importance]
    costs: Costs
    alert_by: str
    """How the alert threshold was chosen in the end."""
    alerts_per_day: float | None
    """What was asked for."""
    cross: CrossValidation | None
    counts: Mapping[str, int]
    lineage: Mapping[str, Any]
    """Fields of a `CardLineage`."""
    trials: Sequence[Mapping[str, Any]] | None = None
    """Of the search for hyper-parameters."""
    sampling: Mapping[str, Any] | None = None
    """What was left out of the rows, and how it was drawn."""


def build_card(parts: CardParts) -> dict[str, Any]:
    """Give the sections of a `ModelCard` as plain JSON: no NaN, floats to 7 digits."""
    made, figures = parts.made, parts.figures
    thresholds = {
        "decision": made.decision_threshold,
        "alert": made.alert_threshold,
        "alert_by": parts.alert_by,
        "alerts_per_day": parts.alerts_per_day,
    }
    card = {
        "thresholds": thresholds,
        "figures": _figures(figures),
        "confusion": {
            "at_decision_threshold": {"threshold": made.decision_threshold, **counts_and_shares(figures.decision)},
            "at_alert_threshold": {"threshold": made.alert_threshold, **counts_and_shares(figures.alert)},
            "at_half": {"threshold": 0.5, **counts_and_shares(figures.half)},
        },
        "curves": {
            "threshold": [asdict(point) for point in figures.curve],
            "precision_recall": [asdict(point) for point in figures.precision_recall],
            "roc": [asdict(point) for point in figures.roc],
        },
        "calibration": {
            "method": made.calibration.method,
            "after": [asdict(part) for part in figures.bins],
            "before": [asdict(part) for part in figures.bins_uncalibrated],
        },
        "importance": {
            "gain": parts.gain,
            "permutation": {name: asdict(fall) for name, fall in parts.permutation.items()},
        },
        "periods": [asdict(period) for period in figures.periods],
        "money": None if figures.money is None else {**asdict(figures.money), **asdict(parts.costs)},
        "profile": asdict(parts.profile),
        "audit": parts.audit.to_json(),
        "cross_validation": None
        if parts.cross is None
        else {"scores": parts.cross.scores, "overfitting_gap": parts.cross.overfitting_gap},
        "counts": parts.counts,
        "lineage": {"export_difference": made.parity, **parts.lineage},
        "trials": parts.trials,
        "sampling": parts.sampling,
    }
    plain: dict[str, Any] = plain_json(card)
    return plain


def plain_json(value: Any) -> Any:
    """Give a value as JSON knows it: numpy numbers as numbers, NaN and infinity as null, times as text.

    >>> plain_json({"a": np.float64(1 / 3), "b": (np.nan, np.int64(2))})
    {'a': 0.3333333, 'b': [None, 2]}
    """
    match value:
        case Mapping():
            return {str(name): plain_json(part) for name, part in value.items()}
        case list() | tuple():
            return [plain_json(part) for part in value]
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case float() | np.floating():
            return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
        case np.bool_():
            return bool(value)
        case np.integer():
            return int(value)
        case _:
            return value


def _figures(figures: Figures) -> dict[str, Any]:
    return {
        "base_rate": figures.base_rate,
        "roc_auc": figures.roc_auc,
        "average_precision": figures.average_precision,
        "brier": figures.brier,
        "brier_uncalibrated": figures.brier_uncalibrated,
        "log_loss": figures.log_loss,
        "holdout_days": figures.days,
        "alerts": figures.alerts,
        "alerts_per_day": figures.alerts_per_day,
        "simulated_profit_pct": figures.simulated_profit_pct,
        "expected_value_pct": figures.expected_value_pct,
    }
