"""Scores of binary predictions: how well numbers between 0 and 1 tell the ones from the zeros.

Everywhere: `scores` float64[n] are scores or probabilities in 0..1 without NaN, `answers` [n] are 0 or 1 of any
number type or bool, and a row is predicted 1 when its score is at or above the threshold. What has no meaning for the
rows given (one class only, no rows) is None, never NaN.
"""

from shared.scoring.counts import Answers, Confusion, confusion
from shared.scoring.curves import (
    CalibrationBin,
    CurvePoint,
    PrecisionPoint,
    RatePoint,
    calibration_bins,
    precision_recall_curve,
    roc_curve,
    threshold_curve,
)
from shared.scoring.histograms import histogram_counts, histogram_edges
from shared.scoring.ranking import average_precision, brier, log_loss, roc_auc
from shared.scoring.stability import MODERATE, STRONG, DriftLevel, drift_level, population_stability_index
from shared.scoring.thresholds import (
    alerts_per_day_threshold,
    best_f1_threshold,
    best_return_threshold,
    top_share_threshold,
)

__all__ = [
    "MODERATE",
    "STRONG",
    "Answers",
    "CalibrationBin",
    "Confusion",
    "CurvePoint",
    "DriftLevel",
    "PrecisionPoint",
    "RatePoint",
    "alerts_per_day_threshold",
    "average_precision",
    "best_f1_threshold",
    "best_return_threshold",
    "brier",
    "calibration_bins",
    "confusion",
    "drift_level",
    "histogram_counts",
    "histogram_edges",
    "log_loss",
    "population_stability_index",
    "precision_recall_curve",
    "roc_auc",
    "roc_curve",
    "threshold_curve",
    "top_share_threshold",
]
