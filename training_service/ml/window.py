"""The rows of a test window as a model sees them: features, answers and scores, with no row learnt from."""

from dataclasses import dataclass

import numpy as np

from shared.artifact import Scorer
from shared.coin_metrics.rows import Bools, CoinRows, Ints
from shared.errors import JobFailed
from shared.features import FeatureSpec, Notice, build
from shared.labels import Readings, Target
from training_service.ml.dataset import label_rows
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
class Replies:
    """What a model says of the rows of a window whose answer is known."""

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


def answer(stretch: Stretch, question: Question, scorer: Scorer) -> Replies:
    """Score the rows of the window and phases whose answer is known; features may be missing everywhere.

    Raises:
        JobFailed: no such row is left.

    """
    rows, spec = stretch.rows, question.spec
    labelled = label_rows(
        rows,
        stretch.in_window,
        target=question.target,
        phases=question.phases,
        clock_us=stretch.clock_us,
        last_seen=stretch.last_seen,
        untracked_phases=stretch.untracked_phases,
    )
    readings = labelled.readings
    if readings.resolved == 0:
        reasons = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in readings.unresolved.items())
        raise JobFailed(
            f"none of the {readings.rows} rows of the window has a known answer ({reasons}): take an earlier window, "
            "or wait until the horizon has passed"
        )
    known = labelled.answered()
    features = np.ascontiguousarray(build(rows, spec)[known.position])
    empty: list[bool] = np.all(np.isnan(features), axis=0).tolist()
    scores = scorer.scores(features)
    return Replies(
        scored=Scored(
            scores=scores,
            probabilities=scorer.calibrated(scores),
            answers=known.answers,
            timestamp=known.timestamp,
            coin=known.coin,
            change_pct=known.change_pct,
            reserves_sol=known.reserves_sol,
        ),
        position=stretch.position[known.position],
        readings=readings,
        notices=(*known.notices, *(_missing(name) for name, gone in zip(spec.names, empty, strict=True) if gone)),
    )


def shared_rows(replies: list[Replies]) -> list[Scored]:
    """Give what each model said of the rows that all of them answered, in one order."""
    common = replies[0].position
    for other in replies[1:]:
        common = np.intersect1d(common, other.position, assume_unique=True)
    return [_at(one.scored, np.searchsorted(one.position, common)) for one in replies]


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


def _missing(name: str) -> Notice:
    return Notice(
        code="all_null_feature", message=f"{name} is missing in every row of the window: the model is asked without it"
    )
