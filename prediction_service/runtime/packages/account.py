"""The block account9: what a policy sees of the account it trades on."""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from prediction_service.runtime.paper_account import Account

Floats = NDArray[np.float64]

STEP: Final = 900_000_000
"""Microseconds that the block counts time in."""
NO_SIDE: Final = 0.0
LONG_SIDE: Final = 1.0
SHORT_SIDE: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountState:
    """An account as a policy sees it; the fields are the block, in its order."""

    position_count: float = 0.0
    """Open positions."""
    side: float = NO_SIDE
    """0 without a position, 1 long, 2 short: that of the oldest."""
    exposure: float = 0.0
    """Margin of all open positions / equity."""
    notional: float = 0.0
    """Size of all open positions / equity."""
    unrealised_pnl: float = 0.0
    """Of all open positions / equity."""
    steps_in_trade: float = 0.0
    """Age of the oldest position in steps of 15 minutes."""
    steps_left: float = 192.0
    """Until the first position expires, in steps of 15 minutes; without one the longest time: 192 are 48 hours."""
    liquidation_buffer: float = 1.0
    """Share of its margin that the worst position still has, 0–1: 1 when nothing is lost or open, 0 when it is gone."""
    available_exposure: float = 0.1
    """Size that may still be opened / equity."""


_FIELDS: Final = tuple(field.name for field in fields(AccountState))


def account_features(state: AccountState) -> Floats:
    """Give the block account9, float64 (9,), in the units and the order of the fields of `AccountState`.

    >>> account_features(AccountState()).tolist()
    [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 192.0, 1.0, 0.1]
    """
    return np.array([getattr(state, name) for name in _FIELDS], np.float64)


def account_state(account: Account, *, at: int) -> AccountState:
    """Describe an account and its open positions at their latest prices.

    Shapes and types: an account in, plain numbers out; `at` in microseconds since 1970, UTC.
    Units and ranges: as told at the fields of `AccountState`; times, exposure, notional, available_exposure are ≥ 0.
    NaN: none. Equity that is used up is taken as 1 USDT, so that shares of it stay finite.
    Raises: nothing.
    Source: the nine numbers of the standard layout; its buffer is 1 there throughout, here it is the real one.

    >>> from prediction_service.runtime.paper import HOUR
    >>> from prediction_service.runtime.paper_account import mark_price, open_position
    >>> opened = open_position(Account(), symbol="X", side="SHORT", price=100.0, at=0, size=700.0).account
    >>> state = account_state(mark_price(opened, symbol="X", price=100.25, at=HOUR).account, at=HOUR)
    >>> state.position_count, state.side, state.steps_in_trade, state.steps_left, round(state.liquidation_buffer, 9)
    (1.0, 2.0, 4.0, 188.0, 0.9825)
    >>> [round(share, 4) for share in (state.exposure, state.notional, state.unrealised_pnl, state.available_exposure)]
    [0.01, 0.07, -0.0002, 0.03]
    """
    equity = account.equity if account.equity > 0 else 1.0
    available = min(account.available_exposure / equity, account.rules.max_exposure_pct / 100)
    longest = account.rules.max_hours * 3_600_000_000 / STEP
    if not account.positions:
        return AccountState(available_exposure=available, steps_left=longest)
    worst = min(position.margin_return_pct for position in account.positions)
    return AccountState(
        position_count=float(len(account.positions)),
        side=LONG_SIDE if account.positions[0].side == "LONG" else SHORT_SIDE,
        exposure=sum(position.margin for position in account.positions) / equity,
        notional=account.exposure / equity,
        unrealised_pnl=account.unrealised_pnl / equity,
        steps_in_trade=max(at - min(position.opened_at for position in account.positions), 0) / STEP,
        steps_left=max(min(position.expires_at for position in account.positions) - at, 0) / STEP,
        liquidation_buffer=min(max(1 + worst / 100, 0.0), 1.0),
        available_exposure=available,
    )


EMPTY_ACCOUNT: Final = account_features(AccountState())
EMPTY_ACCOUNT.setflags(write=False)
