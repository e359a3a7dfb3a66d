"""Training of a whole package: from candles to two files, a manifest that proves them, and an honest report."""

import platform
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from stable_baselines3 import PPO

from prediction_service.runtime.packages.instance import Instance
from prediction_service.runtime.paper import Rules
from pumpcast.packages.backtest import Result, run_backtest
from pumpcast.packages.folder import check_place, write_manifest, written
from pumpcast.packages.forecast_report import report_forecast
from pumpcast.packages.forecast_training import FittedForecaster, batches_of, fit_forecaster, forecast_at
from pumpcast.packages.history import History
from pumpcast.packages.parts import Parts, answered, every, split
from pumpcast.packages.policy_training import fit_policy, steps_of
from pumpcast.packages.recipes import Recipe
from pumpcast.packages.report import Report, part_of, verdict
from pumpcast.packages.stage import Stage, make_stage, untrained_policy
from pumpcast.packages.windows import Windows, make_windows
from pumpcast.packages.write import prove, write_files
from shared.contracts.candles import DAY_SECONDS
from shared.contracts.packages import Manifest, Market
from shared.errors import Invalid

Bar = Callable[..., AbstractContextManager[Callable[[int], None]]]
"""bar("what", total=n) gives a function that takes how much is done."""

WARMUP_BARS: Final = 1500
RANDOM_ACCOUNTS: Final = 400
SHORTEST_CANDLE: Final = 60
LIBRARIES: Final = ("pumpcast", "torch", "stable-baselines3", "gymnasium", "numpy", "TA-Lib")


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What to train."""

    name: str
    recipe: Recipe
    epochs: int
    """At most."""
    timesteps: int
    """At least; rollouts are whole."""
    seed: int
    learning_fee_pct: float
    """Paid per side while the policy learns; the report counts the fee of the rules."""
    description: str = ""


def train(history: History, task: Task, out: Path, *, bar: Bar, force: bool = False) -> Report:
    """Train a package and write its folder; nothing is written when anything fails.

    The forecaster is fitted on the first part. The policy learns on the second one, whose forecasts are therefore as
    uncertain as those it will see in service; only the number of epochs was chosen by looking at the first half of it.
    The report is of the third part, by the files as they were written.
    """
    began = time.monotonic()
    check_place(out, force=force)
    candles = history.candles
    if not SHORTEST_CANDLE <= candles.interval_seconds <= DAY_SECONDS:
        raise Invalid(
            f"Candles of {candles.interval_seconds} s: packages are made for candles of {SHORTEST_CANDLE} s to a day"
        )
    parts = split(len(candles), task.recipe)
    windows = make_windows(candles, task.recipe, parts.fit.stop)
    fitted = _fit_forecaster(windows, parts, task, bar)
    learn = _learning(history, windows, parts, fitted, task)
    model = _fit_policy(learn, task, bar)
    manifest = _manifest(history, windows, learn, task)
    with written(out, force=force) as folder:
        digests = write_files(folder, fitted, model)
        instance = Instance.load(folder, manifest)
        end = parts.learn.stop
        probe = prove(instance, fitted, model, candles.part(max(end - WARMUP_BARS, 0), end))
        forecast = report_forecast(windows, parts, forecast_at(windows, fitted.forecaster, every(answered(parts.test))))
        trading = _trade(instance, history, parts, task, bar)
        report = Report(
            name=task.name,
            folder=str(out),
            symbol=history.symbol,
            candles=len(candles),
            left_out=history.left_out,
            fit=part_of(candles, parts.fit),
            learn=part_of(candles, parts.learn),
            test=part_of(candles, parts.test),
            seed=task.seed,
            epochs=fitted.epochs,
            best_epoch=fitted.best_epoch,
            timesteps=model.num_timesteps,
            learning_fee_pct=task.learning_fee_pct,
            seconds=round(time.monotonic() - began, 1),
            forecast=forecast,
            trading=trading,
            verdict=verdict(forecast, trading),
        )
        told = {name: _plain(value) for name, value in asdict(report).items() if name != "folder"}
        proven = manifest.model_copy(update={"sha256": digests, "probe": probe, "report": told})
        write_manifest(folder, Manifest.model_validate(proven.model_dump()))
    return report


def _fit_forecaster(windows: Windows, parts: Parts, task: Task, bar: Bar) -> FittedForecaster:
    with bar("forecaster", total=batches_of(parts, task.epochs)) as advance:
        return fit_forecaster(
            windows, parts, task.recipe.config(), epochs=task.epochs, seed=task.seed, on_progress=advance
        )


def _fit_policy(learn: Stage, task: Task, bar: Bar) -> PPO:
    stage = replace(learn, rules=replace(learn.rules, fee_pct=task.learning_fee_pct))
    with bar("policy", total=steps_of(task.timesteps)) as advance:
        return fit_policy(stage, timesteps=task.timesteps, seed=task.seed, on_progress=advance)


def _learning(history: History, windows: Windows, parts: Parts, fitted: FittedForecaster, task: Task) -> Stage:
    forecasts = forecast_at(windows, fitted.forecaster, every(parts.learn))
    policy = untrained_policy(task.recipe.net_arch)
    stage = make_stage(windows, history.candles, parts.learn, forecasts, policy, symbol=history.symbol, rules=Rules())
    return stage.normalised()


def _manifest(history: History, windows: Windows, learn: Stage, task: Task) -> Manifest:
    seconds = history.candles.interval_seconds
    return Manifest(
        market=Market(interval_seconds=seconds, warmup_bars=WARMUP_BARS, symbol=history.symbol),
        forecast=windows.forecast,
        policy=learn.policy,
        versions={"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}},
        description=task.description,
    )


def _trade(instance: Instance, history: History, parts: Parts, task: Task, bar: Bar) -> Result:
    start = parts.test.start
    backtest = run_backtest(
        instance,
        history.candles.part(start - WARMUP_BARS + 1, len(history.candles)),
        symbol=history.symbol,
        since=int(history.candles.close_time[start]),
        runs=RANDOM_ACCOUNTS,
        seed=task.seed,
        progress=lambda what, total: bar(what, total=total),
    )
    return backtest.result(task.name)


def _plain(value: Any) -> Any:
    """Give what JSON can hold, floats with six significant digits."""
    match value:
        case dict():
            return {name: _plain(part) for name, part in value.items()}
        case list() | tuple():
            return [_plain(part) for part in value]
        case datetime():
            return value.isoformat()
        case float():
            return float(f"{value:.6g}")
        case _:
            return value
