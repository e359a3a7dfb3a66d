"""Search for hyper-parameters: each trial is cross-validated, and the next one learns from those before."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.errors import JobFailed
from shared.scoring import average_precision
from training_service.ml.crossval import Fold, fold_to_learn, learnable_folds
from training_service.ml.dataset import Answered, Dataset
from training_service.ml.fit import fit_model, native_scores
from training_service.ml.model import Learning, Recipe
from training_service.ml.model_types import Range, Value
from training_service.ml.space import resolve_space
from training_service.ml.split import Index

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial

COMPLETED, PRUNED, FAILED = "COMPLETED", "PRUNED", "FAILED"
_TRIALS_BEFORE_PRUNING = 5
_FOLDS_BEFORE_PRUNING = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One set of hyper-parameters, tried."""

    number: int
    """From 0."""
    state: str
    """COMPLETED, PRUNED (given up after some folds as worse than the median) or FAILED."""
    value: float | None
    """Mean average precision of the folds that were scored; None when none was."""
    params: dict[str, Value]
    """Those that are searched for."""
    seconds: float
    folds: list[float]
    """Average precision of each fold scored, oldest first."""
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The best hyper-parameters of a search."""

    parameters: dict[str, Value]
    """All of them, those that were not searched for included."""
    value: float
    """Mean average precision of the folds with them."""
    trials: tuple[dict[str, Any], ...]
    """All trials, earlier ones included."""


def search(  # noqa: PLR0913 - what is searched, where, and what is known already
    data: Dataset,
    rows: Index,
    recipe: Recipe,
    *,
    space: Mapping[str, Mapping[str, Any]],
    trials: int,
    done: Sequence[Mapping[str, Any]],
    folds: int,
    horizon_us: int,
    tell: Callable[[dict[str, Any]], None],
) -> Found:
    """Find the hyper-parameters with the highest mean average precision on the folds that follow what is learnt.

    The first trial takes the hyper-parameters of the recipe, where they lie in the space: what is found is at least as
    good on the folds. Each trial draws with a state of its own, made of `random_state` and its number, so a search that
    was broken off and goes on from its trials gives the same trials as one that was not.

    Args:
        data: the rows.
        rows: those to divide into folds, purged by the horizon.
        recipe: how each model is made; its hyper-parameters hold where the space does not name them.
        space: for each hyper-parameter `low`, `high` and maybe `log`, or `choices`; empty: the kind's own.
        trials: how many, those done included.
        done: trials that an earlier attempt has finished, as `tell` was given them.
        folds: how many of the cross-validation.
        horizon_us: how far a label looks ahead, microseconds.
        tell: is given each trial as soon as it is over.

    Raises:
        JobFailed: no trial ends with a value.

    Source:
        J. Bergstra et al., Algorithms for Hyper-Parameter Optimization, NeurIPS 2011 (the TPE).

    """
    ranges = resolve_space(recipe.model_type, space)
    found = [_as_trial(trial) for trial in sorted(done, key=lambda trial: int(trial["number"]))]
    usable = scorable_folds(data, rows, folds=folds, horizon_us=horizon_us)
    # The neighbours of SMOTE are the same in every trial, and slow to find.
    resampled = {fold.number: fold_to_learn(fold, data, recipe) for fold in usable} if recipe.use_smote else {}
    study = _begin(recipe, ranges, found)
    for number in range(len(found), trials):
        study.sampler = _sampler(recipe.random_state, number)
        found.append(_try(study, ranges, data, recipe, usable, resampled))
        tell(asdict(found[-1]))
    return _best(recipe, found)


def scorable_folds(data: Answered, rows: Index, *, folds: int, horizon_us: int) -> list[Fold]:
    """Give the folds that a trial can be scored on; JobFailed when there is none."""
    learnable = learnable_folds(data, rows, folds=folds, horizon_us=horizon_us)
    usable = [fold for fold in learnable if data.answers[fold.cut.after].any()]
    if not usable:
        raise JobFailed(
            "no fold of the cross-validation holds both answers before and a positive one after: "
            "take a longer window, an easier target or fewer cv_splits"
        )
    return usable


def _best(recipe: Recipe, trials: Sequence[Trial]) -> Found:
    completed = [trial for trial in trials if trial.state == COMPLETED and trial.value is not None]
    if not completed:
        last = next((trial.error for trial in reversed(trials) if trial.error), "none was tried")
        raise JobFailed(
            f"none of the {len(trials)} trials ended with a value; the last one: {last}; "
            "choose a search space of smaller models, other features or a longer window"
        )
    best = max(completed, key=lambda trial: (trial.value, -trial.number))
    assert best.value is not None
    parameters = {**recipe.parameters, **best.params}
    return Found(parameters=parameters, value=best.value, trials=tuple(asdict(trial) for trial in trials))


def _try(
    study: "Study",
    ranges: Mapping[str, Range],
    data: Dataset,
    recipe: Recipe,
    folds: Sequence[Fold],
    resampled: Mapping[int, Learning],
) -> Trial:
    from optuna.trial import TrialState

    started = time.perf_counter()
    asked = study.ask(_distributions(ranges))
    tried = replace(recipe, parameters={**recipe.parameters, **asked.params})
    values: list[float] = []
    state, error = TrialState.COMPLETE, None
    try:
        for step, fold in enumerate(folds):
            values.append(_score(fold, data, tried, resampled.get(fold.number)))
            asked.report(_mean(values), step)
            if step + 1 < len(folds) and asked.should_prune():
                state = TrialState.PRUNED
                break
    # Some combinations cannot be fitted; the search goes on without them.
    except (JobFailed, ValueError) as problem:
        state, error = TrialState.FAIL, str(problem)
    study.tell(asked, _mean(values) if state is TrialState.COMPLETE else None, state)
    return Trial(
        number=asked.number,
        state={TrialState.COMPLETE: COMPLETED, TrialState.PRUNED: PRUNED}.get(state, FAILED),
        value=_mean(values) if values and state is not TrialState.FAIL else None,
        params=dict(asked.params),
        seconds=round(time.perf_counter() - started, 3),
        folds=values,
        error=error,
    )


def _score(fold: Fold, data: Dataset, recipe: Recipe, resampled: Learning | None) -> float:
    learning = resampled or fold_to_learn(fold, data, recipe)
    native = fit_model(
        learning.features,
        learning.answers,
        model_type=recipe.model_type,
        parameters=recipe.parameters,
        random_state=recipe.random_state,
    )
    found = average_precision(native_scores(native, data.features[fold.cut.after]), data.answers[fold.cut.after])
    if found is None or not math.isfinite(found):
        raise JobFailed(f"fold {fold.number} of {fold.folds} has no average precision")
    return found


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _sampler(random_state: int, number: int) -> Any:
    from optuna.samplers import TPESampler

    return TPESampler(seed=int(np.random.SeedSequence([random_state, number]).generate_state(1)[0]))


def _begin(recipe: Recipe, ranges: Mapping[str, Range], done: Sequence[Trial]) -> "Study":
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=_TRIALS_BEFORE_PRUNING, n_warmup_steps=_FOLDS_BEFORE_PRUNING)
    study = optuna.create_study(direction="maximize", pruner=pruner)
    for trial in done:
        study.add_trial(_to_optuna(trial, ranges))
    first = {name: recipe.parameters[name] for name in ranges if name in recipe.parameters}
    if not done and first.keys() == ranges.keys() and all(ranges[name].holds(value) for name, value in first.items()):
        study.enqueue_trial(first)
    return study


def _to_optuna(trial: Trial, ranges: Mapping[str, Range]) -> "FrozenTrial":
    from optuna.trial import TrialState, create_trial

    # A trial of other ranges, as when the kind's own were changed in between, counts but teaches nothing.
    known = trial.params.keys() == ranges.keys() and all(
        ranges[name].holds(value) for name, value in trial.params.items()
    )
    states = {COMPLETED: TrialState.COMPLETE, PRUNED: TrialState.PRUNED, FAILED: TrialState.FAIL}
    state = states[trial.state] if known else TrialState.FAIL
    return create_trial(
        state=state,
        value=trial.value if state in {TrialState.COMPLETE, TrialState.PRUNED} else None,
        params=trial.params if known else {},
        distributions=_distributions(ranges) if known else {},
        intermediate_values={step: _mean(trial.folds[: step + 1]) for step in range(len(trial.folds))},
    )


def _distributions(ranges: Mapping[str, Range]) -> dict[str, "BaseDistribution"]:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    found: dict[str, BaseDistribution] = {}
    for name, span in ranges.items():
        if span.low is None or span.high is None:
            found[name] = CategoricalDistribution(span.choices)
        elif isinstance(span.low, int) and isinstance(span.high, int):
            found[name] = IntDistribution(span.low, span.high, log=span.log)
        else:
            found[name] = FloatDistribution(span.low, span.high, log=span.log)
    return found


def _as_trial(stored: Mapping[str, Any]) -> Trial:
    names = Trial.__dataclass_fields__
    return Trial(**{name: value for name, value in stored.items() if name in names})
