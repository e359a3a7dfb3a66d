"""The rows of a test window as a model sees them: features, answers and scores, with no row learnt from."""

from dataclasses import dataclass, replace

import numpy as np

from shared.artifact import Scorer
from shared.coin_metrics.rows import Bools, CoinRows, Ints
from shared.errors import JobFailed
from shared.features import FeatureSpec, Notice, build
from shared.labels import Readings, Target
from training_service.ml.dataset import label_rows
from training_service.ml.in_place import divide_in_place
from training_service.ml.scored import UNKNOWN, Scored


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
    """What a model says of the rows of a window."""

    scored: Scored
    """Those without an answer too: live, alerts come of them as well."""
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
    """Score the rows of the window and phases; features may be missing everywhere.

    Raises:
        JobFailed: the answer of none of them is known.

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
    chosen, labels = np.flatnonzero(labelled.chosen), labelled.labels
    features, _ = divide_in_place(build(rows, spec), chosen, np.zeros(0, np.int64))
    empty: list[bool] = [bool(np.isnan(features[:, at]).all()) for at in range(features.shape[1])]
    scores = scorer.scores(features)
    values = labels.values[chosen]
    return Replies(
        scored=Scored(
            scores=scores,
            probabilities=scorer.calibrated(scores),
            answers=np.where(np.isnan(values), UNKNOWN, values).astype(np.int8),
            timestamp=rows.timestamp[chosen],
            coin=rows.coin[chosen],
            change_pct=labels.change_pct[chosen],
            reserves_sol=labelled.reserves_sol[chosen],
            observed=labels.observed[chosen],
        ),
        position=stretch.position[chosen],
        readings=readings,
        notices=(
            *labelled.answered().notices,
            *(_missing(name) for name, gone in zip(spec.names, empty, strict=True) if gone),
        ),
    )


def shared_rows(replies: list[Replies]) -> list[Scored]:
    """Give what each model said of the rows that all of them scored, in one order.

    An answer is there where it is known for all models.
    """
    common = replies[0].position
    for other in replies[1:]:
        common = np.intersect1d(common, other.position, assume_unique=True)
    found = [one.scored.take(np.searchsorted(one.position, common)) for one in replies]
    answered = np.all([one.is_answered for one in found], axis=0)
    return [replace(one, answers=np.where(answered, one.answers, np.int8(UNKNOWN))) for one in found]


def _missing(name: str) -> Notice:
    return Notice(
        code="all_null_feature", message=f"{name} is missing in every row of the window: the model is asked without it"
    )
