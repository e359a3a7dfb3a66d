"""The line from rows to a model file, run in the process that fits."""

from collections.abc import Callable

import numpy as np

from shared.coin_metrics.load import TrainingRows, load_range
from shared.contracts.model_request import CreateModel
from shared.features import FeatureSpec
from shared.labels import Target, TimeTarget
from training_service.ml.crossval import cross_validate
from training_service.ml.dataset import Dataset, make_dataset
from training_service.ml.figures import Costs, measure
from training_service.ml.model import Recipe, divide, make_model, refit_model
from training_service.usecases.task import Trained, TrainTask
from training_service.usecases.write_model import Work, write_model

Report = Callable[[float, str], None]

_OPTIONAL_COLUMNS = ("bonding_curve_pct", "virtual_sol_reserves")


def train(task: TrainTask, report: Report) -> Trained:
    """Load, label, build features, split, cross-validate, fit, calibrate, measure and write the model file."""
    asked = task.asked()
    target = asked.target().to_target()
    spec = FeatureSpec(task.features)
    report(0.02, "load: reading coin_metrics")
    loaded = _load(task, asked, spec, target)
    report(0.15, f"label and features: {int(loaded.in_window.sum())} rows of the window")
    data = _prepare(loaded, asked, spec, target)
    horizon_us = target.horizon if isinstance(target, TimeTarget) else 0
    split = divide(data, test_size=asked.test_size, horizon_us=horizon_us)
    recipe = _recipe(task, asked)
    cross = None
    if asked.use_timeseries_split:
        report(0.25, f"cross-validate: {asked.cv_splits} folds")
        before = np.concatenate([split.fit, split.calibration])
        cross = cross_validate(data, before, recipe, folds=asked.cv_splits, horizon_us=horizon_us)
    report(0.55, f"fit: {len(split.fit)} rows, {len(data.spec.names)} features")
    made = make_model(data, split, recipe)
    report(0.8, f"evaluate: {len(split.holdout)} rows of the hold-out")
    costs = Costs(fee_pct=asked.fee_pct, slippage_pct=asked.slippage_pct, trade_size_sol=asked.trade_size_sol)
    figures = measure(data, split.holdout, made, target=target, costs=costs)
    if asked.refit:
        report(0.85, f"refit: all {len(data)} rows")
        made = refit_model(data, made, recipe)
    report(0.9, "write artifact")
    return write_model(task, Work(asked=asked, data=data, split=split, made=made, figures=figures, cross=cross))


def _load(task: TrainTask, asked: CreateModel, spec: FeatureSpec, target: Target) -> TrainingRows:
    return load_range(
        task.dsn,
        start=asked.train_start,
        end=asked.train_end,
        horizon_minutes=target.future_minutes if isinstance(target, TimeTarget) else 0,
        history_rows=spec.history_needed() - 1,
        columns=tuple(dict.fromkeys((*spec.base_columns, target.target_var))),
        optional_columns=_OPTIONAL_COLUMNS,
        max_rows=task.max_rows,
    )


def _prepare(loaded: TrainingRows, asked: CreateModel, spec: FeatureSpec, target: Target) -> Dataset:
    return make_dataset(
        loaded.rows,
        loaded.in_window,
        spec=spec,
        target=target,
        phases=None if asked.phases is None else tuple(asked.phases),
        clock_us=loaded.clock_us,
        last_seen=loaded.last_seen,
        untracked_phases=loaded.untracked_phases,
    )


def _recipe(task: TrainTask, asked: CreateModel) -> Recipe:
    return Recipe(
        model_type=asked.model_type,
        parameters=task.params,
        random_state=asked.random_state,
        calibrate=asked.calibrate,
        alerts_per_day=asked.alerts_per_day,
    )
