"""Many accounts that trade at random, by the same rules and as often as a package did."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from prediction_service.runtime.packages.candles import Candles
from prediction_service.runtime.paper import HOUR, SMALLEST_SIZE, TOLERANCE, Rules
from pumpcast.packages.walk import INITIAL_BALANCE

Floats = NDArray[np.float64]
Sides = NDArray[np.int8]

_ROUNDS: Final = 4
_NEAR: Final = 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class Chance:
    """What random accounts did."""

    equity: Floats
    """(runs, k) USDT after the signal at the close of each candle."""
    trades: float
    """Positions an account opened, on average."""


def trade_at_random(
    candles: Candles,
    *,
    start: int,
    rules: Rules,
    trades: int,
    long_share: float,
    runs: int,
    seed: int,
    told: Callable[[int], None],
) -> Chance:
    """Let accounts toss for every candle whether to signal LONG or SHORT, so often that each opens `trades` on average.

    What limits forbid is not opened, so the rate of signals is found by trying, in at most four rounds; the last round
    is the result. The same seed gives the same accounts. `told` hears how many candles are done, of four rounds.
    """
    count = len(candles) - start
    random = np.random.default_rng(seed)
    tossed = random.random((count, runs), np.float32)
    sides = np.where(random.random((count, runs), np.float32) < long_share, 1, -1).astype(np.int8)
    rate = min(trades / count, 1.0)
    chance = Chance(equity=np.full((runs, count), INITIAL_BALANCE), trades=0.0)
    if not trades:
        return chance
    for done in range(_ROUNDS):
        signals = np.where(tossed < rate, sides, 0).astype(np.int8)
        chance = simulate(candles, signals, start=start, rules=rules, told=partial(_told_on, told, done * count))
        if abs(chance.trades / trades - 1) < _NEAR or (rate >= 1 and chance.trades < trades):
            break
        rate = min(rate * trades / max(chance.trades, 1.0), 1.0)
    return chance


def simulate(candles: Candles, signals: Sides, *, start: int, rules: Rules, told: Callable[[int], None]) -> Chance:
    """Trade accounts side by side by the rules of paper trading.

    Shapes and types: signals int8 (k, runs) of 1 long, −1 short, 0 nothing, at the closes of the candles from `start`
    on; all are confident enough to open.
    NaN: none. Raises: nothing.
    Source: `paper_account`, whose steps these are for one account; a test holds them together.
    """
    accounts = _Accounts(signals.shape[1], rules)
    equity = np.empty((signals.shape[1], len(signals)))
    for number, place in enumerate(range(start, len(candles))):
        accounts.live_through(
            *(float(series[place]) for series in (candles.open, candles.high, candles.low, candles.close)),
            open_at=int(candles.open_time[place]),
            close_at=int(candles.close_time[place]),
        )
        accounts.take(signals[number], float(candles.close[place]), int(candles.close_time[place]))
        equity[:, number] = accounts.equity(float(candles.close[place]))
        told(number + 1)
    return Chance(equity=equity, trades=float(accounts.opened.mean()))


def _told_on(told: Callable[[int], None], before: int, done: int) -> None:
    told(before + done)


class _Accounts:
    """Accounts as arrays: one row an account, one column a place for a position; side 0 is an empty place."""

    def __init__(self, runs: int, rules: Rules) -> None:
        self._rules = rules
        shape = (runs, rules.max_positions)
        self._side, self._size, self._entry = np.zeros(shape), np.zeros(shape), np.ones(shape)
        self._expires = np.zeros(shape, np.int64)
        self._balance = np.full(runs, INITIAL_BALANCE)
        self.opened = np.zeros(runs, np.int64)

    def equity(self, price: float) -> Floats:
        equity: Floats = self._balance + self._profit(price).sum(axis=1)
        return equity

    def live_through(
        self, opened: float, high: float, low: float, close: float, *, open_at: int, close_at: int
    ) -> None:
        """End what a candle ends."""
        if not self._side.any():
            return
        rules = self._rules
        stop, profit = rules.stop_loss_pct / 100 / rules.leverage, rules.take_profit_pct / 100 / rules.leverage
        stop_price, profit_price = self._entry * (1 - self._side * stop), self._entry * (1 + self._side * profit)
        worst, best = np.where(self._side > 0, low, high), np.where(self._side > 0, high, low)
        at_open = self._beyond(opened) | (self._expires <= open_at)
        stopped = self._gain(worst) <= -rules.stop_loss_pct + TOLERANCE * 100
        paid = self._gain(best) >= rules.take_profit_pct - TOLERANCE * 100
        price = np.where(paid, np.clip(profit_price, low, high), close)
        price = np.where(stopped, np.clip(stop_price, low, high), price)
        price = np.where(at_open, opened, price)
        self._end(at_open | stopped | paid | (self._expires <= close_at), price)

    def take(self, signal: Sides, price: float, at: int) -> None:
        """Close what stands against the signals, then open by them as far as the rules allow."""
        if not signal.any():
            return
        rules = self._rules
        self._end(self._side * signal[:, None] < 0, np.full(self._side.shape, price))
        equity = self.equity(price)
        least = max(rules.min_size_usdt, SMALLEST_SIZE)
        left = np.maximum(rules.max_exposure_pct / 100 * equity - self._size.sum(axis=1), 0.0)
        size = np.minimum(np.maximum(rules.size_pct / 100 * equity, least), left)
        free = self._side == 0
        runs = np.flatnonzero((signal != 0) & free.any(axis=1) & (left >= least * (1 - TOLERANCE)))
        places = (runs, free[runs].argmax(axis=1))
        self._side[places], self._size[places], self._entry[places] = signal[runs], size[runs], price
        self._expires[places] = at + round(rules.max_hours * HOUR)
        self._balance[runs] -= rules.fee_pct / 100 * size[runs]
        self.opened[runs] += 1

    def _gain(self, price: Floats | float) -> Floats:
        """Return on margin, percent; of an empty place nothing."""
        return self._side * (price / self._entry - 1) * self._rules.leverage * 100

    def _beyond(self, price: float) -> NDArray[np.bool_]:
        gain = self._gain(price)
        stopped = gain <= -self._rules.stop_loss_pct + TOLERANCE * 100
        return stopped | (gain >= self._rules.take_profit_pct - TOLERANCE * 100)

    def _profit(self, price: Floats | float) -> Floats:
        return self._side * self._size * (price / self._entry - 1)

    def _end(self, ending: NDArray[np.bool_], price: Floats) -> None:
        ending = ending & (self._side != 0)
        credit = self._profit(price) - self._rules.fee_pct / 100 * self._size
        self._balance += np.where(ending, credit, 0.0).sum(axis=1)
        self._side[ending] = self._size[ending] = 0.0
