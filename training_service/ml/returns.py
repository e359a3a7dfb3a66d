"""What acting on alerts would have brought: one buy at the row, one sale at the horizon."""

import numpy as np
from numpy.typing import NDArray

from shared.coin_metrics.columns import PRICE_COLUMNS
from shared.coin_metrics.rows import Floats
from shared.labels import Target, TimeTarget

BIRTH_RESERVES_SOL = 30.0
_TRADEABLE = (*PRICE_COLUMNS, "market_cap_close")


def legacy_profit_pct(hits: int, misses: int, rows: int) -> float:
    """Give (0.01·tp − 0.005·fp) / n · 100: a fixed 1 % a hit and −0.5 % a miss, whatever the price did.

    >>> legacy_profit_pct(30, 20, 100)
    0.2

    """
    return (0.01 * hits - 0.005 * misses) / rows * 100


def trade_return_pct(
    change_pct: Floats, reserves_sol: Floats, *, fee_pct: float, slippage_pct: float | None, trade_size_sol: float
) -> Floats:
    """Give the return in % of buying at each row and selling at its horizon, after fee and slippage per side.

    Args:
        change_pct: float64[n], change of the price in % from the row to the horizon.
        reserves_sol: float64[n], SOL side v of the bonding curve at the row; NaN or ≤ 0: 30, as at birth.
        fee_pct: part of the SOL that goes in and of the SOL that comes out, in %.
        slippage_pct: price worsened by so much on each side, in %; None: from the curve x · y = k, with the price v²/k.
            S SOL then buy S·k / (v·(v + S)) tokens, and a change by factor c has moved the reserve to v·√c when they
            are sold: the recorded price is taken as what others made of it, our own purchase not included.
        trade_size_sol: S, what is spent.

    Returns:
        float64[n] in %; NaN where the change is unknown.

    >>> flat = np.array([0.0])
    >>> trade_return_pct(flat, np.array([30.0]), fee_pct=0, slippage_pct=None, trade_size_sol=1.0).round(6).tolist()
    [-6.25]
    >>> trade_return_pct(flat, np.array([30.0]), fee_pct=1, slippage_pct=0, trade_size_sol=1.0).round(3).tolist()
    [-1.99]

    """
    factor = 1 + change_pct / 100
    kept = 1 - fee_pct / 100
    if slippage_pct is not None:
        worse = slippage_pct / 100
        return (factor * kept * kept * (1 - worse) / (1 + worse) - 1) * 100
    before = np.where(reserves_sol > 0, reserves_sol, BIRTH_RESERVES_SOL)
    after = before * np.sqrt(factor)
    spent = trade_size_sol * kept
    # In units of k, which cancels.
    tokens = spent / (before * (before + spent))
    proceeds = after - 1 / (1 / after + tokens)
    return (proceeds * kept / trade_size_sol - 1) * 100


def expected_value_pct(
    alerts: NDArray[np.bool_], change_pct: Floats, reserves_sol: Floats, *, target: Target, fee_pct: float,
    slippage_pct: float | None, trade_size_sol: float,
) -> float | None:  # fmt: skip
    """Give the mean return in % of the alerts; None without any, and where no rising price is asked about."""
    if not isinstance(target, TimeTarget) or target.direction != "up" or target.target_var not in _TRADEABLE:
        return None
    known = alerts & ~np.isnan(change_pct)
    if not known.any():
        return None
    returns = trade_return_pct(
        change_pct[known],
        reserves_sol[known],
        fee_pct=fee_pct,
        slippage_pct=slippage_pct,
        trade_size_sol=trade_size_sol,
    )
    return float(returns.mean())
