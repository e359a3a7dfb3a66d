"""How long a job will take and how much memory it will hold."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from training_service.ml.model_types import THREADS, Value

_MILLION = 1e6
_BEFORE_HOLDOUT, _BEFORE_CALIBRATION = 0.8, 0.64
# Interpreter, libraries, the audit on a bounded sample, golden windows, the proof of the file.
_FIXED_SECONDS, _FIXED_BYTES = 4.5, 310e6
_FIT_SECONDS = 0.4
_EXPORT_FOREST_SECONDS = 2.0
_TEN_THOUSAND, _SMOTE_SECONDS = 1e4, 0.5
# Threads of one fit are not busy all the time.
_BUSY_THREADS = 0.9 * THREADS
# What a search draws by default has more trees than what is taken without one.
_DRAWN = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What a job has to do."""

    model_type: str
    params: Mapping[str, Value]
    loaded_rows: int
    """Histories and horizons included."""
    rows: int
    """Whose answer is known."""
    features: int
    columns: int
    """Of coin_metrics."""
    folds: int
    """Of the cross-validation; 0: none."""
    cv_splits: int
    """Folds of each trial."""
    trials: int
    """Of a search; 0: none."""
    fits: int
    """2 when the stored model is fitted on all rows again."""
    rare: int = 0
    """Rows of the rarer answer, where it is resampled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What to expect."""

    seconds: float
    bytes: int


def estimate(work: Workload) -> Estimate:
    """Give the time of a job on two cores that nobody else uses, and the most memory its process holds.

    Reading takes 1 s and 0.15 s a column for a million rows, features and their profile 0.12 s each. A fit takes
    processor time in proportion to rows, trees and depth:

        xgboost        a million rows, 100 trees, depth 6:   7 s + 1.7 s a feature (of those a tree sees 80 %)
        random_forest  a million rows, 100 trees, depth 10:  12 s + (8 s + 6 s a feature tried at a split) for each
                       fifth of the rows that a tree sees

    Fold i of k learns from i / (k + 1) of the rows before the hold-out, so k folds are k / 2 fits. A trial of a search
    counts as three times its folds, as it draws larger models. SMOTE compares each rare row with all others: 0.5 s for
    10,000, 50 s for 100,000. Measured in processor seconds
    on two cores of a shared x86-64 machine: both kinds, 147,000 and 387,000 rows, 5 and 34 features, with and without
    five folds, a search of four trials. There it is within a factor of 1.7.

    >>> work = Workload(
    ...     model_type="xgboost", params={"n_estimators": 100, "max_depth": 6, "colsample_bytree": 0.8},
    ...     loaded_rows=400_000, rows=387_000, features=34, columns=14, folds=5, cv_splits=5, trials=0, fits=1,
    ... )
    >>> 30 < estimate(work).seconds < 60, estimate(work).bytes // 100_000_000
    (True, 6)
    """
    rows, loaded = work.rows / _MILLION, work.loaded_rows / _MILLION
    fitted = rows * (_BEFORE_CALIBRATION if work.fits == 1 else _BEFORE_CALIBRATION + 1)
    busy = fitted * _fit_seconds(work) + work.fits * _FIT_SECONDS + _folds(work, work.folds)
    if work.trials:
        busy = busy * _DRAWN + work.trials * _DRAWN * _folds(work, work.cv_splits)
    seconds = _FIXED_SECONDS + loaded * (1 + 0.15 * work.columns) + rows * 0.12 * work.features
    seconds += _resample_seconds(work)
    if work.model_type == "random_forest":
        busy += work.fits * _EXPORT_FOREST_SECONDS * _number(work.params.get("n_estimators"), 100) / 100
    return Estimate(
        seconds=seconds + busy / _BUSY_THREADS,
        bytes=int(_FIXED_BYTES + work.loaded_rows * (600 + 6 * work.features)),
    )


def _resample_seconds(work: Workload) -> float:
    once = _SMOTE_SECONDS * (work.rare / _TEN_THOUSAND) ** 2
    squares = _BEFORE_CALIBRATION**2 + (work.fits - 1)
    # Folds of a search are resampled once, whatever the number of trials.
    for folds in (work.folds, work.cv_splits if work.trials else 0):
        # The sum of (i / (k + 1))² over i = 1 .. k.
        squares += _BEFORE_HOLDOUT**2 * folds * (2 * folds + 1) / (6 * (folds + 1))
    return once * squares


def _folds(work: Workload, folds: int) -> float:
    rows = work.rows / _MILLION * _BEFORE_HOLDOUT * folds / 2
    return rows * _fit_seconds(work) + folds * _FIT_SECONDS


def _fit_seconds(work: Workload) -> float:
    """Give the processor seconds of a fit on a million rows."""
    params, features = work.params, work.features
    hundreds = _number(params.get("n_estimators"), 100) / 100
    if work.model_type == "random_forest":
        share = _number(params.get("max_samples"), 1.0)
        growth = _number(params.get("max_depth"), 10) / 10
        return hundreds * growth * (12 + share / 0.2 * (8 + 6 * _tried(params.get("max_features"), features)))
    growth = _number(params.get("max_depth"), 6) / 6
    return hundreds * growth * (7 + 1.7 * features * _number(params.get("colsample_bytree"), 0.8) / 0.8)


def _tried(max_features: Value, features: int) -> float:
    if max_features == "sqrt":
        return math.sqrt(features)
    if max_features == "log2":
        return math.log2(max(features, 2))
    return features * _number(max_features, 1.0)


def _number(value: Value, default: float) -> float:
    return float(value) if isinstance(value, int | float) else default
