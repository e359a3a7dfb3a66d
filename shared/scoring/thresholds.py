"""The score from which on a prediction is a yes, or an alert."""

import numpy as np

from shared.coin_metrics.rows import Floats
from shared.scoring.counts import Answers
from shared.scoring.ranking import last, reached


def best_f1_threshold(scores: Floats, answers: Answers) -> float | None:
    """Give the score from which on predicting 1 has the best F1, of equal ones the highest; None without ones.

    >>> best_f1_threshold(np.array([0.1, 0.3, 0.3, 0.6]), np.array([0, 0, 1, 1]))
    0.3
    """
    values, said, hits = reached(scores, answers)
    if not last(hits):
        return None
    return float(values[int(np.argmax(2 * hits / (said + hits[-1])))])


def top_share_threshold(scores: Floats, share: float) -> float | None:
    """Give the lowest score that at most this share of the rows reaches, the highest where even that is too many.

    >>> top_share_threshold(np.array([0.1, 0.2, 0.3, 0.4]), 0.5), top_share_threshold(np.array([0.1, 0.2]), 0.01)
    (0.3, 0.2)
    """
    return _threshold_for(scores, share * len(scores))


def alerts_per_day_threshold(scores: Floats, *, days: float, alerts_per_day: float) -> float | None:
    """Give the lowest score that gives at most so many alerts a day over the days the rows span, else the highest.

    >>> alerts_per_day_threshold(np.array([0.1, 0.2, 0.3, 0.4]), days=2, alerts_per_day=1)
    0.3
    """
    return _threshold_for(scores, days * alerts_per_day)


def best_return_threshold(scores: Floats, returns_pct: Floats, *, least_trades: int) -> float | None:
    """Give the score from which on trading every row sums to the highest return, of equal ones the highest score.

    Args:
        scores: float64[n].
        returns_pct: float64[n], what a trade at each row brings in %; NaN: unknown, not counted.
        least_trades: trades that must reach the score; a few lucky ones prove nothing.

    Returns:
        The score; None where so many trades never sum to more than 0.

    >>> scores, returns = np.array([0.9, 0.8, 0.7, 0.6]), np.array([-1.0, 5.0, np.nan, -3.0])
    >>> best_return_threshold(scores, returns, least_trades=2), best_return_threshold(scores, returns, least_trades=4)
    (0.8, None)

    """
    known = ~np.isnan(returns_pct)
    values, trades, total = reached(scores[known], returns_pct[known])
    allowed = np.flatnonzero(trades >= least_trades)
    if not len(allowed):
        return None
    best = allowed[int(np.argmax(total[allowed]))]
    return float(values[best]) if total[best] > 0 else None


def _threshold_for(scores: Floats, most: float) -> float | None:
    values, said, _ = reached(scores, np.zeros(len(scores)))
    if not len(values):
        return None
    return float(values[max(int(np.searchsorted(said, most, side="right")) - 1, 0)])
