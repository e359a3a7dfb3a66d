"""The line from rows to a model file, run in the process that fits."""

from collections.abc import Callable

import numpy as np

from shared.features import FeatureSpec
from shared.labels import TimeTarget
from training_service.ml.crossval import cross_validate
from training_service.ml.figures import measure, score_rows
from training_service.ml.model import Recipe, divide, make_model, refit_model
from training_service.ml.returns import Costs
from training_service.usecases.prepare import build_dataset, load_rows
from training_service.usecases.run_key import data_sha256, run_key
from training_service.usecases.task import Keyed, Step, Trained, TrainTask
from training_service.usecases.write_model import Work, write_model

Report = Callable[[Step | Keyed], None]


def train(task: TrainTask, report: Report) -> Trained:
    """Load, label, build features, split, cross-validate, fit, calibrate, measure and write the model file."""
    asked = task.asked()
    target = asked.target().to_target()
    spec = FeatureSpec(task.features)

    def tell(progress: float, message: str) -> None:
        report(Step(progress=progress, message=message))

    tell(0.02, "load: reading coin_metrics")
    loaded = load_rows(asked, spec, target, dsn=task.dsn, max_rows=task.max_rows)
    tell(0.15, f"label and features: {int(loaded.in_window.sum())} rows of the window")
    data = build_dataset(loaded, asked, spec, target)
    data_hash = data_sha256(data)
    key = run_key(task.request, features=task.features, params=task.params, data=data_hash)
    report(Keyed(run_key=key))
    horizon_us = target.horizon if isinstance(target, TimeTarget) else 0
    split = divide(data, test_size=asked.test_size, horizon_us=horizon_us)
    recipe = Recipe(
        model_type=asked.model_type,
        parameters=task.params,
        random_state=asked.random_state,
        calibrate=asked.calibrate,
        alerts_per_day=asked.alerts_per_day,
    )
    cross = None
    if asked.use_timeseries_split:
        tell(0.25, f"cross-validate: {asked.cv_splits} folds")
        before = np.concatenate([split.fit, split.calibration])
        cross = cross_validate(data, before, recipe, folds=asked.cv_splits, horizon_us=horizon_us)
    tell(0.55, f"fit: {len(split.fit)} rows, {len(data.spec.names)} features")
    made = make_model(data, split, recipe)
    tell(0.8, f"evaluate: {len(split.holdout)} rows of the hold-out")
    costs = Costs(fee_pct=asked.fee_pct, slippage_pct=asked.slippage_pct, trade_size_sol=asked.trade_size_sol)
    figures = measure(
        score_rows(data, split.holdout, made.scorer),
        decision_threshold=made.decision_threshold,
        alert_threshold=made.alert_threshold,
        target=target,
        costs=costs,
        random_state=asked.random_state,
    )
    if asked.refit:
        tell(0.85, f"refit: all {len(data)} rows")
        made = refit_model(data, made, recipe)
    tell(0.9, "write artifact")
    work = Work(asked=asked, data=data, split=split, made=made, figures=figures, cross=cross, run_key=key)
    return write_model(task, work)
