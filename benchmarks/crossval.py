"""How long walk-forward cross-validation and a search for hyper-parameters take, beside plain scikit-learn."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.market import filled_database
from benchmarks.training import asked, market
from shared.features import FeatureSpec
from training_service.ml.crossval import NAMES, cross_validate
from training_service.ml.dataset import Dataset
from training_service.ml.divide import divide
from training_service.ml.model import Recipe
from training_service.ml.model_types import make_estimator, resolve_parameters
from training_service.ml.search import PRUNED, search
from training_service.ml.split import Index
from training_service.usecases.prepare import build_dataset, load_rows

ROWS = 100_000
FOLDS = 5
TRIALS = 10
HORIZON_US = 600_000_000
SEED = 42


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Seconds of each, and what a plain split would let in."""

    ours: float
    plain: float
    """scikit-learn's `cross_validate` with `TimeSeriesSplit` on the same rows and hyper-parameters."""
    reaching_rows: int
    """Rows of all folds of the plain split that are learnt from although their horizon reaches into the test rows."""
    search: float
    pruned: int
    """Trials that were given up after some folds."""
    rows: int


def measure() -> Figures:
    """Measure on the rows before the hold-out."""
    data, before = _dataset()
    parameters = resolve_parameters("xgboost", {})
    recipe = Recipe(model_type="xgboost", parameters=parameters, random_state=SEED, calibrate=True, alerts_per_day=None)
    ours = _seconds(lambda: cross_validate(data, before, recipe, folds=FOLDS, horizon_us=HORIZON_US))
    plain, reaching = _plain(data, before, parameters)
    trials: list[dict[str, Any]] = []
    found = _seconds(
        lambda: search(
            data, before, recipe, space={}, trials=TRIALS, done=(), folds=FOLDS, horizon_us=HORIZON_US,
            tell=trials.append,
        )
    )  # fmt: skip
    pruned = sum(trial["state"] == PRUNED for trial in trials)
    return Figures(ours=ours, plain=plain, reaching_rows=reaching, search=found, pruned=pruned, rows=len(before))


def _dataset() -> tuple[Dataset, Index]:
    request = asked()
    target, spec = request.target().to_target(), FeatureSpec(tuple(request.features))
    with filled_database(market().slice(0, ROWS)) as (_, dsn):
        loaded = load_rows(request, spec, target, dsn=dsn, max_rows=ROWS)
    data = build_dataset(loaded, request, spec, target)
    split = divide(data, test_size=request.test_size, horizon_us=HORIZON_US)
    return data, np.concatenate([split.fit, split.calibration])


def _plain(data: Dataset, rows: Index, parameters: dict[str, Any]) -> tuple[float, int]:
    from sklearn.model_selection import TimeSeriesSplit
    from sklearn.model_selection import cross_validate as plain_cross_validate

    ordered = rows[np.argsort(data.timestamp[rows], kind="stable")]
    features, answers, time_us = data.features[ordered], data.answers[ordered], data.timestamp[ordered]
    cuts = TimeSeriesSplit(FOLDS)
    estimator = make_estimator("xgboost", parameters, random_state=SEED)
    seconds = _seconds(
        lambda: plain_cross_validate(
            estimator, features, answers, cv=cuts, scoring=list(NAMES), return_train_score=True
        )
    )
    reaching = sum(
        int(np.sum(time_us[before] + HORIZON_US >= time_us[after].min())) for before, after in cuts.split(features)
    )
    return seconds, reaching


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


if __name__ == "__main__":
    print(measure())
