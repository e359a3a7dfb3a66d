"""The rows of a test window as a model sees them: features, answers and scores, with no row learnt from."""

from dataclasses import dataclass

import numpy as np

from shared.artifact import Scorer
from shared.coin_metrics.rows import Bools, CoinRows, Ints
from shared.errors import JobFailed
from shared.features import FeatureSpec, Notice, build
from shared.labels import Readings, Target, label
from training_service.ml.figures import Scored


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a model looks at and answers, as its file says."""

    spec: FeatureSpec
    target: Target
    phases: tuple[int, ...] | None
    horizon_us: int
    """0 for a rule on the row itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Rows of a window with what comes before and after it."""

    rows: CoinRows
    """Each (coin, timestamp) once, sorted by coin and time; every coin has a row in the window."""
    in_window: Bools
    position: Ints
    """int64[n]: which of the rows that were read each one is."""
    last_seen: Ints
    """int64[coins], newest timestamp of each coin in the whole table, microseconds."""
    clock_us: int
    """The recording clock."""
    untracked_phases: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The rows of a window that a model is asked about and whose answer is known."""

    scored: Scored
    position: Ints
    """int64[n], rising: which of the rows that were read each one is."""
    readings: Readings
    notices: tuple[Notice, ...]


def narrow(stretch: Stretch, question: Question) -> Stretch:
    """Leave only the rows that would have been read for this question alone.

    Rows read for the longer history or horizon of another one could tell more of a coin than this model may know: that
    it left tracking, say.
    """
    rows, inside = stretch.rows, stretch.in_window
    moments = rows.timestamp[inside]
    before = rows.timestamp < moments.min()
    until = moments.max() + question.horizon_us
    first = np.searchsorted(rows.coin, np.arange(len(rows.mints)))
    # Rows before the window come first of each coin; the history needed are the last of them.
    older = np.bincount(rows.coin[before], minlength=len(rows.mints))
    rank = np.arange(len(rows)) - first[rows.coin]
    kept = np.where(before, older[rows.coin] - rank < question.spec.history_needed(), rows.timestamp <= until)
    if kept.all():
        return stretch
    return Stretch(
        rows=rows.take(kept),
        in_window=inside[kept],
        position=stretch.position[kept],
        last_seen=stretch.last_seen,
        clock_us=stretch.clock_us,
        untracked_phases=stretch.untracked_phases,
    )


def answer(stretch: Stretch, question: Question, scorer: Scorer) -> Answered:
    """Score the rows of the window and phases whose answer is known; features may be missing everywhere.

    Raises:
        JobFailed: no such row is left.

    """
    rows, spec = stretch.rows, question.spec
    labels = label(
        rows,
        question.target,
        clock=stretch.clock_us,
        untracked_phases=stretch.untracked_phases,
        last_seen=stretch.last_seen,
    )
    chosen = stretch.in_window
    if question.phases is not None:
        chosen = chosen & np.isin(rows.phase, question.phases)
    if not chosen.any():
        raise JobFailed(
            f"none of the {int(stretch.in_window.sum())} rows of the window lies in the phases of the model, "
            f"{list(question.phases or ())}: take another window"
        )
    readings = labels.readings(chosen)
    kept = np.flatnonzero(chosen & ~np.isnan(labels.values))
    if not len(kept):
        reasons = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in readings.unresolved.items())
        raise JobFailed(
            f"none of the {readings.rows} rows of the window has a known answer ({reasons}): take an earlier window, "
            "or wait until the horizon has passed"
        )
    features = build(rows, spec)[kept]
    empty = np.all(np.isnan(features), axis=0)
    notices = [
        Notice(
            code="all_null_feature",
            message=f"{name} is missing in every row of the window: the model is asked without it",
        )
        for name, gone in zip(spec.names, empty.tolist(), strict=True)
        if gone
    ]
    reserves = rows.values.get("virtual_sol_reserves", np.full(len(rows), np.nan))
    scores = scorer.scores(np.ascontiguousarray(features))
    return Answered(
        scored=Scored(
            scores=scores,
            probabilities=scorer.calibrated(scores),
            answers=labels.values[kept].astype(np.int8),
            timestamp=rows.timestamp[kept],
            coin=rows.coin[kept],
            change_pct=labels.change_pct[kept],
            reserves_sol=reserves[kept],
        ),
        position=stretch.position[kept],
        readings=readings,
        notices=tuple(notices),
    )


def shared_rows(answered: list[Answered]) -> list[Scored]:
    """Give what each model said of the rows that all of them answered, in one order."""
    common = answered[0].position
    for other in answered[1:]:
        common = np.intersect1d(common, other.position, assume_unique=True)
    return [_at(one.scored, np.searchsorted(one.position, common)) for one in answered]


def _at(scored: Scored, index: Ints) -> Scored:
    return Scored(
        scores=scored.scores[index],
        probabilities=scored.probabilities[index],
        answers=scored.answers[index],
        timestamp=scored.timestamp[index],
        coin=scored.coin[index],
        change_pct=scored.change_pct[index],
        reserves_sol=scored.reserves_sol[index],
    )
