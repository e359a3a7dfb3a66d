"""A package tried on candles of the past, beside buying and holding, and beside chance."""

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from prediction_service.runtime.packages.candles import Candles
from prediction_service.runtime.paper import Rules
from pumpcast.packages.chance import Chance, trade_at_random
from pumpcast.packages.figures import Curve, buy_and_hold, describe
from pumpcast.packages.history import moment
from pumpcast.packages.walk import INITIAL_BALANCE, Walk, first_signal, live_decisions, walk
from shared.errors import Invalid

if TYPE_CHECKING:
    from prediction_service.runtime.packages.instance import Instance

Floats = NDArray[np.float64]
Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""What is done, how much in all → what hears how much is done."""

ENOUGH_TRADES: Final = 30
"""Below, a share of winners is told with a warning: its standard error is above nine points."""
BAND: Final = (5.0, 50.0, 95.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """Everything a backtest found."""

    symbol: str
    candles: Candles
    """Of the whole history, with those before the first signal."""
    walk: Walk
    rules: Rules
    hold: Floats
    """(k,) equity of buying and holding with all there is."""
    hold_at_limit: Floats
    """(k,) the same with as much as an account may have open."""
    chance: Chance
    seed: int
    trained_on: int
    """Candles with a signal that the package says it was trained on."""

    @property
    def close_time(self) -> NDArray[np.int64]:
        """(k,) microseconds of each signal."""
        return self.candles.close_time[self.walk.start :]

    @property
    def band(self) -> Floats:
        """(3, k) equity of random accounts: 5 %, median, 95 %."""
        band: Floats = np.percentile(self.chance.equity, BAND, axis=0)
        return band

    @property
    def beaten_pct(self) -> float:
        """Share of random accounts that ended below the package; half of those that ended level."""
        ends, own = self.chance.equity[:, -1], self.walk.equity[-1]
        return float(np.mean(ends < own) + np.mean(ends == own) / 2) * 100

    def result(self, package: str) -> "Result":
        """Give the figures for people and programs."""
        trades = self.walk.closed
        return Result(
            package=package,
            symbol=self.symbol,
            first_signal=moment(self.close_time[0]).isoformat(),
            last_close=moment(self.close_time[-1]).isoformat(),
            candles=len(self.walk.equity),
            interval_seconds=self.candles.interval_seconds,
            initial_equity=INITIAL_BALANCE,
            account=self._curve(self.walk.equity),
            positions_opened=len(self.walk.opened),
            trades=len(trades),
            open_at_the_end=len(self.walk.account.positions),
            win_rate_pct=round(100 * sum(one.pnl > 0 for one in trades) / len(trades), 2) if trades else None,
            fees_usdt=round(sum(one.fees for one in trades) + sum(one.fees for one in self.walk.account.positions), 4),
            time_in_market_pct=round(100 * float(np.mean(self.walk.long_size + self.walk.short_size > 0)), 2),
            closed_by=dict(sorted(Counter(one.reason for one in trades).items())),
            signals=dict(sorted(Counter(one.signal for one in self.walk.decisions).items())),
            buy_and_hold=self._curve(self.hold),
            limit_usdt=self.rules.max_exposure_pct / 100 * INITIAL_BALANCE,
            buy_and_hold_at_limit=self._curve(self.hold_at_limit),
            random=self._random(),
            sharpe_means="mean / standard deviation of returns from candle to candle · √(candles in 365 days), "
            "risk-free rate 0",
            remarks=self._remarks(),
        )

    def _curve(self, equity: Floats) -> Curve:
        return describe(equity, initial=INITIAL_BALANCE, interval_seconds=self.candles.interval_seconds)

    def _random(self) -> "RandomAccounts":
        low, median, high = (round(float(value), 4) for value in self.band[:, -1])
        return RandomAccounts(
            runs=len(self.chance.equity),
            seed=self.seed,
            trades_on_average=round(self.chance.trades, 2),
            final_equity_5_pct=low,
            final_equity_median=median,
            final_equity_95_pct=high,
            beaten_pct=round(self.beaten_pct, 2),
        )

    def _remarks(self) -> list[str]:
        trades, unclosed = len(self.walk.closed), len(self.walk.account.positions)
        remarks = ["The past of one market, with the prices of its candles and no slippage, promises nothing."]
        if not self.walk.opened:
            return ["The package opened no position: there is nothing to judge.", *remarks]
        if trades < ENOUGH_TRADES:
            remarks.insert(0, f"Closed trades: {trades}. That is too few to tell skill from luck.")
        if self.trained_on:
            told = (
                f"The package was trained on {self.trained_on:,} of these candles: a past that it knows proves nothing."
            )
            remarks.insert(0, told)
        if unclosed:
            remarks.append(f"Open at the end: {unclosed}, valued at the last close; closing them still costs its fee.")
        return remarks


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomAccounts:
    """Where accounts ended that traded as often at random."""

    runs: int
    seed: int
    trades_on_average: float
    """Positions opened."""
    final_equity_5_pct: float
    final_equity_median: float
    final_equity_95_pct: float
    beaten_pct: float
    """Of them ended below the package, half of those counted that ended level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Figures of a backtest; equity and fees in USDT."""

    package: str
    symbol: str
    first_signal: str
    last_close: str
    candles: int
    """With a signal."""
    interval_seconds: int
    initial_equity: float
    account: Curve
    """That of the package."""
    positions_opened: int
    trades: int
    """Positions that were closed."""
    open_at_the_end: int
    win_rate_pct: float | None
    """Closed positions with a profit after fees."""
    fees_usdt: float
    time_in_market_pct: float
    """Candles at whose close a position was open."""
    closed_by: dict[str, int]
    signals: dict[str, int]
    buy_and_hold: Curve
    """With all there is."""
    limit_usdt: float
    """What an account may have open at the start."""
    buy_and_hold_at_limit: Curve
    """With so much."""
    random: RandomAccounts
    sharpe_means: str
    remarks: list[str]


def run_backtest(
    instance: "Instance",
    candles: Candles,
    *,
    symbol: str,
    since: int | None,
    runs: int,
    seed: int,
    progress: Progress,
) -> Backtest:
    """Trade a loaded package over a history without gaps; before `since`, microseconds, it only looks."""
    market = instance.manifest.market
    if market.interval_seconds != candles.interval_seconds:
        raise Invalid(
            f"The package is made for candles of {market.interval_seconds} s, these are of {candles.interval_seconds} s"
        )
    start = first_signal(candles, market.warmup_bars, since)
    count, rules = len(candles) - start, Rules()
    with progress("candles", count) as told:
        decide = live_decisions(instance, candles)
        done = walk(candles, decide, symbol=symbol, start=start, rules=rules, told=told)
    sides = np.array(done.opened)
    with progress("chance", 4 * count) as told:
        chance = trade_at_random(
            candles,
            start=start,
            rules=rules,
            trades=len(sides),
            long_share=float((sides > 0).mean()) if len(sides) else 0.5,
            runs=runs,
            seed=seed,
            told=told,
        )
    limit = rules.max_exposure_pct / 100 * INITIAL_BALANCE
    close = candles.close[start:]
    return Backtest(
        symbol=symbol,
        candles=candles,
        walk=done,
        rules=rules,
        hold=buy_and_hold(close, initial=INITIAL_BALANCE, size=None, fee_pct=rules.fee_pct),
        hold_at_limit=buy_and_hold(close, initial=INITIAL_BALANCE, size=limit, fee_pct=rules.fee_pct),
        chance=chance,
        seed=seed,
        trained_on=_trained_on(instance.manifest.report, symbol, candles.close_time[start:]),
    )


def _trained_on(report: dict[str, Any], symbol: str, close_time: NDArray[np.int64]) -> int:
    """Count the closes that lie between the first and the last of training, as far as the trainer says; else 0."""
    try:
        first, last = (
            datetime.fromisoformat(report[part][edge]) for part, edge in (("fit", "start"), ("learn", "end"))
        )
        known = (close_time >= first.timestamp() * 1e6) & (close_time <= last.timestamp() * 1e6)
    except (KeyError, TypeError, ValueError, OverflowError):
        return 0
    return int(known.sum()) if report.get("symbol") == symbol else 0
