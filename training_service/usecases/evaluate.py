"""Measure models on rows they were not made of, with their files, as they are served."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any

import numpy as np

from shared.errors import JobFailed
from shared.features import Notice
from training_service.ml.figures import Figures, measure
from training_service.ml.overlap import find_overlap, short_window
from training_service.ml.verdict import judge
from training_service.ml.window import Replies, Stretch, answer, narrow, shared_rows
from training_service.usecases.comparison import Entrant, rank_models
from training_service.usecases.jobs import to_warnings
from training_service.usecases.measured_model import Opened, open_model, read_stretch
from training_service.usecases.steps import Report
from training_service.usecases.task import Compared, CompareTask, Step, Tested, TestTask

_OVERFITTED = 0.1
_DAY = timedelta(days=1)


def measure_model(task: TestTask, report: Report) -> Tested:
    """Measure one model on a window."""

    def tell(progress: float, message: str) -> None:
        report(Step(progress=progress, message=message))

    tell(0.02, "open: reading the model file")
    opened = open_model(task.model)
    tell(0.05, "load: reading coin_metrics")
    stretch = read_stretch(task, [opened])
    tell(0.5, f"answer: {int(stretch.in_window.sum())} rows of the window")
    replies = answer(stretch, opened.question, opened.scorer)
    tell(0.8, f"evaluate: the answers of {replies.readings.resolved} rows are known")
    return _tested(task, opened, replies)


def compare_models(task: CompareTask, report: Report) -> Compared:
    """Measure several models on the same rows."""

    def tell(progress: float, message: str) -> None:
        report(Step(progress=progress, message=message))

    tell(0.02, f"open: reading {len(task.models)} model files")
    opened = [open_model(model) for model in task.models]
    tell(0.05, "load: reading coin_metrics")
    stretch = read_stretch(task, opened)
    replies, tests = [], []
    for number, one in enumerate(opened):
        progress = 0.4 + 0.4 * number / len(opened)
        tell(progress, f"answer: model {one.model.model_id}, {int(stretch.in_window.sum())} rows of the window")
        replies.append(_answer_for(one, stretch))
        tests.append(_tested(task, one, replies[-1]))
    common = shared_rows(replies)
    shared_answers = int(np.count_nonzero(common[0].is_answered))
    if not shared_answers:
        counts = ", ".join(
            f"{own.readings.resolved} of model {one.model.model_id}" for one, own in zip(opened, replies, strict=True)
        )
        raise JobFailed(
            f"the models share no row of the window whose answer is known ({counts}): take a longer window, or models "
            "of the same phases"
        )
    tell(0.85, f"compare: {shared_answers} answered rows that all models share")
    entrants = [
        Entrant(opened=one, rows=own.readings.resolved, scored=shared, overlap_note=tested.overlap_note)
        for one, own, shared, tested in zip(opened, replies, common, tests, strict=True)
    ]
    found = rank_models(entrants)
    short = short_window(task.test_start, task.test_end)
    notices = [*found.notices, *([Notice(code="short_test", message=short)] if short is not None else [])]
    return Compared(
        tests=tuple(tests), winner_id=found.winner_id, results=found.results, warnings=tuple(to_warnings(notices))
    )


def _answer_for(opened: Opened, stretch: Stretch) -> Replies:
    try:
        return answer(narrow(stretch, opened.question), opened.question, opened.scorer)
    except JobFailed as error:
        raise JobFailed(f"model {opened.model.model_id}: {error.message}") from error


def _tested(task: TestTask | CompareTask, opened: Opened, replies: Replies) -> Tested:
    model, manifest = opened.model, opened.manifest
    figures = measure(
        replies.scored,
        decision_threshold=manifest.decision_threshold,
        alert_threshold=manifest.alert_threshold,
        target=opened.question.target,
        costs=opened.costs,
        random_state=opened.random_state,
    )
    decision = figures.decision
    lost = _loss(model.train_accuracy, decision.accuracy)
    overlap = find_overlap(
        train_start=model.train_start,
        train_end=model.train_end,
        horizon=timedelta(microseconds=opened.question.horizon_us),
        test_start=task.test_start,
        test_end=task.test_end,
    )
    return Tested(
        model_id=model.model_id,
        test_start=task.test_start,
        test_end=task.test_end,
        accuracy=decision.accuracy,
        f1_score=decision.f1,
        precision_score=decision.precision,
        recall=decision.recall,
        roc_auc=figures.roc_auc,
        mcc=decision.mcc,
        fpr=decision.fpr,
        fnr=decision.fnr,
        simulated_profit_pct=figures.simulated_profit_pct,
        expected_value_pct=figures.expected_value_pct,
        confusion_matrix=asdict(decision),
        **asdict(decision),
        num_samples=decision.rows,
        num_positive=decision.tp + decision.fn,
        num_negative=decision.tn + decision.fp,
        has_overlap=overlap is not None,
        overlap_note=overlap,
        train_accuracy=model.train_accuracy,
        train_f1=model.train_f1,
        train_precision=model.train_precision,
        train_recall=model.train_recall,
        accuracy_degradation=lost,
        f1_degradation=_loss(model.train_f1, decision.f1),
        is_overfitted=None if lost is None else lost > _OVERFITTED,
        test_duration_days=(task.test_end - task.test_start) / _DAY,
        metrics=_metrics(figures, replies),
        warnings=tuple(to_warnings(_notices(task, opened, replies, figures, lost=lost, overlap=overlap))),
    )


def _metrics(figures: Figures, replies: Replies) -> dict[str, Any]:
    readings = replies.readings
    return {
        **figures.to_metrics(),
        "precision_recall_curve": [asdict(point) for point in figures.precision_recall],
        "roc_curve": [asdict(point) for point in figures.roc],
        "calibration_bins_uncalibrated": [asdict(part) for part in figures.bins_uncalibrated],
        "periods": [asdict(period) for period in figures.periods],
        "labels": {**asdict(readings), "base_rate": readings.base_rate},
        "counts": {
            "rows": readings.rows,
            "resolved": readings.resolved,
            "unresolved": readings.rows - readings.resolved,
            "coins": len(np.unique(replies.scored.answered().coin)),
        },
    }


def _notices(
    task: TestTask | CompareTask, opened: Opened, replies: Replies, figures: Figures, *, lost: float | None,
    overlap: str | None,
) -> list[Notice]:  # fmt: skip
    notices = [*replies.notices]
    short = short_window(task.test_start, task.test_end)
    if short is not None:
        notices.append(Notice(code="short_test", message=short))
    if overlap is not None:
        notices.append(Notice(code="overlap", message=overlap))
    if lost is not None and lost > _OVERFITTED:
        message = f"accuracy is {lost:.3f} lower than training said: the model does not hold on these rows"
        notices.append(Notice(code="overfitting", message=message))
    base_rate = replies.readings.base_rate or 0.0
    return [*notices, *judge(figures, base_rate=base_rate, target=opened.question.target, where="window")]


def _loss(before: float | None, now: float | None) -> float | None:
    return None if before is None or now is None else before - now
