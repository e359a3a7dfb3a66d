"""The line from rows to a model file, run in the process that fits."""

import contextlib
import threading
from dataclasses import replace
from functools import partial

import numpy as np

from shared.contracts.model_request import CreateModel, TuneModel
from shared.features import FeatureSpec
from shared.labels import Target, TimeTarget
from training_service.ml.audit import audit
from training_service.ml.crossval import cross_validate
from training_service.ml.dataset import Dataset
from training_service.ml.divide import divide
from training_service.ml.figures import measure
from training_service.ml.model import Recipe, make_model, refit_model
from training_service.ml.model_types import load_libraries
from training_service.ml.returns import Costs, returns_of
from training_service.ml.scored import score_holdout
from training_service.ml.search import Found, search
from training_service.ml.split import Index
from training_service.usecases.memory import give_back
from training_service.usecases.prepare import build_dataset, load_rows
from training_service.usecases.run_key import data_sha256, run_key
from training_service.usecases.steps import Report, Steps
from training_service.usecases.task import Keyed, Trained, TrainTask
from training_service.usecases.write_model import Work, draw_portrait, write_model


def train(task: TrainTask, report: Report) -> Trained:
    """Load, label, build features, audit, split, search, cross-validate, fit, measure and write the model file."""
    asked = task.asked()
    target = asked.target().to_target()
    horizon_us = target.horizon if isinstance(target, TimeTarget) else 0
    steps = Steps(report)
    data = _read(task, asked, target, steps)
    data_hash = data_sha256(data)
    key = run_key(task.request, features=task.features, params=task.params, data=data_hash)
    report(Keyed(run_key=key))

    steps.at("split", f"{len(data)} rows with a known answer")
    split = divide(data, test_size=asked.test_size, horizon_us=horizon_us)
    recipe = _recipe(task, asked)
    steps.at("audit", "feature laws, split, single features, shuffled answers")
    audited = audit(data, split, recipe, target=target, horizon_us=horizon_us)
    before = np.concatenate([split.fit, split.calibration])
    portrait = draw_portrait(data, split, learnt=np.arange(len(data)) if asked.refit else before, asked=asked)
    # Raw rows are the largest part of the memory that no fit needs.
    data = replace(data, rows=data.rows.take(np.arange(0)))
    give_back()
    task = task.model_copy(update={"trials": task.trials_of(key)})
    found = _tune(task, asked, data, before, recipe, steps, horizon_us=horizon_us)
    if found is not None:
        recipe = replace(recipe, parameters=found.parameters)
    cross = None
    if asked.use_timeseries_split:
        steps.at("cross-validate", f"{asked.cv_splits} folds")
        cross = cross_validate(data, before, recipe, folds=asked.cv_splits, horizon_us=horizon_us, tell=steps.fold)
    costs = Costs(fee_pct=asked.fee_pct, slippage_pct=asked.slippage_pct, trade_size_sol=asked.trade_size_sol)
    made = make_model(data, split, recipe, trade=partial(returns_of, target=target, costs=costs), tell=steps.at)
    steps.at("evaluate", f"{len(split.holdout)} rows of the hold-out")
    scored = score_holdout(data, split, made.scorer)
    figures = measure(
        scored,
        decision_threshold=made.decision_threshold,
        alert_threshold=made.alert_threshold,
        target=target,
        costs=costs,
        random_state=asked.random_state,
    )
    measured = made
    if asked.refit:
        steps.at("refit", f"all {len(data)} rows")
        made = refit_model(data, made, recipe)
    work = Work(
        asked=asked, target=target, recipe=recipe, costs=costs, data=data, split=split, portrait=portrait,
        audit=audited, cross=cross, found=found, measured=measured, made=made, figures=figures, scored=scored,
        run_key=key, data_sha256=data_hash,
    )  # fmt: skip
    return write_model(task, work, steps)


def _read(task: TrainTask, asked: CreateModel, target: Target, steps: Steps) -> Dataset:
    """Load, label and build features; what was only needed on the way is given back before the next step."""
    spec = FeatureSpec(task.features)
    steps.at("load", "reading coin_metrics")
    # While the server works.
    threading.Thread(target=_load_libraries, args=(asked.model_type,), daemon=True).start()
    loaded = load_rows(asked, spec, target, dsn=task.dsn, max_rows=task.max_rows)
    give_back()
    steps.at("label", f"{int(loaded.in_window.sum())} rows of the window")
    data = build_dataset(loaded, asked, spec, target, tell=lambda detail: steps.at("features", detail))
    del loaded
    give_back()
    return data


def _load_libraries(model_type: str) -> None:
    # Whatever is wrong with them the fit will say, in its own words.
    with contextlib.suppress(Exception):
        load_libraries(model_type)


def _recipe(task: TrainTask, asked: CreateModel) -> Recipe:
    return Recipe(
        model_type=asked.model_type,
        parameters=task.params,
        random_state=asked.random_state,
        calibrate=asked.calibrate,
        alerts_per_day=asked.alerts_per_day,
        use_smote=asked.use_smote,
        on_resample_error=asked.on_resample_error,
        alert_threshold_by=asked.threshold_choice,
    )


def _tune(
    task: TrainTask, asked: CreateModel, data: Dataset, before: Index, recipe: Recipe, steps: Steps, *, horizon_us: int
) -> Found | None:
    if not isinstance(asked, TuneModel):
        return None
    done = f", {len(task.trials)} of them done before" if task.trials else ""
    steps.at("tune", f"{asked.trials} trials of {asked.cv_splits} folds{done}")
    return search(
        data,
        before,
        recipe,
        space={name: part.model_dump() for name, part in asked.search_space.items()},
        trials=asked.trials,
        done=task.trials,
        folds=asked.cv_splits,
        horizon_us=horizon_us,
        tell=lambda trial: steps.trial(trial, trials=asked.trials),
    )
