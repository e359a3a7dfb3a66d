"""One model made: fitted, exported, calibrated, with both thresholds; everything after the fit asks the export."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from shared.artifact import Scorer
from shared.coin_metrics.rows import Floats, Ints
from shared.contracts.artifact import Calibration, NoCalibration
from shared.contracts.model_request import ThresholdChoice
from shared.errors import JobFailed
from shared.features import Notice
from training_service.ml.calibrate import Thresholds, choose_thresholds, fit_calibration
from training_service.ml.dataset import Dataset
from training_service.ml.fit import Answers, Features, fit_model
from training_service.ml.in_place import rows_of
from training_service.ml.model_types import THREADS, Value, find_kind
from training_service.ml.parity import Comparison, check_flips, check_parity
from training_service.ml.resample import ResampleError, rarer, resample
from training_service.ml.split import Index, Split

_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a model is made."""

    model_type: str
    parameters: Mapping[str, Value]
    random_state: int
    calibrate: bool
    alerts_per_day: float | None
    use_smote: bool = False
    """The rows to fit on are resampled when one answer is rare."""
    on_resample_error: Literal["fail", "skip"] = "fail"
    alert_threshold_by: ThresholdChoice | None = None
    """None: by alerts_per_day where that is given, else by share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """Rows as they go into a fit."""

    features: Features
    answers: Answers
    is_resampled: bool = False
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A model that can be measured."""

    native: Any
    onnx: bytes
    calibration: Calibration
    scorer: Scorer
    decision_threshold: float
    alert_threshold: float
    alert_by: ThresholdChoice
    """How the alert threshold was chosen in the end."""
    parity: float
    """Largest difference between native and exported scores."""
    is_resampled: bool
    """It learnt from resampled rows."""
    notices: tuple[Notice, ...]


def rows_to_learn(data: Dataset, rows: Index, recipe: Recipe) -> Learning:
    """Give the rows for a fit, resampled when the recipe says so; nothing else is ever resampled.

    Raises:
        JobFailed: they cannot be resampled, and `on_resample_error` is "fail".

    """
    features, answers = rows_of(data.features, rows), rows_of(data.answers, rows)
    if not recipe.use_smote:
        return Learning(features=features, answers=answers)
    try:
        found = resample(features, answers, random_state=recipe.random_state)
    except ResampleError as error:
        if recipe.on_resample_error == "fail":
            raise _not_resampled(error) from error
        notice = Notice(code="resampling_skipped", message=f"{error}: the model is fitted on the rows as they are")
        return Learning(features=features, answers=answers, notices=(notice,))
    if found.notice is not None:
        return Learning(features=features, answers=answers, notices=(found.notice,))
    return Learning(features=found.features, answers=found.answers, is_resampled=True)


def refuse_rows(answers: Answers) -> None:
    """Raise the JobFailed with which rows of these answers could not be resampled."""
    try:
        rarer(answers)
    except ResampleError as error:
        raise _not_resampled(error) from error


def _not_resampled(error: ResampleError) -> JobFailed:
    return JobFailed(f"{error}: take a longer window, an easier target, use_smote false, or on_resample_error skip")


