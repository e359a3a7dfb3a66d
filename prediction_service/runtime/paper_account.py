"""An account in paper trading and what happens to it: prices, candles, signals, openings, closings.

Pure steps from one state to the next; who keeps the state, a database or a simulation, is not their business.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from prediction_service.runtime.paper import (
    BELIEVABLE,
    HOUR,
    SMALLEST_SIZE,
    TOLERANCE,
    Candle,
    CloseReason,
    Exit,
    Position,
    Rules,
    Side,
    exit_at_price,
    exit_in_candle,
    fee,
    settle,
    wanted_size,
)
from shared.errors import Invalid

Signal = Literal["LONG", "SHORT", "FLAT"]
DEFAULT_RULES = Rules()
OPPOSITE: dict[Side, Side] = {"LONG": "SHORT", "SHORT": "LONG"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Balance, open positions, rules.

    The fee of an opening leaves the balance at once, profit and the second fee come with the closing:
    balance = initial balance + Σ pnl of closed positions − Σ fees of open ones.
    """

    rules: Rules = DEFAULT_RULES
    """What new positions follow."""
    balance: float = 10_000.0
    """USDT."""
    positions: tuple[Position, ...] = ()
    """Open ones of all markets, oldest first."""

    @property
    def unrealised_pnl(self) -> float:
        """USDT of all open positions at their latest prices."""
        return sum(position.unrealised_pnl for position in self.positions)

    @property
    def equity(self) -> float:
        """USDT: balance and unrealised profit."""
        return self.balance + self.unrealised_pnl

    @property
    def exposure(self) -> float:
        """USDT: sizes of open positions together, long and short alike."""
        return sum(position.size_usdt for position in self.positions)

    @property
    def available_exposure(self) -> float:
        """USDT that new positions may have together, ≥ 0."""
        return max(self.rules.max_exposure_pct / 100 * self.equity - self.exposure, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """A position that has ended."""

    position: Position
    """As it was, at its latest price before the exit."""
    exit_price: float
    """Price of the exit."""
    reason: CloseReason
    """Why."""
    pnl: float
    """USDT after both fees."""
    fees: float
    """USDT, both."""
    at: int
    """When, microseconds since 1970, UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a position is not opened."""

    rule: str
    """Name of the rule."""
    sentence: str
    """For people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one event made of an account."""

    account: Account
    """Afterwards."""
    closed: tuple[Closed, ...] = ()
    """What ended."""
    opened: Position | None = None
    """What began."""
    refusal: Refusal | None = None
    """Why nothing began."""


def mark_price(account: Account, *, symbol: str, price: float, at: int) -> Step:
    """Tell an account a price: its positions of that market are valued by it, and end by their rules."""
    return _mark(account, symbol, price, at, lambda position: exit_at_price(position, price, at))


def mark_candle(account: Account, candle: Candle, *, symbol: str, clock: int | None = None) -> Step:
    """Tell an account a closed candle; what does not end within it is valued at its close.

    `clock` is the newest moment the account was told of. A candle that comes after a later price still ends what it
    would have ended, but values nothing; to positions opened after its close it says nothing.
    """
    late = clock is not None and clock > candle.close_at
    at = max(candle.close_at, clock) if clock is not None else candle.close_at

    def ends(position: Position) -> Exit | None:
        return exit_in_candle(position, candle) if position.opened_at < candle.close_at else None

    return _mark(account, symbol, None if late else candle.close, at, ends)


def value(account: Account, *, symbol: str, price: float) -> Account:
    """Give an account as it would stand at a price, without ending anything."""
    valued = (replace(one, current_price=price) if one.symbol == symbol else one for one in account.positions)
    return replace(account, positions=tuple(valued))


def close_position(account: Account, position: Position, *, price: float, reason: CloseReason, at: int) -> Step:
    """End one position of an account at a price."""
    return end_positions(account, [(position, Exit(price=price, reason=reason))], at)


def open_position(
    account: Account, *, symbol: str, side: Side, price: float, at: int, size: float | None = None
) -> Step:
    """Open a position, or say which rule forbids it.

    Without a size it has the one of the rules, or a little less where the limit of exposure leaves less, but never
    less than the smallest.

    >>> step = open_position(Account(), symbol="BTCUSDT", side="LONG", price=50_000.0, at=0)
    >>> step.opened.size_usdt, round(step.account.balance, 9), round(step.account.equity, 9)
    (200.0, 9999.8, 9999.8)

    """
    chosen = _size(account, size)
    if isinstance(chosen, Refusal):
        return Step(account=account, refusal=chosen)
    rules = account.rules
    position = Position(
        symbol=symbol,
        side=side,
        size_usdt=chosen,
        leverage=rules.leverage,
        entry_price=price,
        current_price=price,
        take_profit_pct=rules.take_profit_pct,
        stop_loss_pct=rules.stop_loss_pct,
        fees=fee(rules, chosen),
        opened_at=at,
        expires_at=at + round(rules.max_hours * HOUR),
    )
    after = replace(account, balance=account.balance - position.fees, positions=(*account.positions, position))
    return Step(account=after, opened=position)


def take_signal(
    account: Account,
    *,
    symbol: str,
    signal: Signal,
    confidence: float,
    price: float,
    at: int,
    clock: int | None = None,
    forbidden: Refusal | None = None,
) -> Step:
    """Act on a signal at a price: mark it, close what stands against the signal, then open with it.

    Confidence and `forbidden` keep from opening only. FLAT neither opens nor closes: open positions keep their rules.
    `clock` is the newest moment the account was told of. A price from before it values and ends nothing by rules.

    >>> step = take_signal(Account(), symbol="X", signal="LONG", confidence=59.0, price=1.0, at=0)
    >>> step.opened, step.refusal.rule
    (None, 'min_confidence')

    """
    late = clock is not None and clock > at
    marked = Step(account=account) if late else mark_price(account, symbol=symbol, price=price, at=at)
    if signal == "FLAT":
        flat = Refusal(rule="signal", sentence="FLAT opens nothing; open positions keep their rules.")
        return replace(marked, refusal=flat)
    against = [(one, Exit(price=price, reason="SIGNAL_FLIP")) for one in marked.account.positions
               if one.symbol == symbol and one.side == OPPOSITE[signal]]  # fmt: skip
    flipped = end_positions(marked.account, against, at)
    closed = (*marked.closed, *flipped.closed)
    least = account.rules.min_confidence
    if forbidden is None and confidence < least:
        told = f"The confidence {confidence:g} is below {least:g}, from which positions are opened."
        forbidden = Refusal(rule="min_confidence", sentence=told)
    if forbidden is not None:
        return Step(account=flipped.account, closed=closed, refusal=forbidden)
    return replace(open_position(flipped.account, symbol=symbol, side=signal, price=price, at=at), closed=closed)


def _mark(account: Account, symbol: str, price: float | None, at: int, ends: Callable[[Position], Exit | None]) -> Step:
    ending, kept = [], []
    for position in account.positions:
        if position.symbol != symbol:
            kept.append(position)
        elif (exit_ := ends(position)) is not None:
            ending.append((position, exit_))
            kept.append(position)
        else:
            kept.append(position if price is None else replace(position, current_price=price))
    marked = replace(account, positions=tuple(kept))
    _check(marked)
    return end_positions(marked, ending, at)


def end_positions(account: Account, ending: list[tuple[Position, Exit]], at: int) -> Step:
    """End some positions of an account, each at its price."""
    closed: list[Closed] = []
    balance, gone = account.balance, set[int]()
    for position, exit_ in ending:
        done = settle(position, exit_.price)
        balance += done.credit
        gone.add(id(position))
        closed.append(Closed(position=position, exit_price=exit_.price, reason=exit_.reason, pnl=done.pnl,
                             fees=done.fees, at=max(at, position.opened_at)))  # fmt: skip
    kept = tuple(position for position in account.positions if id(position) not in gone)
    after = replace(account, balance=balance, positions=kept)
    _check(after)
    return Step(account=after, closed=tuple(closed))


def _check(account: Account) -> None:
    if not (abs(account.equity) < BELIEVABLE and abs(account.balance) < BELIEVABLE):
        raise Invalid(f"The price would take the account to {account.equity:.3g} USDT: check the price")


def _size(account: Account, wanted: float | None) -> float | Refusal:
    rules, count, left = account.rules, len(account.positions), account.available_exposure
    least = max(rules.min_size_usdt, SMALLEST_SIZE)
    if count >= rules.max_positions:
        told = f"{count} positions are open, of at most {rules.max_positions}."
        return Refusal(rule="max_positions", sentence=told)
    if wanted is not None and wanted < least * (1 - TOLERANCE):
        told = f"{wanted:.2f} USDT is less than the smallest position, {least:.2f} USDT."
        return Refusal(rule="min_size_usdt", sentence=told)
    needed = least if wanted is None else wanted
    if left < needed * (1 - TOLERANCE):
        told = (f"Sizes of {account.exposure:.2f} USDT are open; the limit of {rules.max_exposure_pct:g} % of equity "
                f"{account.equity:.2f} leaves {left:.2f}, and {needed:.2f} are needed.")  # fmt: skip
        return Refusal(rule="max_exposure_pct", sentence=told)
    return min(wanted_size(rules, account.equity), left) if wanted is None else wanted
