"""A package traded over candles of the past, candle by candle as it would have been live."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from prediction_service.runtime.packages.candles import Candles
from prediction_service.runtime.paper import Candle, Rules
from prediction_service.runtime.paper_account import Account, Closed, mark_candle, take_signal
from shared.errors import Invalid

if TYPE_CHECKING:
    from prediction_service.runtime.packages.decoder import Decision
    from prediction_service.runtime.packages.instance import Instance

Floats = NDArray[np.float64]
Decide = Callable[[int, Account], "Decision"]
"""Place of a candle that has closed, account at its close → what to do there."""

INITIAL_BALANCE: Final = 10_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """What became of an account; arrays have an entry for each candle from the first signal on."""

    start: int
    """Place of the first signal's candle."""
    equity: Floats
    """(k,) USDT after the signal at the close of each candle."""
    long_size: Floats
    """(k,) USDT of open long positions then."""
    short_size: Floats
    decisions: "tuple[Decision, ...]"
    """(k,)"""
    opened: tuple[int, ...]
    """For each position in order: 1 long, −1 short."""
    closed: tuple[Closed, ...]
    """Positions that ended, in order."""
    account: Account
    """At the end."""


def walk(
    candles: Candles, decide: Decide, *, symbol: str, start: int, rules: Rules, told: Callable[[int], None]
) -> Walk:
    """Trade from the close of the candle at `start` to the last one, with fees and the rules of paper trading.

    Each closed candle is first told to the account, which ends positions by their rules; then the package answers, and
    its signal is taken at the close. `told` hears how many candles are done.
    """
    account = Account(rules=rules, balance=INITIAL_BALANCE)
    count = len(candles) - start
    equity, long_size, short_size = np.empty(count), np.empty(count), np.empty(count)
    decisions: list[Decision] = []
    opened: list[int] = []
    closed: list[Closed] = []
    for number, place in enumerate(range(start, len(candles))):
        candle = candle_at(candles, place)
        marked = mark_candle(account, candle, symbol=symbol)
        decision = decide(place, marked.account)
        step = take_signal(
            marked.account,
            symbol=symbol,
            signal=decision.signal,
            confidence=decision.confidence,
            price=candle.close,
            at=candle.close_at,
        )
        account = step.account
        decisions.append(decision)
        closed += [*marked.closed, *step.closed]
        if step.opened is not None:
            opened.append(step.opened.direction)
        sizes = [position.direction * position.size_usdt for position in account.positions]
        equity[number] = account.equity
        long_size[number] = sum(size for size in sizes if size > 0)
        short_size[number] = -sum(size for size in sizes if size < 0)
        told(number + 1)
    return Walk(start=start, equity=equity, long_size=long_size, short_size=short_size, decisions=tuple(decisions),
                opened=tuple(opened), closed=tuple(closed), account=account)  # fmt: skip


def candle_at(candles: Candles, place: int) -> Candle:
    """Give one candle as an account takes it."""
    return Candle(
        open=float(candles.open[place]),
        high=float(candles.high[place]),
        low=float(candles.low[place]),
        close=float(candles.close[place]),
        open_at=int(candles.open_time[place]),
        close_at=int(candles.close_time[place]),
    )


def live_decisions(instance: "Instance", candles: Candles) -> Decide:
    """Give what the package answers at the close of a candle: to the bit what `Instance.answer` says of its window.

    Only what does not depend on where the window starts is computed once for all of them. Forecasts are made one at a
    time, as several at once differ in the last digits.
    """
    from prediction_service.runtime.packages.account import account_features, account_state
    from prediction_service.runtime.packages.core import CoreWindows

    bars = instance.manifest.market.warmup_bars
    windows = CoreWindows(candles, bars)

    def decide(place: int, account: Account) -> "Decision":
        state = account_features(account_state(account, at=int(candles.close_time[place])))
        seen = candles.part(place + 1 - bars, place + 1)
        return instance.answer_from(windows.ending(place + 1), seen, state).decision

    return decide


def first_signal(candles: Candles, warmup_bars: int, since: int | None) -> int:
    """Give the place of the first candle that closes at or after `since`, microseconds, with `warmup_bars` candles."""
    if len(candles) <= warmup_bars:
        raise Invalid(
            f"{len(candles)} candles without a gap are too few: the package needs {warmup_bars} for its first signal, "
            "and one after it"
        )
    start = warmup_bars - 1
    if since is not None:
        start = max(start, int(np.searchsorted(candles.close_time, since)))
    if start >= len(candles) - 1:
        last = datetime.fromtimestamp(int(candles.close_time[-1]) / 1e6, UTC)
        raise Invalid(f"The candles end at {last:%Y-%m-%dT%H:%M:%SZ}: begin to trade before that")
    return start
