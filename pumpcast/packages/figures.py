"""Figures of a curve of equity."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

YEAR_SECONDS: Final = 365 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """How a way of trading did."""

    final_equity: float
    """USDT."""
    return_pct: float
    """Of the initial balance."""
    max_drawdown_pct: float
    """Deepest fall below the highest equity so far, of that."""
    sharpe: float | None
    """Mean / standard deviation of the returns from candle to candle · √(candles a year); None where they are all 0."""


def describe(equity: Floats, *, initial: float, interval_seconds: int) -> Curve:
    """Give the figures of equity (k,) that began with an initial balance.

    Shapes and types: float64 (k,), k ≥ 1, at moments one interval apart; plain numbers out.
    Units: USDT in; the ratio is a yearly one for a market that never closes (365 days), over a risk-free rate of 0.
    NaN: none in, none out. Ranges: drawdown ≥ 0, above 100 where debts are made.
    Raises: nothing. Source: Sharpe, The Sharpe Ratio (1994), with the population standard deviation.

    >>> describe(np.array([110.0, 99.0, 99.0]), initial=100.0, interval_seconds=86_400)
    Curve(final_equity=99.0, return_pct=-1.0, max_drawdown_pct=10.0, sharpe=0.0)
    >>> describe(np.array([100.0, 100.0]), initial=100.0, interval_seconds=900).sharpe is None
    True
    """
    whole = np.concatenate(([initial], equity))
    # What is in debt has no return.
    returns = np.divide(np.diff(whole), whole[:-1], out=np.zeros(len(equity)), where=whole[:-1] > 0)
    spread = float(returns.std())
    yearly = np.sqrt(YEAR_SECONDS / interval_seconds)
    return Curve(
        final_equity=round(float(equity[-1]), 4),
        return_pct=round((float(equity[-1]) / initial - 1) * 100, 6),
        max_drawdown_pct=round(float(drawdown_pct(whole).max()), 6),
        sharpe=round(float(returns.mean()) / spread * float(yearly), 4) if spread > 0 else None,
    )


def drawdown_pct(equity: Floats) -> Floats:
    """Give how far equity lies below its highest value so far, percent of that, float64 (k,).

    >>> drawdown_pct(np.array([100.0, 90.0, 120.0, 60.0])).tolist()
    [0.0, 10.0, 0.0, 50.0]
    """
    highest = np.maximum.accumulate(equity)
    return (highest - equity) / highest * 100


def buy_and_hold(close: Floats, *, initial: float, size: float | None, fee_pct: float) -> Floats:
    """Give the equity of who buys at the first close and holds, float64 (k,).

    `size` USDT are bought, or with None all there is after the fee; the purchase pays its fee, nothing is sold.

    >>> buy_and_hold(np.array([2.0, 3.0]), initial=1000.0, size=100.0, fee_pct=1.0).tolist()
    [999.0, 1049.0]
    >>> buy_and_hold(np.array([2.0, 3.0]), initial=1010.0, size=None, fee_pct=1.0).tolist()
    [1000.0, 1500.0]
    """
    bought = initial / (1 + fee_pct / 100) if size is None else size
    equity: Floats = initial - bought * fee_pct / 100 + bought * (close / close[0] - 1)
    return equity
