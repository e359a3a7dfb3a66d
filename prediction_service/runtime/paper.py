"""Rules of paper trading: sizes, profit, fees, and where a position ends at a price or within a candle.

One owner of the formulas: accounts in the database, the training environment and the backtest all use these.
"""

from dataclasses import dataclass, field
from typing import Literal

from shared.errors import Invalid

Side = Literal["LONG", "SHORT"]
CloseReason = Literal["TP", "SL", "EXPIRED", "MANUAL", "SIGNAL_FLIP", "RESET"]
TOLERANCE = 1e-9
"""Relative; what sums of floats may be off a limit without passing it."""
BELIEVABLE = 1e15
"""USDT; no account gets there but by a price that is an error."""
SMALLEST_SIZE = 0.01
"""USDT; below a cent there is no position, whatever the rules say."""
HOUR = 3_600_000_000
"""Microseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What an account trades by; percents are percents."""

    leverage: float = 7.0
    """Size over margin: decides the margin and its return, nothing else."""
    size_pct: float = 2.0
    """Size of a position, of equity."""
    min_size_usdt: float = 10.0
    """Smallest position."""
    max_positions: int = 5
    """Open at once."""
    max_exposure_pct: float = 10.0
    """Sum of the sizes of open positions, of equity."""
    take_profit_pct: float = 5.0
    """Return on margin that closes a position."""
    stop_loss_pct: float = 3.0
    """Loss on margin that closes a position."""
    max_hours: float = 48.0
    """Longest time in a position."""
    fee_pct: float = 0.1
    """Of the size, at the opening and again at the closing."""
    min_confidence: float = 60.0
    """Of a signal that opens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """An open position; times are microseconds since 1970, UTC.

    >>> long = Position(symbol="X", side="LONG", size_usdt=200.0, leverage=7.0, entry_price=100.0, current_price=101.0,
    ...                 take_profit_pct=5.0, stop_loss_pct=3.0, fees=0.2, opened_at=0, expires_at=48 * HOUR)
    >>> round(long.unrealised_pnl, 9), round(long.margin, 2), round(long.margin_return_pct, 9)
    (2.0, 28.57, 7.0)
    >>> [round(price, 4) for price in (long.take_profit_price, long.stop_loss_price)]
    [100.7143, 99.5714]

    """

    symbol: str
    """Market."""
    side: Side
    """Long earns when the price rises, short when it falls."""
    size_usdt: float
    """Notional."""
    leverage: float
    """Size over margin."""
    entry_price: float
    """Price at the opening."""
    current_price: float
    """Latest price told."""
    take_profit_pct: float
    """Rule it was opened with, of margin."""
    stop_loss_pct: float
    """Rule it was opened with, of margin."""
    fees: float
    """Paid at the opening, USDT; the same again is due at the closing."""
    opened_at: int
    """When it was opened."""
    expires_at: int
    """When it is closed at the latest."""
    id: int | None = field(default=None, compare=False)
    """Its row, where it has one."""

    @property
    def direction(self) -> int:
        """1 or −1."""
        return 1 if self.side == "LONG" else -1

    @property
    def margin(self) -> float:
        """USDT that back it."""
        return self.size_usdt / self.leverage

    @property
    def unrealised_pnl(self) -> float:
        """USDT at the latest price, fees left out."""
        return self.pnl_at(self.current_price)

    @property
    def margin_return_pct(self) -> float:
        """Return on margin at the latest price, fees left out."""
        return self._margin_return(self.current_price)

    @property
    def take_profit_price(self) -> float:
        """Price of the take profit; ≤ 0 where no price reaches it."""
        return self.entry_price * (1 + self.direction * self.take_profit_pct / 100 / self.leverage)

    @property
    def stop_loss_price(self) -> float:
        """Price of the stop; ≤ 0 where no price reaches it."""
        return self.entry_price * (1 - self.direction * self.stop_loss_pct / 100 / self.leverage)

    def pnl_at(self, price: float) -> float:
        """Give profit at a price, USDT: size · change, whatever the leverage."""
        return self.direction * self.size_usdt * (price / self.entry_price - 1)

    def takes_profit(self, price: float) -> bool:
        """Say whether a price is at the take profit or beyond."""
        return self._margin_return(price) >= self.take_profit_pct - TOLERANCE * 100

    def stops(self, price: float) -> bool:
        """Say whether a price is at the stop or beyond."""
        return self._margin_return(price) <= -self.stop_loss_pct + TOLERANCE * 100

    def _margin_return(self, price: float) -> float:
        return self.direction * (price / self.entry_price - 1) * self.leverage * 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """Where a position ends and why."""

    price: float
    """Paid or got."""
    reason: CloseReason
    """Rule that ended it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candle:
    """One closed candle; times are microseconds since 1970, UTC."""

    open: float
    """First price."""
    high: float
    """Highest price."""
    low: float
    """Lowest price."""
    close: float
    """Last price."""
    open_at: int
    """When it began."""
    close_at: int
    """When it ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What a closing brings, USDT."""

    pnl: float
    """Profit after both fees."""
    fees: float
    """Both fees."""
    credit: float
    """Added to the balance, which has paid the first fee already."""


