"""The first steps of a job, taken without fitting anything, to tell how it would end."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import ParamSpec, TypeVar

import numpy as np

from shared.coin_metrics.load import ColumnsMissing, TrainingRows
from shared.coin_metrics.read import microseconds, moment
from shared.coin_metrics.rows import Bools
from shared.contracts.model_request import TuneModel
from shared.contracts.preflight import Parts, PreflightReport
from shared.contracts.training import Warned
from shared.errors import JobFailed
from shared.features import Notice
from shared.labels import Readings, TimeTarget
from training_service.ml.dataset import LabelledRows, OneAnswer, notice_empty, refuse_one_answer
from training_service.ml.divide import divide
from training_service.ml.estimate import Estimate, Workload, estimate
from training_service.ml.fold_refusals import refuse_folds
from training_service.ml.imbalance import imbalance_notices
from training_service.ml.missing import Missing, companions, count_missing
from training_service.ml.resample import RARE
from training_service.ml.split import Split
from training_service.usecases.doubts import few_notices, window_notices
from training_service.usecases.prepare import label_loaded, load_presence, sample_notices
from training_service.usecases.resolve import Resolved

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class _Findings:
    """What the steps have found so far."""

    notices: list[Notice]
    errors: list[str] = field(default_factory=list)
    missing_columns: tuple[str, ...] = ()
    loaded: TrainingRows | None = None
    labelled: LabelledRows | None = None
    missing: Missing | None = None
    one_answer: OneAnswer | None = None
    split: Split | None = None

    def attempt(self, step: Callable[P, T], *given: P.args, **named: P.kwargs) -> T | None:
        """Take a step of the job; note the sentence with which the job would end there."""
        try:
            return step(*given, **named)
        except JobFailed as error:
            self.errors.append(error.message)
            if isinstance(error, ColumnsMissing):
                self.missing_columns = error.columns
            if isinstance(error, OneAnswer):
                self.one_answer = error
            return None


def inspect(request: Resolved, *, dsn: str, max_rows: int, patience_seconds: float) -> PreflightReport:
    """Load, label, look at the features and divide, as the job does, and report."""
    found = _Findings(notices=[*request.notices])
    loaded = found.attempt(_load, request, dsn=dsn, max_rows=max_rows, patience_seconds=patience_seconds)
    if loaded is not None:
        found.loaded = loaded
        found.notices += [*sample_notices(loaded), *window_notices(request.asked, request.spec, loaded)]
        labelled = found.attempt(label_loaded, loaded, request.asked, request.target)
        if labelled is not None:
            _judge(found, request, labelled, odd=loaded.odd)
    return _report(found, request)


def _load(request: Resolved, *, dsn: str, max_rows: int, patience_seconds: float) -> TrainingRows:
    """Read what tells which features are missing; of odd columns, and those beside them, the numbers too."""
    deadline, odd = time.monotonic() + patience_seconds, frozenset[str]()
    while True:
        loaded = load_presence(
            request.asked,
            request.spec,
            request.target,
            dsn=dsn,
            max_rows=max_rows,
            patience_seconds=deadline - time.monotonic(),
            numbers=companions(odd, request.spec),
        )
        # Another one may have become odd between two looks.
        if not loaded.odd:
            return replace(loaded, odd=odd)
        odd |= loaded.odd


def _judge(found: _Findings, request: Resolved, labelled: LabelledRows, *, odd: frozenset[str]) -> None:
    """Go on from labelled rows; each step is taken even when the one before would end the job, where it can be."""
    asked, spec = request.asked, request.spec
    found.labelled = labelled
    found.attempt(refuse_one_answer, labelled, test_size=asked.test_size)
    has_both = not found.errors
    columns = tuple(dict.fromkeys((*spec.base_columns, request.target.target_var)))
    found.missing = count_missing(labelled, spec, columns, odd=odd)
    empty = found.attempt(notice_empty, spec.names, found.missing.empty) if labelled.readings.resolved else ()
    answered = labelled.answered()
    coins, readings = len(np.unique(answered.coin)), answered.readings
    few = few_notices(rows=len(answered), positives=readings.positives, coins=coins)
    found.notices += [*(empty or ()), *answered.notices, *few]
    if labelled.readings.base_rate is not None:
        found.notices += imbalance_notices(labelled.readings.base_rate)
    if has_both:
        horizon_us = request.target.horizon if isinstance(request.target, TimeTarget) else 0
        found.split = found.attempt(divide, answered, test_size=asked.test_size, horizon_us=horizon_us)
    if found.split is not None:
        found.attempt(
            refuse_folds,
            answered,
            found.split,
            folds=asked.cv_splits,
            trials=asked.trials if isinstance(asked, TuneModel) else 0,
            validates=asked.use_timeseries_split,
            resamples=asked.use_smote and asked.on_resample_error == "fail",
            horizon_us=horizon_us,
        )


def _report(found: _Findings, request: Resolved) -> PreflightReport:
    readings = None if found.labelled is None else found.labelled.readings
    loaded, split, expected = found.loaded, found.split, _estimated(found, request)
    return PreflightReport(
        ok=not found.errors,
        rows=readings and readings.rows,
        coins=found.labelled and len(np.unique(found.labelled.rows.coin[found.labelled.chosen])),
        resolved=readings and readings.resolved,
        unresolved=readings and readings.rows - readings.resolved,
        unresolved_by_reason={} if readings is None else readings.unresolved,
        resolved_without_observation=readings and readings.resolved_without_observation,
        positives=readings and readings.positives,
        base_rate=readings and readings.base_rate,
        base_rate_recording=readings and readings.recording_rate,
        base_rate_observed=readings and readings.observed_rate,
        nearest_threshold=found.one_answer and found.one_answer.nearest,
        workable_threshold=found.one_answer and found.one_answer.workable,
        parts=split
        and Parts(
            fit=len(split.fit),
            calibration=len(split.calibration),
            holdout=len(split.holdout),
            purged=split.purged,
        ),
        history_rows=loaded and int(np.count_nonzero(_before(request, loaded))),
        recording_clock=loaded and moment(loaded.clock_us),
        missing_columns=list(found.missing_columns),
        null_share={} if found.missing is None else dict(found.missing.share),
        warnings=[Warned(code=notice.code, message=notice.message) for notice in found.notices],
        errors=found.errors,
        estimated_seconds=expected and round(expected.seconds, 1),
        estimated_bytes=expected and expected.bytes,
    )


def _estimated(found: _Findings, request: Resolved) -> Estimate | None:
    if found.labelled is None or found.loaded is None or found.errors:
        return None
    asked = request.asked
    return estimate(
        Workload(
            model_type=request.kind.name,
            params=request.params,
            loaded_rows=len(found.loaded.rows),
            rows=found.labelled.readings.resolved,
            features=len(request.spec.names),
            columns=len(request.spec.base_columns),
            folds=asked.cv_splits if asked.use_timeseries_split else 0,
            cv_splits=asked.cv_splits,
            trials=asked.trials if isinstance(asked, TuneModel) else 0,
            fits=2 if asked.refit else 1,
            rare=_rare(found.labelled.readings) if asked.use_smote else 0,
        )
    )


def _rare(readings: Readings) -> int:
    """Give the rows of an answer that is rare enough to be resampled."""
    fewer = min(readings.positives, readings.resolved - readings.positives)
    return fewer if fewer < RARE * readings.resolved else 0


def _before(request: Resolved, loaded: TrainingRows) -> Bools:
    return loaded.rows.timestamp < microseconds(request.asked.train_start)
