"""What became of predictions: each beside the answer that the label rule of its own model gives."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shared.coin_metrics.rows import Bools, CoinRows, Floats, Ints
from shared.labels import RuleTarget, Target, label, reach

OUTCOMES = ("tp", "fp", "tn", "fn", "unresolved")
_TP, _FP, _TN, _FN, _UNRESOLVED = range(len(OUTCOMES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """Predictions without an outcome, or with one to be told anew; all arrays have one entry each."""

    id: Ints
    coin: Ints
    """Place in the coins asked for."""
    timestamp: Ints
    """Of the row that was predicted, microseconds."""
    question: Ints
    """Place in the questions asked for."""
    prediction: Bools
    alert: Bools
    probability: Floats
    phase: Ints
    """-1 where NULL."""
    again: Bools
    """It is unresolved so far, and counted as such."""
    has_change: Bools
    """Its change is known so far, and counted."""

    def __len__(self) -> int:
        return len(self.id)

    def take(self, index: Ints | Bools) -> "Pending":
        """Give the chosen ones."""
        return Pending(
            id=self.id[index],
            coin=self.coin[index],
            timestamp=self.timestamp[index],
            question=self.question[index],
            prediction=self.prediction[index],
            alert=self.alert[index],
            probability=self.probability[index],
            phase=self.phase[index],
            again=self.again[index],
            has_change=self.has_change[index],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """What became of predictions; all arrays have one entry each."""

    outcome: Ints
    """Place in `OUTCOMES`."""
    change_pct: Floats
    """Change at the horizon, NaN where it is not known."""
    highest_pct: Floats
    """Highest change within the horizon, NaN where no later value is known."""
    lowest_pct: Floats

    def take(self, index: Ints | Bools) -> "Verdicts":
        """Give the chosen ones."""
        return Verdicts(
            outcome=self.outcome[index],
            change_pct=self.change_pct[index],
            highest_pct=self.highest_pct[index],
            lowest_pct=self.lowest_pct[index],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What the table says of the coins asked for."""

    rows: CoinRows
    """From the first prediction of each coin to the end of its last horizon."""
    last_seen: Ints
    """int64[coins]: newest timestamp up to the clock, microseconds."""
    left_at: Ints
    """int64[coins]: when a row before them showed the coin as no longer followed; `NEVER`: none did."""
    clock: int
    untracked_phases: frozenset[int]


def news(pending: Pending, verdicts: Verdicts) -> tuple[Pending, Verdicts]:
    """Leave out what was unresolved and still is."""
    told = ~pending.again | (verdicts.outcome != _UNRESOLVED)
    return pending.take(told), verdicts.take(told)


def judge(pending: Pending, questions: Sequence[Target], recorded: Recorded) -> Verdicts:
    """Give the outcome of every prediction; those whose row or price is missing are unresolved."""
    rows = recorded.rows.deduplicated()
    place = _places(pending, rows)
    found = place >= 0
    verdicts = Verdicts(
        outcome=np.full(len(pending), _UNRESOLVED),
        change_pct=np.full(len(pending), np.nan),
        highest_pct=np.full(len(pending), np.nan),
        lowest_pct=np.full(len(pending), np.nan),
    )
    for target in dict.fromkeys(questions):
        asked = np.array([question == target for question in questions])
        chosen = np.flatnonzero(found & asked[pending.question])
        if not len(chosen):
            continue
        labels = label(
            rows,
            target,
            clock=recorded.clock,
            untracked_phases=recorded.untracked_phases,
            last_seen=recorded.last_seen,
            left_at=recorded.left_at,
        )
        at = place[chosen]
        verdicts.outcome[chosen] = _outcome(pending.prediction[chosen], labels.values[at])
        verdicts.change_pct[chosen] = _finite(labels.change_pct[at])
        if not isinstance(target, RuleTarget):
            highest, lowest = reach(rows, target)
            verdicts.highest_pct[chosen] = _finite(highest[at])
            verdicts.lowest_pct[chosen] = _finite(lowest[at])
    return verdicts


def _places(pending: Pending, rows: CoinRows) -> Ints:
    """Find the row of each prediction, -1 where it is gone; rows are sorted by coin and time without repeats."""
    if not len(rows):
        return np.full(len(pending), -1)
    times = np.unique(rows.timestamp)
    # One rising key for all coins; ranks of times, since times themselves would leave 64 bits.
    keys = rows.coin * len(times) + np.searchsorted(times, rows.timestamp)
    rank = np.minimum(np.searchsorted(times, pending.timestamp), len(times) - 1)
    wanted = pending.coin * len(times) + rank
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where((keys[place] == wanted) & (times[rank] == pending.timestamp), place, -1)


def _outcome(prediction: Bools, truth: Floats) -> Ints:
    right = np.where(prediction, _TP, _TN)
    wrong = np.where(prediction, _FP, _FN)
    outcome = np.where(prediction == (truth == 1), right, wrong)
    return np.where(np.isnan(truth), _UNRESOLVED, outcome)


def _finite(change: Floats) -> Floats:
    # A price next to nothing divides into more than a double holds.
    return np.where(np.isfinite(change), change, np.nan)
