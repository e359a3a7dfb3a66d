"""Answers of all models to a batch of rows."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from prediction_service.runtime.admission import Admitted
from prediction_service.runtime.models import LoadedModel
from prediction_service.runtime.position import Interval, owed
from shared.coin_metrics.read import Batch, Histories
from shared.coin_metrics.rows import Bools, Floats, Ints
from shared.errors import Invalid
from shared.features import FeatureSpec, build_last


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
    features: dict[FeatureSpec, NDArray[np.float32]] = {}
    plan = _together(tuple(dict.fromkeys(model.loaded.spec.names for model in models)))
    for model in models:
        chosen = _choose(model, admitted, known, skipped)
        if len(chosen) == 0:
            continue
        spec, at = plan[model.loaded.spec.names]
        if spec not in features:
            picked = [columns.index(column) for column in spec.base_columns]
            values = histories.values if picked == list(range(len(columns))) else histories.values[:, :, picked]
            features[spec] = build_last(values, histories.timestamp, histories.count, spec)
        own = features[spec] if at is None else features[spec].take(at, axis=1)
        probability = model.loaded.scorer.probabilities(own if len(chosen) == len(own) else own[chosen])
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


@lru_cache(maxsize=8)
def _together(asked: tuple[tuple[str, ...], ...]) -> dict[tuple[str, ...], tuple[FeatureSpec, Ints | None]]:
    """Give for each list of features the one to compute for as many models as go together, and its columns there."""
    sets: list[FeatureSpec] = []
    place: dict[tuple[str, ...], int] = {}
    for names in asked:
        for number, known in enumerate(sets):
            try:
                sets[number] = FeatureSpec((*known.names, *(name for name in names if name not in known.names)))
            except Invalid:
                # All windows of both would be more than one list may have.
                continue
            place[names] = number
            break
        else:
            place[names] = len(sets)
            sets.append(FeatureSpec(names))
    plan: dict[tuple[str, ...], tuple[FeatureSpec, Ints | None]] = {}
    for names, number in place.items():
        whole = sets[number]
        at = None if whole.names == names else np.array([whole.names.index(name) for name in names], np.int64)
        plan[names] = whole, at
    return plan


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