def wanted_size(rules: Rules, equity: float) -> float:
    """Give the size of a new position, USDT of notional.

    >>> wanted_size(Rules(), 10_000.0), wanted_size(Rules(), 300.0)
    (200.0, 10.0)

    """
    return max(rules.size_pct / 100 * equity, rules.min_size_usdt, SMALLEST_SIZE)


def fee(rules: Rules, size_usdt: float) -> float:
    """Give the fee of one side, USDT.

    >>> round(fee(Rules(), 200.0), 9)
    0.2

    """
    return rules.fee_pct / 100 * size_usdt


def settle(position: Position, price: float) -> Settlement:
    """Give what closing at a price brings; a loss beyond the margin is a loss.

    A stop lies at a loss of 100 % of the margin at most, so no liquidation comes before it; only a price that jumps
    over the stop costs more, and the account answers for that with all it has.

    >>> long = Position(symbol="X", side="LONG", size_usdt=200.0, leverage=7.0, entry_price=100.0, current_price=100.0,
    ...                 take_profit_pct=5.0, stop_loss_pct=3.0, fees=0.2, opened_at=0, expires_at=48 * HOUR)
    >>> done = settle(long, 101.0)
    >>> round(done.pnl, 9), round(done.fees, 9), round(done.credit, 9)
    (1.6, 0.4, 1.8)

    """
    gross = position.pnl_at(price)
    if not abs(gross) < BELIEVABLE:
        raise Invalid(f"A price of {price:g} would make {gross:.3g} USDT of one position opened at "
                      f"{position.entry_price:g}: check the price")  # fmt: skip
    return Settlement(pnl=gross - 2 * position.fees, fees=2 * position.fees, credit=gross - position.fees)


def exit_at_price(position: Position, price: float, at: int) -> Exit | None:
    """Give the end of a position at a price told at a moment: at that price, be it beyond a level."""
    if position.stops(price):
        return Exit(price=price, reason="SL")
    if position.takes_profit(price):
        return Exit(price=price, reason="TP")
    return Exit(price=price, reason="EXPIRED") if at >= position.expires_at else None


def exit_in_candle(position: Position, candle: Candle) -> Exit | None:
    """Give the end of a position within a candle, supposing the worst of what a candle does not tell.

    An open beyond a level ends it at the open; where both levels lie within, the stop came first; else the exit is at
    the level. Time runs out at the close, or at the open when it had by then. What came before a position was opened
    does not concern it: one opened within the candle sees only its close.

    >>> long = Position(symbol="X", side="LONG", size_usdt=200.0, leverage=1.0, entry_price=100.0, current_price=100.0,
    ...                 take_profit_pct=5.0, stop_loss_pct=3.0, fees=0.2, opened_at=0, expires_at=48 * HOUR)
    >>> wide = Candle(open=100.0, high=106.0, low=96.0, close=104.0, open_at=0, close_at=HOUR)
    >>> exit_in_candle(long, wide)
    Exit(price=97.0, reason='SL')

    """
    if position.opened_at > candle.open_at:
        return exit_at_price(position, candle.close, candle.close_at)
    if (at_open := exit_at_price(position, candle.open, candle.open_at)) is not None:
        return at_open
    worst, best = (candle.low, candle.high) if position.side == "LONG" else (candle.high, candle.low)
    if position.stops(worst):
        return Exit(price=_within(position.stop_loss_price, candle), reason="SL")
    if position.takes_profit(best):
        return Exit(price=_within(position.take_profit_price, candle), reason="TP")
    return exit_at_price(position, candle.close, candle.close_at)


def _within(price: float, candle: Candle) -> float:
    """Keep a level that was reached but for rounding inside of its candle."""
    return min(max(price, candle.low), candle.high)
