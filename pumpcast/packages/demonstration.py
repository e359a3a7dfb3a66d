"""The package that comes with the project, made again: `python -m pumpcast.packages.demonstration`."""

import shutil
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Final

from prediction_service.runtime.packages import demo
from pumpcast.console import progress
from pumpcast.market.candles import INTERVAL_SECONDS, SYMBOL, simulate_candles
from pumpcast.packages.folder import FILES
from pumpcast.packages.history import History, as_candles
from pumpcast.packages.recipes import RECIPES
from pumpcast.packages.report import described
from pumpcast.packages.train import Task, train

SEED: Final = 20_240_101
"""Another market than those that are simulated for a look."""
BARS: Final = 35_040
START: Final = datetime(2023, 1, 1, tzinfo=UTC)
DESCRIPTION: Final = (
    "Demonstration: trained on simulated candles only, to show what a package is and does. It knows nothing of any "
    "real market, and in the simulated one fees take more than it earns."
)
TASK: Final = Task(
    name="PPO v1 (demonstration)",
    recipe=RECIPES["tiny"],
    epochs=12,
    timesteps=150_000,
    seed=1,
    learning_fee_pct=0.03,
    description=DESCRIPTION,
)


def make(target: Path) -> str:
    """Train the demonstration and put its files into a folder; give its report."""
    rows = simulate_candles(SEED, START, BARS)
    history = History(symbol=SYMBOL, candles=as_candles(rows, INTERVAL_SECONDS), left_out=0)
    with tempfile.TemporaryDirectory() as waiting:
        made = Path(waiting) / "demonstration"
        report = train(history, TASK, made, bar=progress)
        for name in FILES:
            shutil.copyfile(made / name, target / name)
    return described(replace(report, folder=str(target)))


if __name__ == "__main__":
    sys.stdout.write(make(Path(str(files(demo)))) + "\n")