def make_model(
    data: Dataset, split: Split, recipe: Recipe, *,
    trade: Callable[[Floats, Floats], Floats | None] = lambda _change_pct, _reserves_sol: None,
    tell: Callable[[str, str], None] = lambda _step, _detail: None,
) -> Made:  # fmt: skip
    """Fit on the first part, calibrate and choose the thresholds on the second, check the export on the hold-out.

    `trade` gives what a purchase brings in %, from the change and the reserves of rows, where one is asked about;
    `tell` is given the steps.
    """
    if recipe.use_smote:
        tell("resample", f"{len(split.fit)} rows")
    learning = rows_to_learn(data, split.fit, recipe)
    tell("fit", f"{len(learning.answers)} rows, {data.features.shape[1]} features")
    native, onnx, comparison = _fit(learning, rows_of(data.features, split.holdout), recipe)
    features, answers = rows_of(data.features, split.calibration), rows_of(data.answers, split.calibration)
    tell("calibrate", f"{len(answers)} rows")
    scores = Scorer(onnx, NoCalibration(), threads=THREADS).scores(features)
    calibration: Calibration = NoCalibration()
    notices = [*learning.notices]
    if recipe.calibrate:
        calibration = fit_calibration(scores, answers)
        if isinstance(calibration, NoCalibration):
            message = "scores do not rise with the answers on the rows that calibrate: they are taken as probabilities"
            notices.append(Notice(code="not_calibrated", message=message))
    if learning.is_resampled and isinstance(calibration, NoCalibration):
        message = (
            f"the model learnt from rows of which {learning.answers.mean():.0%} were positive, in the data it is "
            f"{data.answers[split.fit].mean():.1%}, and nothing calibrates it: its probabilities are far off"
        )
        notices.append(Notice(code="distorted_probabilities", message=message))
    scorer = Scorer(onnx, calibration, threads=THREADS)
    thresholds = _choose_thresholds(data, split, recipe, scorer=scorer, scores=scores, trade=trade)
    check_flips(comparison, calibration, (thresholds.decision, thresholds.alert))
    return Made(
        native=native,
        onnx=onnx,
        calibration=calibration,
        scorer=scorer,
        decision_threshold=thresholds.decision,
        alert_threshold=thresholds.alert,
        alert_by=thresholds.by,
        parity=comparison.difference,
        is_resampled=learning.is_resampled,
        notices=(*notices, *thresholds.notices),
    )


def _choose_thresholds(
    data: Dataset, split: Split, recipe: Recipe, *, scorer: Scorer, scores: Floats,
    trade: Callable[[Floats, Floats], Floats | None],
) -> Thresholds:  # fmt: skip
    """Choose on the calibrating rows, `scores` theirs; rows of that time without an answer count among the alerts."""
    rest, rows = data.unanswered, split.calibration
    others = np.flatnonzero((rest.timestamp > split.calibration_us) & (rest.timestamp <= split.calibration_end_us))

    def both(answered: Floats, unanswered: Floats) -> Floats:
        return np.concatenate([answered[rows], unanswered[others]])

    probabilities = scorer.calibrated(scores)
    return choose_thresholds(
        probabilities,
        data.answers[rows],
        days=days_of(np.concatenate([data.timestamp[rows], rest.timestamp[others]])),
        alerts_per_day=recipe.alerts_per_day,
        by=recipe.alert_threshold_by,
        returns_pct=trade(both(data.change_pct, rest.change_pct), both(data.reserves_sol, rest.reserves_sol)),
        every_probability=np.concatenate([probabilities, scorer.probabilities(rest.features[others])]),
    )


def refit_model(data: Dataset, made: Made, recipe: Recipe) -> Made:
    """Fit again on all rows, resampled as before; calibration and thresholds stay those that were measured."""
    # A curve that was fitted on scores of one kind of rows says nothing about the other.
    alike = replace(recipe, use_smote=made.is_resampled)
    learning = rows_to_learn(data, np.arange(len(data)), alike)
    native, onnx, comparison = _fit(learning, data.features, recipe)
    check_flips(comparison, made.calibration, (made.decision_threshold, made.alert_threshold))
    return replace(
        made,
        native=native,
        onnx=onnx,
        parity=comparison.difference,
        scorer=Scorer(onnx, made.calibration, threads=THREADS),
        is_resampled=learning.is_resampled,
        notices=(*made.notices, *learning.notices),
    )


def days_of(timestamp: Ints) -> float:
    """Give the days between the first and the last row."""
    return float(np.ptp(timestamp)) / _DAY_US if len(timestamp) else 0.0


def _fit(learning: Learning, checked: Features, recipe: Recipe) -> tuple[Any, bytes, Comparison]:
    native = fit_model(
        learning.features,
        learning.answers,
        model_type=recipe.model_type,
        parameters=recipe.parameters,
        random_state=recipe.random_state,
    )
    onnx = find_kind(recipe.model_type).export(native, checked.shape[1])
    return native, onnx, check_parity(native, onnx, checked, random_state=recipe.random_state)
