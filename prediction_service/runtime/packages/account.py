"""The block account9: what a policy sees of the account it trades on."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STEP_SECONDS: Final = 900
LONGEST_STEPS: Final = 192
MOST_EXPOSURE: Final = 0.1
NO_SIDE, LONG_SIDE, SHORT_SIDE = 0.0, 1.0, 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountState:
    """An account as a policy sees it; the fields are the block, in its order."""

    position_count: float = 0.0
    """Open positions."""
    side: float = NO_SIDE
    """0 without a position, 1 long, 2 short (of the oldest position)."""
    exposure: float = 0.0
    """Margin of all open positions / equity."""
    notional: float = 0.0
    """Size of all open positions / equity."""
    unrealised_pnl: float = 0.0
    """Of all open positions / equity."""
    steps_in_trade: float = 0.0
    """Age of the oldest position in steps of 15 minutes."""
    steps_left: float = float(LONGEST_STEPS)
    """Until the oldest position expires, in steps of 15 minutes: 192 are the 48 hours of a position."""
    liquidation_buffer: float = 1.0
    """Share of its margin that the worst position still has: 1 when nothing is lost or open, 0 when it is used up."""
    available_exposure: float = MOST_EXPOSURE
    """What may still be opened / equity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """An open position, as far as the state of its account depends on it."""

    is_long: bool
    size_usdt: float
    """Notional."""
    leverage: float
    pnl_usdt: float
    """Unrealised, at the price of now."""
    age_seconds: float


def account_features(state: AccountState) -> Floats:
    """Give the block account9, float64 (9,), in the units and the order of the fields of `AccountState`.

    >>> account_features(AccountState()).tolist()
    [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 192.0, 1.0, 0.1]
    """
    return np.array(astuple(state), np.float64)


def summarise(
    holdings: Sequence[Holding],
    *,
    equity_usdt: float,
    most_exposure: float = MOST_EXPOSURE,
    longest_seconds: float = LONGEST_STEPS * STEP_SECONDS,
) -> AccountState:
    """Describe an account by its open positions, oldest first.

    Shapes and types: plain numbers in and out. Units: USDT and seconds in; out as told at `AccountState`.
    Ranges: exposure, notional ≥ 0; liquidation_buffer and available_exposure within 0–1; steps_left ≥ 0.
    NaN: none. An account whose equity is used up is described as if 1 USDT were left, and has nothing available.
    Raises: nothing.

    >>> trade = Holding(is_long=False, size_usdt=700.0, leverage=7.0, pnl_usdt=-25.0, age_seconds=1800.0)
    >>> state = summarise([trade], equity_usdt=10_000.0)
    >>> state.side, state.exposure, state.notional, state.unrealised_pnl, state.steps_in_trade, state.steps_left
    (2.0, 0.01, 0.07, -0.0025, 2.0, 190.0)
    >>> state.liquidation_buffer, round(state.available_exposure, 9)
    (0.75, 0.03)
    """
    if not holdings:
        return AccountState(available_exposure=most_exposure if equity_usdt > 0 else 0.0,
                            steps_left=longest_seconds / STEP_SECONDS)  # fmt: skip
    equity = equity_usdt if equity_usdt > 0 else 1.0
    size = sum(holding.size_usdt for holding in holdings)
    oldest = max(holding.age_seconds for holding in holdings)
    buffers = (1.0 + holding.pnl_usdt * holding.leverage / holding.size_usdt for holding in holdings)
    return AccountState(
        position_count=float(len(holdings)),
        side=LONG_SIDE if holdings[0].is_long else SHORT_SIDE,
        exposure=sum(holding.size_usdt / holding.leverage for holding in holdings) / equity,
        notional=size / equity,
        unrealised_pnl=sum(holding.pnl_usdt for holding in holdings) / equity,
        steps_in_trade=oldest / STEP_SECONDS,
        steps_left=max(longest_seconds - oldest, 0.0) / STEP_SECONDS,
        liquidation_buffer=min(max(min(buffers), 0.0), 1.0),
        available_exposure=max(most_exposure - size / equity, 0.0) if equity_usdt > 0 else 0.0,
    )


EMPTY_ACCOUNT: Final = account_features(AccountState())
EMPTY_ACCOUNT.setflags(write=False)
