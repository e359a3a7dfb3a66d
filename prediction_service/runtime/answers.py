"""Answers of all models to a batch of rows."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prediction_service.runtime.admission import Admitted
from prediction_service.runtime.models import LoadedModel
from prediction_service.runtime.position import Interval, owed
from shared.coin_metrics.read import Batch, Histories
from shared.coin_metrics.rows import Bools, Floats, Ints
from shared.features import build_last


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveModel:
    """An active model: what it answers, and with what."""

    active_id: int
    model_id: int
    loaded: LoadedModel
    alert_threshold: float
    phases: frozenset[int] | None
    """Phases whose rows are answered; None: all."""
    coins: frozenset[str] | None
    """Coins that are answered; None: all."""
    intervals: tuple[Interval, ...]
    """When it was active, in positions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """One model's answers."""

    model: LiveModel
    rows: Ints
    """Indexes into the batch."""
    probability: Floats
    prediction: Bools
    alert: Bools


def count_owed(models: Sequence[LiveModel], rows: Batch) -> tuple[int, int]:
    """Count the rows that are owed any answer, and the answers: one per row and model active when it committed."""
    by_any, answers = np.zeros(len(rows), np.bool_), 0
    for model in models:
        by_it = owed(model.intervals, rows.id)
        by_any |= by_it
        answers += int(by_it.sum())
    return int(by_any.sum()), answers


def answer(
    models: Sequence[LiveModel],
    admitted: Admitted,
    histories: Histories,
    *,
    columns: tuple[str, ...],
    known: set[tuple[int, int]],
) -> tuple[list[Answers], Counter[str]]:
    """Let every model answer the admitted rows it owes; `known` holds (active id, row index) already answered.

    The histories end with the rows themselves, their last axis follows `columns`. Also gives how many answers were left
    out, by reason.
    """
    results: list[Answers] = []
    skipped: Counter[str] = Counter()
    features: dict[tuple[str, ...], NDArray[np.float32]] = {}
    for model in models:
        chosen = _choose(model, admitted, known, skipped)
        if len(chosen) == 0:
            continue
        names = model.loaded.spec.names
        if names not in features:
            spec = model.loaded.spec
            picked = [columns.index(column) for column in spec.base_columns]
            values = histories.values if picked == list(range(len(columns))) else histories.values[:, :, picked]
            # Models with the same features share them.
            features[names] = build_last(values, histories.timestamp, histories.count, spec)
        probability = model.loaded.scorer.probabilities(features[names][chosen])
        scored = ~np.isnan(probability)
        if not scored.all():
            # Only a foreign model does this; its row must not hold up those of all others.
            skipped["no_score"] += int((~scored).sum())
            chosen, probability = chosen[scored], probability[scored]
        results.append(
            Answers(
                model=model,
                rows=chosen,
                probability=probability,
                prediction=probability >= model.loaded.manifest.decision_threshold,
                alert=probability >= model.alert_threshold,
            )
        )
    return results, skipped


def _choose(model: LiveModel, admitted: Admitted, known: set[tuple[int, int]], skipped: Counter[str]) -> Ints:
    rows = admitted.rows
    wanted = owed(model.intervals, rows.id)
    if len(admitted.repeats):
        # A row that was owed stays owed when what repeats it is not.
        repeated = admitted.counted[owed(model.intervals, admitted.repeats.id)]
        before = int(wanted.sum())
        wanted[repeated] = True
        skipped["duplicate"] += before + len(repeated) - int(wanted.sum())
    if known:
        answered = wanted & np.array([(model.active_id, index) in known for index in range(len(rows))], np.bool_)
        skipped["duplicate"] += int(answered.sum())
        wanted &= ~answered
    if model.phases is not None:
        other = wanted & ~np.isin(rows.phase, list(model.phases))
        skipped["phase"] += int(other.sum())
        wanted &= ~other
    if model.coins is not None:
        other = wanted & ~np.array([mint in model.coins for mint in rows.mint], np.bool_)
        skipped["coin_filter"] += int(other.sum())
        wanted &= ~other
    return np.flatnonzero(wanted)
