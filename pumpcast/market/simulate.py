"""A simulated pump.fun market, as history and as a live feed: one model, one seed, the same coins."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Final

import numpy as np
import pyarrow as pa

from pumpcast.market import bonding_curve
from pumpcast.market import coins as crowd
from pumpcast.market.coins import TICK_SECONDS, Coins
from pumpcast.market.recorder import ROW, Flaws, Recorder, Rows, to_table
from shared.errors import Invalid

TICKS_PER_MINUTE: Final = 60 // TICK_SECONDS
QUIET_TICKS: Final = 10 * TICKS_PER_MINUTE
TRACKED_TICKS: Final = 120 * TICKS_PER_MINUTE
# Recording starts in a market that is already going on.
WARM_UP_TICKS: Final = 20 * TICKS_PER_MINUTE
BASE58: Final = np.frombuffer(b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz", dtype=np.uint8)


class _Market:
    """The market and its tracker, one tick after the other."""

    def __init__(self, *, seed: int, start: datetime, coins_per_minute: float, flaws: Flaws) -> None:
        if start.tzinfo is None:
            raise Invalid("start needs a time zone, for example 2026-01-01T00:00:00Z")
        if not 0 < coins_per_minute <= 10_000:
            raise Invalid(f"coins per minute must lie above 0 and at most at 10000, not {coins_per_minute:g}")
        self._rng = np.random.default_rng(seed)
        whole_ticks = int(start.timestamp()) // TICK_SECONDS * TICK_SECONDS
        self._recorder = Recorder(
            np.random.default_rng([seed, 1]),
            start_us=(whole_ticks - WARM_UP_TICKS * TICK_SECONDS) * 1_000_000,
            flaws=flaws,
        )
        self._births = coins_per_minute / TICKS_PER_MINUTE
        self._tick = 0
        self.mints: list[str] = []
        self._coins: Coins = crowd.born(self._rng, 0, first_number=0, tick=0)
        for _ in range(WARM_UP_TICKS):
            self.tick()
        self._recorder.blind(len(self._coins))

    def tick(self, *, recording: bool = True) -> Rows:
        """Let five seconds pass; give the rows that were committed at their end."""
        newborn = int(self._rng.poisson(self._births))
        if newborn:
            self._coins = self._coins.joined(
                crowd.born(self._rng, newborn, first_number=len(self.mints), tick=self._tick)
            )
            self.mints.extend(self._names(newborn))
        coins = self._coins
        trades = crowd.trade(self._rng, coins)
        graduated = coins.reserves >= bonding_curve.VIRTUAL_SOL + bonding_curve.GRADUATION_SOL
        silent = coins.quiet > QUIET_TICKS
        finished = (self._tick - coins.born >= TRACKED_TICKS) & (coins.quiet == 0)
        gone = graduated | silent | finished
        if recording:
            rows = self._recorder.watch(coins, trades, tick=self._tick, gone=gone, finished=finished)
        else:
            rows = np.zeros(0, dtype=ROW)
        if gone.any():
            self._coins = coins.take(~gone)
        if not recording:
            self._recorder.blind(len(self._coins))
        self._tick += 1
        return rows

    def _names(self, size: int) -> list[str]:
        letters = BASE58[self._rng.integers(0, len(BASE58), (size, 40))]
        return [bytes(row).decode() + "pump" for row in letters]


def simulate_history(
    *,
    seed: int,
    start: datetime,
    minutes: int,
    coins_per_minute: float = 3,
    outage_minutes: int | None = None,
    flaws: Flaws | None = None,
) -> pa.Table:
    """Give what a tracker recorded of a simulated market, in the order of its inserts, ids from 1.

    Recording fails for a while (`outage_minutes`; an hour when the history spans at least eight) after three fifths.
    """
    if minutes < 1:
        raise Invalid(f"minutes must be at least 1, not {minutes}")
    if outage_minutes is None:
        outage_minutes = 60 if minutes >= 480 else 0
    market = _Market(seed=seed, start=start, coins_per_minute=coins_per_minute, flaws=flaws or Flaws())
    dark_from = minutes * 3 // 5 * TICKS_PER_MINUTE
    dark = range(dark_from, dark_from + outage_minutes * TICKS_PER_MINUTE)
    parts = [market.tick(recording=tick not in dark) for tick in range(minutes * TICKS_PER_MINUTE)]
    return to_table(np.concatenate(parts), market.mints, first_id=1)


def live(
    *, seed: int, start: datetime | None = None, coins_per_minute: float = 3, flaws: Flaws | None = None
) -> Iterator[tuple[datetime, pa.Table]]:
    """Give (end of the tick, rows committed then) for every five seconds of market time, endlessly; never waits."""
    start = start or datetime.now(UTC)
    market = _Market(seed=seed, start=start, coins_per_minute=coins_per_minute, flaws=flaws or Flaws())
    whole_ticks = int(start.timestamp()) // TICK_SECONDS * TICK_SECONDS
    first_id = 1
    for tick in count(1):
        rows = market.tick()
        yield (
            datetime.fromtimestamp(whole_ticks + tick * TICK_SECONDS, UTC),
            to_table(rows, market.mints, first_id=first_id),
        )
        first_id += len(rows)
