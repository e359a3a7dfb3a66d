"""Walk-forward cross-validation: how a model made in the same way did at earlier moments."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from shared.coin_metrics.rows import Floats
from shared.scoring import average_precision, confusion
from training_service.ml.dataset import Dataset
from training_service.ml.fit import Answers, fit_model, native_scores
from training_service.ml.model import Recipe
from training_service.ml.split import Index, walk_forward

NAMES = ("accuracy", "f1", "precision", "recall", "average_precision")
CUT = 0.5  # folds have no slice to choose a threshold on


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossValidation:
    """Scores of the folds, oldest first."""

    scores: dict[str, Any]
    """`folds`; `train_rows`, `test_rows`, `train_<name>`, `test_<name>`: one number a fold, None without a meaning."""
    overfitting_gap: float
    """Mean accuracy on what was learnt minus mean accuracy on what followed."""


def cross_validate(
    data: Dataset, rows: Index, recipe: Recipe, *, folds: int, horizon_us: int
) -> CrossValidation | None:
    """Fit and score each fold, purged by the horizon; None when no fold has both answers to learn from."""
    learnt: list[dict[str, float | None]] = []
    followed: list[dict[str, float | None]] = []
    sizes: list[tuple[int, int]] = []
    for cut in walk_forward(data.timestamp, rows, folds=folds, horizon_us=horizon_us):
        answers = data.answers[cut.before]
        if not 0 < answers.sum() < len(answers):
            continue
        native = fit_model(
            data.features[cut.before],
            answers,
            model_type=recipe.model_type,
            parameters=recipe.parameters,
            random_state=recipe.random_state,
        )
        learnt.append(_score(native_scores(native, data.features[cut.before]), answers))
        followed.append(_score(native_scores(native, data.features[cut.after]), data.answers[cut.after]))
        sizes.append((len(cut.before), len(cut.after)))
    if not sizes:
        return None
    scores: dict[str, Any] = {"folds": len(sizes)}
    scores["train_rows"], scores["test_rows"] = map(list, zip(*sizes, strict=True))
    for side, parts in (("train", learnt), ("test", followed)):
        scores |= {f"{side}_{name}": [part[name] for part in parts] for name in NAMES}
    gap = float(np.mean(scores["train_accuracy"]) - np.mean(scores["test_accuracy"]))
    return CrossValidation(scores=scores, overfitting_gap=gap)


def _score(scores: Floats, answers: Answers) -> dict[str, float | None]:
    counts = confusion(np.round(scores, 6), answers, CUT)
    return {
        "accuracy": counts.accuracy,
        "f1": counts.f1,
        "precision": counts.precision,
        "recall": counts.recall,
        "average_precision": average_precision(scores, answers),
    }
