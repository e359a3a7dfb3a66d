"""What acting on alerts would have brought: one buy at the row, one sale at the horizon."""

from dataclasses import dataclass

import numpy as np

from shared.coin_metrics.rows import Bools, Floats, Ints
from shared.contracts.model_request import TRADED
from shared.labels import Target, TimeTarget
from training_service.ml.bootstrap import mean_interval

BIRTH_RESERVES_SOL = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What a trade costs."""

    fee_pct: float
    slippage_pct: float | None
    """None: from the depth of the bonding curve."""
    trade_size_sol: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Earnings:
    """What a series of trades brought, each of them for `trade_size_sol`, after all costs."""

    trades: int
    mean_pct: float | None
    median_pct: float | None
    share_positive: float | None
    worst_pct: float | None
    best_pct: float | None
    low_pct: float | None
    """Lower bound of the mean with 95 % confidence."""
    high_pct: float | None
    interval_note: str | None
    """Why the mean has no bounds."""
    total_sol: float
    per_day_sol: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """What the alerts of some rows would have earned."""

    every_alert: Earnings
    """Each alert is bought, also one of a coin that is held already."""
    one_position: Earnings
    """A coin that is held is not bought again before its sale."""
    seen_again: Earnings
    """Those of every alert whose coin was seen again at or after its horizon: which ones, nobody knew in time."""
    silent_alerts: int
    """The other trades: the coin is sold at the last price that was recorded."""
    alerts_without_outcome: int
    """Alerts whose change is unknown; they are in none of the sums."""
    assumed_reserves: int
    """Trades whose slippage is that of 30 SOL in the curve, as the row does not tell; 0 where slippage is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """What a purchase at each row would have brought; arrays have one entry a row."""

    returns_pct: Floats
    """In % after costs; NaN where unknown."""
    observed: Bools
    """The coin was seen again at or after the horizon."""
    reserves_sol: Floats
    """SOL side of the bonding curve at the row; NaN where missing."""
    timestamp: Ints
    """Microseconds."""
    coin: Ints
    """Any code of the coin."""


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

    On the curve x · y = k with the price x² / k both sides pay their own impact: S SOL (less the fee) buy
    S·k / (v·(v + S)) tokens, and T of them sold at reserves u give u − k / (k / u + T). A change by factor c has moved
    the reserves from v to u = v·√c. The recorded price is taken as what others made of it: what our purchase added to
    it is assumed to be traded away before the sale. That is the careful side, as a sale right after the purchase would
    get all of it back.

    Args:
        change_pct: float64[n], change of the price in % from the row to the horizon, −100 or more.
        reserves_sol: float64[n], SOL side v of the bonding curve at the row; NaN or ≤ 0: 30, as at birth.
        fee_pct: part of the SOL that goes in and of the SOL that comes out, in %.
        slippage_pct: price worsened by so much on each side, in %; None: from the curve.
        trade_size_sol: what is spent, fee included.

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
    before = np.where(has_reserves(reserves_sol), reserves_sol, BIRTH_RESERVES_SOL)
    after = before * np.sqrt(factor)
    spent = trade_size_sol * kept
    # In units of k, which cancels; u − k / (k / u + T) without the small difference of two large numbers.
    tokens = spent / (before * (before + spent))
    proceeds = after * after * tokens / (1 + after * tokens)
    return np.asarray((proceeds * kept / trade_size_sol - 1) * 100)


def has_reserves(reserves_sol: Floats) -> Bools:
    """Tell where the depth of the curve is known.

    >>> has_reserves(np.array([30.0, 0.0, np.nan])).tolist()
    [True, False, False]
    """
    known: Bools = reserves_sol > 0
    return known


def returns_of(change_pct: Floats, reserves_sol: Floats, *, target: Target, costs: Costs) -> Floats | None:
    """Give the return in % of a trade at each row, NaN where unknown; None where nobody trades at that price."""
    if not is_tradeable(target):
        return None
    return trade_return_pct(
        change_pct,
        reserves_sol,
        fee_pct=costs.fee_pct,
        slippage_pct=costs.slippage_pct,
        trade_size_sol=costs.trade_size_sol,
    )


def is_tradeable(target: Target) -> bool:
    """Tell whether a purchase at the row acts on the answer: a time target about a rising price one can trade at."""
    return isinstance(target, TimeTarget) and target.direction == "up" and target.target_var in TRADED


