"""Figures of closed positions: how often they won, what they brought."""

from collections.abc import Iterable
from dataclasses import dataclass

from prediction_service.runtime.paper import CloseReason, Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Closed positions of one kind, summed up."""

    side: Side | None
    """Those of this side; None: of both."""
    close_reason: CloseReason | None
    """Those that ended so; None: for whatever reason. With both None it is all of them."""
    trades: int
    """How many."""
    wins: int
    """With a profit after fees."""
    pnl: float
    """USDT together, after both fees."""
    won: float
    """USDT of the wins, ≥ 0."""
    lost: float
    """USDT of the others, ≥ 0."""
    fees: float
    """USDT together."""
    spread: float | None
    """Standard deviation of the pnl, USDT, ddof 1; None for a single one."""


NOTHING = Tally(
    side=None, close_reason=None, trades=0, wins=0, pnl=0.0, won=0.0, lost=0.0, fees=0.0, spread=None
)  # fmt: skip


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
    fees: float
    """USDT together."""
    pnl: float
    """USDT together."""
    by_close_reason: dict[CloseReason, Share]
    """Only reasons that occurred."""
    by_side: dict[Side, Share]
    """Only sides that occurred."""


def figures(tallies: Iterable[Tally]) -> Figures:
    """Give closed positions in figures, of the tallies of all, of each side and of each reason; none are no trades.

    >>> one = Tally(side=None, close_reason=None, trades=2, wins=1, pnl=2.0, won=3.0, lost=1.0, fees=0.8, spread=8**0.5)
    >>> found = figures([one])
    >>> found.win_rate, found.profit_factor, found.expectancy, round(found.sharpe_per_trade, 4)
    (0.5, 3.0, 1.0, 0.3536)

    """
    known = list(tallies)
    total = next((one for one in known if one.side is None and one.close_reason is None), NOTHING)
    losses = total.trades - total.wins
    mean = _share_of(total.pnl, total.trades)
    return Figures(
        trades=total.trades,
        wins=total.wins,
        losses=losses,
        win_rate=_share_of(total.wins, total.trades),
        profit_factor=_share_of(total.won, total.lost),
        expectancy=mean,
        average_win=_share_of(total.won, total.wins),
        average_loss=_share_of(-total.lost, losses),
        sharpe_per_trade=None if mean is None else _share_of(mean, total.spread or 0.0),
        fees=total.fees,
        pnl=total.pnl,
        by_close_reason={one.close_reason: _share(one) for one in known if one.close_reason is not None},
        by_side={one.side: _share(one) for one in known if one.side is not None},
    )


def _share_of(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None


def _share(tally: Tally) -> Share:
    return Share(trades=tally.trades, wins=tally.wins, pnl=tally.pnl)
