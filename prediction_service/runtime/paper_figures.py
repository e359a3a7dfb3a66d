"""Figures of closed positions: how often they won, what they brought, how long an account was in the market."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from prediction_service.runtime.paper import CloseReason, Side

FEWEST_FOR_SPREAD = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """A closed position."""

    side: Side
    """Long or short."""
    close_reason: CloseReason
    """Why it ended."""
    pnl: float
    """USDT after both fees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Trades of one kind."""

    trades: int
    """How many."""
    wins: int
    """How many brought something."""
    pnl: float
    """USDT together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Trades in figures; None where too few trades say nothing."""

    trades: int
    """How many."""
    wins: int
    """With a profit after fees."""
    losses: int
    """The others."""
    win_rate: float | None
    """wins / trades."""
    profit_factor: float | None
    """Sum of profits over sum of losses; None without a loss."""
    expectancy: float | None
    """Mean pnl, USDT."""
    average_win: float | None
    """Mean pnl of wins, USDT."""
    average_loss: float | None
    """Mean pnl of losses, USDT, ≤ 0."""
    sharpe_per_trade: float | None
    """Mean pnl over its standard deviation, ddof 1; None without a spread."""
    pnl: float
    """USDT together."""
    by_close_reason: dict[CloseReason, Share]
    """Only reasons that occurred."""
    by_side: dict[Side, Share]
    """Only sides that occurred."""


def figures(trades: Sequence[Trade]) -> Figures:
    """Give trades in figures.

    >>> one, two = (Trade(side="LONG", close_reason=reason, pnl=pnl) for reason, pnl in (("TP", 3.0), ("SL", -1.0)))
    >>> found = figures([one, two])
    >>> found.win_rate, found.profit_factor, found.expectancy, round(found.sharpe_per_trade, 4)
    (0.5, 3.0, 1.0, 0.3536)

    """
    pnls = [trade.pnl for trade in trades]
    won, lost = [pnl for pnl in pnls if pnl > 0], [pnl for pnl in pnls if pnl <= 0]
    spread = stdev(pnls) if len(pnls) >= FEWEST_FOR_SPREAD else 0.0
    given_away = -math.fsum(lost)
    return Figures(
        trades=len(pnls),
        wins=len(won),
        losses=len(lost),
        win_rate=len(won) / len(pnls) if pnls else None,
        profit_factor=math.fsum(won) / given_away if given_away > 0 else None,
        expectancy=_mean(pnls),
        average_win=_mean(won),
        average_loss=_mean(lost),
        sharpe_per_trade=fmean(pnls) / spread if spread > 0 else None,
        pnl=math.fsum(pnls),
        by_close_reason={reason: _share(trade for trade in trades if trade.close_reason == reason)
                         for reason in dict.fromkeys(trade.close_reason for trade in trades)},
        by_side={side: _share(trade for trade in trades if trade.side == side)
                 for side in dict.fromkeys(trade.side for trade in trades)},
    )  # fmt: skip


def covered(spans: Iterable[tuple[int, int]]) -> int:
    """Give the length that spans cover together, counted once where they overlap.

    >>> covered([(0, 10), (5, 12), (20, 21)])
    13

    """
    total, reached = 0, None
    for start, end in sorted(spans):
        begin = start if reached is None else max(start, reached)
        total += max(end - begin, 0)
        reached = end if reached is None else max(end, reached)
    return total


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None


def _share(trades: Iterable[Trade]) -> Share:
    pnls = [trade.pnl for trade in trades]
    return Share(trades=len(pnls), wins=sum(pnl > 0 for pnl in pnls), pnl=math.fsum(pnls))
