"""Packages trained for a test: small networks on simulated candles."""

from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from pumpcast.market.candles import simulate_candles
from pumpcast.packages.history import History, as_candles
from pumpcast.packages.recipes import Recipe

RECIPE = Recipe(
    channels=("ret_1", "hl_range_pct"),
    context_length=64, patch_length=32, patch_stride=32, d_model=8, heads=1, layers=1, pooling="mean", net_arch=(8,),
)  # fmt: skip
ENOUGH = 3861
"""Candles that RECIPE needs."""
START = datetime(2026, 1, 1, tzinfo=UTC)


def table(bars: int = ENOUGH, *, seed: int = 5, symbol: str = "SIMUSDT", interval_seconds: int = 900) -> pa.Table:
    return simulate_candles(seed, START, bars, interval_seconds, symbol=symbol)


def history(bars: int = ENOUGH, *, seed: int = 5) -> History:
    return History(symbol="SIMUSDT", candles=as_candles(table(bars, seed=seed), 900), left_out=0)


@contextmanager
def no_bar(what: str, *, total: int | None) -> Any:
    yield lambda _: None


def train_small(history: History, folder: Path, **changed: Any) -> Any:
    """Train RECIPE for two epochs and one rollout."""
    from pumpcast.packages.train import Task, train

    given = {"name": "Small", "recipe": RECIPE, "epochs": 2, "timesteps": 256, "seed": 3, "learning_fee_pct": 0.1}
    return train(history, Task(**{**given, **changed}), folder, bar=no_bar)