def earn(alerts: Bools, outcomes: Outcomes, *, horizon_us: int, days: float, costs: Costs, random_state: int) -> Money:
    """Sum up the trades of the alerts.

    Args:
        alerts: bool[n], rows that are bought.
        outcomes: of the same rows.
        horizon_us: how long a position is held, microseconds.
        days: span of all rows, for what a day brings.
        costs: for the size of a trade; returns are after costs.
        random_state: seed of the interval.

    >>> outcomes = Outcomes(
    ...     returns_pct=np.array([10.0, -5.0, 1.0, 50.0]),
    ...     observed=np.array([True, True, False, True]),
    ...     reserves_sol=np.array([30.0, 30.0, np.nan, 30.0]),
    ...     timestamp=np.array([0, 4, 10, 0]) * 60_000_000,
    ...     coin=np.zeros(4, np.int64),
    ... )
    >>> costs = Costs(fee_pct=1.0, slippage_pct=None, trade_size_sol=0.5)
    >>> alerts = np.array([True, True, True, False])
    >>> money = earn(alerts, outcomes, horizon_us=600_000_000, days=0.5, costs=costs, random_state=1)
    >>> money.every_alert.trades, money.every_alert.mean_pct, round(money.every_alert.total_sol, 6)
    (3, 2.0, 0.03)
    >>> money.one_position.trades, money.one_position.mean_pct, round(money.one_position.per_day_sol, 6)
    (2, 5.5, 0.11)
    >>> money.seen_again.mean_pct, money.silent_alerts, money.assumed_reserves
    (2.5, 1, 1)

    """
    returns_pct, timestamp = outcomes.returns_pct, outcomes.timestamp
    asked = np.flatnonzero(alerts)
    bought = asked[~np.isnan(returns_pct[asked])]
    single = bought[free_positions(timestamp[bought], outcomes.coin[bought], horizon_us=horizon_us)]

    def sum_up(rows: Ints) -> Earnings:
        return _sum_up(
            returns_pct[rows], timestamp[rows], outcomes.coin[rows], horizon_us=horizon_us, days=days,
            size=costs.trade_size_sol, random_state=random_state,
        )  # fmt: skip

    seen = bought[outcomes.observed[bought]]
    assumed = ~has_reserves(outcomes.reserves_sol[bought])
    return Money(
        every_alert=sum_up(bought),
        one_position=sum_up(single),
        seen_again=sum_up(seen),
        silent_alerts=len(bought) - len(seen),
        alerts_without_outcome=len(asked) - len(bought),
        assumed_reserves=int(np.count_nonzero(assumed)) if costs.slippage_pct is None else 0,
    )


def free_positions(timestamp: Ints, coin: Ints, *, horizon_us: int) -> Bools:
    """Tell which purchases find their coin free when each is held for the horizon, bool[n]; the earlier one wins.

    All coins step from one purchase to the next free one together: as many steps as one coin has positions.

    >>> free_positions(np.array([0, 3, 5, 4, 9]), np.array([7, 7, 7, 8, 8]), horizon_us=5).tolist()
    [True, False, True, True, True]
    """
    free = np.zeros(len(timestamp), dtype=np.bool_)
    if not len(timestamp):
        return free
    order = np.lexsort((timestamp, coin))
    codes, elapsed = coin[order], timestamp[order] - timestamp.min()
    first = np.append(True, codes[1:] != codes[:-1])
    rank = np.cumsum(first) - 1
    # One rising key for all coins: a search for the end of a position cannot land in another coin's times.
    key = rank * (int(elapsed.max()) + horizon_us + 1) + elapsed
    following = np.maximum(np.searchsorted(key, key + horizon_us, side="left"), np.arange(1, len(key) + 1))
    held = np.flatnonzero(first)
    while len(held):
        free[order[held]] = True
        later = following[held]
        inside = later < len(key)
        held = later[inside][rank[later[inside]] == rank[held[inside]]]
    return free


def _sum_up(
    returns: Floats, timestamp: Ints, coin: Ints, *, horizon_us: int, days: float, size: float, random_state: int
) -> Earnings:
    total = float(returns.sum()) / 100 * size
    per_day = total / days if days > 0 else None
    if not len(returns):
        return Earnings(
            trades=0, mean_pct=None, median_pct=None, share_positive=None, worst_pct=None, best_pct=None, low_pct=None,
            high_pct=None, interval_note="there is no trade", total_sol=0.0, per_day_sol=per_day,
        )  # fmt: skip
    interval = mean_interval(returns, timestamp, coin, horizon_us=horizon_us, random_state=random_state)
    return Earnings(
        trades=len(returns),
        mean_pct=float(returns.mean()),
        median_pct=float(np.median(returns)),
        share_positive=float(np.mean(returns > 0)),
        worst_pct=float(returns.min()),
        best_pct=float(returns.max()),
        low_pct=interval.low,
        high_pct=interval.high,
        interval_note=interval.reason,
        total_sol=total,
        per_day_sol=per_day,
    )
