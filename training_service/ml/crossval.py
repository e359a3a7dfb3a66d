"""Walk-forward cross-validation: how a model made in the same way did at earlier moments."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from shared.coin_metrics.rows import Floats
from shared.errors import JobFailed
from shared.scoring import average_precision, confusion
from training_service.ml.dataset import Answered, Dataset
from training_service.ml.fit import Answers, fit_model, native_scores
from training_service.ml.in_place import rows_of
from training_service.ml.model import Learning, Recipe, refuse_rows, rows_to_learn
from training_service.ml.split import Cut, Index, walk_forward

NAMES = ("accuracy", "f1", "precision", "recall", "average_precision")
CUT = 0.5  # folds have no slice to choose a threshold on

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """A past to learn from and the stretch that follows it."""

    number: int
    """1 is the oldest."""
    folds: int
    """How many can be learnt from."""
    cut: Cut


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossValidation:
    """Scores of the folds, oldest first."""

    scores: dict[str, Any]
    """`folds`; `train_rows`, `test_rows`, `train_<name>`, `test_<name>`: one number a fold, None without a meaning."""
    overfitting_gap: float
    """Mean accuracy on what was learnt minus mean accuracy on what followed."""


def cross_validate(
    data: Dataset,
    rows: Index,
    recipe: Recipe,
    *,
    folds: int,
    horizon_us: int,
    tell: Callable[[dict[str, Any]], None] | None = None,
) -> CrossValidation | None:
    """Fit and score each fold, purged by the horizon; None when no fold has both answers to learn from.

    Args:
        data: the rows.
        rows: those to divide into folds; only what a fold learns from is ever resampled.
        recipe: how each model is made.
        folds: how many.
        horizon_us: how far a label looks ahead, microseconds.
        tell: is given each fold as soon as it is scored: `fold`, `folds`, `train_start`, `train_end`, `test_start`,
            `test_end` (RFC 3339, UTC), `train_rows`, `test_rows`, `purged`, `train_<name>`, `test_<name>`.

    Raises:
        JobFailed: a fold cannot be resampled, and the recipe does not allow to go on.

    """
    told: list[dict[str, Any]] = []
    for fold in learnable_folds(data, rows, folds=folds, horizon_us=horizon_us):
        told.append(_span(fold, data) | _fit_and_score(fold, data, recipe))
        if tell is not None:
            tell(told[-1])
    if not told:
        return None
    scores: dict[str, Any] = {"folds": len(told)}
    columns = ["train_rows", "test_rows", *(f"{side}_{name}" for side in ("train", "test") for name in NAMES)]
    scores |= {column: [one[column] for one in told] for column in columns}
    gap = float(np.mean(scores["train_accuracy"]) - np.mean(scores["test_accuracy"]))
    return CrossValidation(scores=scores, overfitting_gap=gap)


def learnable_folds(data: Answered, rows: Index, *, folds: int, horizon_us: int) -> Sequence[Fold]:
    """Give the folds whose past holds both answers."""
    cuts = walk_forward(data.timestamp, rows, folds=folds, horizon_us=horizon_us)
    mixed = [cut for cut in cuts if 0 < data.answers[cut.before].sum() < len(cut.before)]
    return [Fold(number=number, folds=len(mixed), cut=cut) for number, cut in enumerate(mixed, start=1)]


def fold_to_learn(fold: Fold, data: Dataset, recipe: Recipe) -> Learning:
    """Give the rows that a fold learns from, resampled when the recipe says so."""
    try:
        return rows_to_learn(data, fold.cut.before, recipe)
    except JobFailed as error:
        raise _of_fold(fold, error) from error


def refuse_fold(fold: Fold, answers: Answers) -> None:
    """Raise the JobFailed with which a fold would end that is resampled."""
    try:
        refuse_rows(answers[fold.cut.before])
    except JobFailed as error:
        raise _of_fold(fold, error) from error


def _of_fold(fold: Fold, error: JobFailed) -> JobFailed:
    return JobFailed(f"fold {fold.number} of {fold.folds} of the cross-validation: {error}, or fewer cv_splits")


def _fit_and_score(fold: Fold, data: Dataset, recipe: Recipe) -> dict[str, float | None]:
    learning = fold_to_learn(fold, data, recipe)
    native = fit_model(
        learning.features,
        learning.answers,
        model_type=recipe.model_type,
        parameters=recipe.parameters,
        random_state=recipe.random_state,
    )
    scores: dict[str, float | None] = {}
    # What was learnt is scored on the rows as they were, beside which the other side can stand.
    for side, rows in (("train", fold.cut.before), ("test", fold.cut.after)):
        found = _score(native_scores(native, rows_of(data.features, rows)), data.answers[rows])
        scores |= {f"{side}_{name}": found[name] for name in NAMES}
    return scores


def _span(fold: Fold, data: Dataset) -> dict[str, int | str]:
    before, after = data.timestamp[fold.cut.before], data.timestamp[fold.cut.after]
    return {
        "fold": fold.number,
        "folds": fold.folds,
        "train_start": _rfc3339(before.min()),
        "train_end": _rfc3339(before.max()),
        "test_start": _rfc3339(after.min()),
        "test_end": _rfc3339(after.max()),
        "train_rows": len(before),
        "test_rows": len(after),
        "purged": fold.cut.purged,
    }


def _rfc3339(moment_us: np.int64) -> str:
    return (_EPOCH + timedelta(microseconds=int(moment_us))).isoformat().replace("+00:00", "Z")


def _score(scores: Floats, answers: Answers) -> dict[str, float | None]:
    counts = confusion(np.round(scores, 6), answers, CUT)
    return {
        "accuracy": counts.accuracy,
        "f1": counts.f1,
        "precision": counts.precision,
        "recall": counts.recall,
        "average_precision": average_precision(scores, answers),
    }
