"""Half a million rows and 35 features to a model file, beside the straightforward way, each in a process of its own."""

import json
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib.abc import MetaPathFinder
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow as pa

from benchmarks.market import START, filled_database, simulated_table
from benchmarks.stopwatch import in_process, peak_bytes
from shared.coin_metrics.columns import BASE_FEATURES
from shared.contracts.model_request import CreateModel
from shared.features.families import FAMILY

ROWS = 500_000
HOURS = 11
COINS_PER_MINUTE = 6
WINDOWS = (5, 10, 15, 30, 60)
FEATURES = [f"{family}_{window}" for family in FAMILY for window in WINDOWS]
TIMES = 3
TIME_GOAL, MEMORY_GOAL = 5, 3
WAYS = ("ours", "naive", "frugal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Medians of one way."""

    seconds: float
    """From the start of loading to the model file; libraries that are imported on the way included."""
    processor_seconds: float
    """Used by all threads of the process."""
    process_seconds: float
    """From the start of the process to its end."""
    megabytes: float
    """Most that the process held, interpreter and libraries included."""
    steps: Mapping[str, Mapping[str, float]]
    """`seconds` and `processor_seconds` of each step, and the most that the process held by its end, in order."""
    figures: Mapping[str, Any]


def market() -> pa.Table:
    """Give the rows: those of half a day, so that little of it lies within a horizon of the splits."""
    return simulated_table(minutes=60 * HOURS, coins_per_minute=COINS_PER_MINUTE).slice(0, ROWS)


def asked() -> CreateModel:
    """Give the request that both ways fulfil."""
    return CreateModel.model_validate(
        {
            "name": "half a million rows",
            "model_type": "xgboost",
            "features": FEATURES,
            "feature_engineering_windows": list(WINDOWS),
            "train_start": START.isoformat(),
            "train_end": (START + timedelta(hours=HOURS)).isoformat(),
            "future_minutes": 10,
            "min_percent_change": 30,
            "use_timeseries_split": False,
        }
    )


def measure() -> dict[str, Way]:
    """Run both ways in turn and give their medians."""
    runs = defaultdict(list)
    with filled_database(market()) as (home, dsn):
        for number in range(TIMES):
            for way in WAYS:
                file = home / f"{way}-{number}.zip"
                runs[way].append(in_process("benchmarks.training", way, dsn, str(file)))
    return {way: _medians(found) for way, found in runs.items()}


def _medians(runs: Sequence[Mapping[str, Any]]) -> Way:
    def over(key: str) -> float:
        return median(float(run[key]) for run in runs)

    return Way(
        seconds=over("seconds"),
        processor_seconds=over("processor_seconds"),
        process_seconds=over("process_seconds"),
        megabytes=over("megabytes"),
        steps={
            step: {name: median(run["steps"][step][name] for run in runs) for name in found}
            for step, found in runs[0]["steps"].items()
        },
        figures=runs[0]["figures"],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    step: str
    seconds: float
    processor_seconds: float
    megabytes: float


class Steps:
    """When each step of a run began, and what the process had used and held by then."""

    def __init__(self) -> None:
        self._begun: list[_Begun] = []

    def begin(self, message: str) -> None:
        """Note a step by the words before its colon; the one that is under way goes on."""
        step = message.partition(":")[0]
        if not self._begun or self._begun[-1].step != step:
            now, used, held = time.perf_counter(), time.process_time(), peak_bytes() / 1e6
            self._begun.append(_Begun(step=step, seconds=now, processor_seconds=used, megabytes=held))

    def as_json(self) -> dict[str, Any]:
        """Give what the run cost, its last step ending now."""
        self.begin("end")
        steps: dict[str, dict[str, float]] = {}
        for begun, ended in pairwise(self._begun):
            own = steps.setdefault(begun.step, {"seconds": 0.0, "processor_seconds": 0.0, "megabytes": 0.0})
            own["seconds"] += ended.seconds - begun.seconds
            own["processor_seconds"] += ended.processor_seconds - begun.processor_seconds
            own["megabytes"] = ended.megabytes
        return {
            "seconds": self._begun[-1].seconds - self._begun[0].seconds,
            "processor_seconds": self._begun[-1].processor_seconds,
            "megabytes": peak_bytes() / 1e6,
            "steps": steps,
        }


def ours(dsn: str, path: Path, steps: Steps) -> dict[str, Any]:
    """Train as the worker's process does."""
    from benchmarks.tasks import train_task
    from training_service.usecases.task import Keyed, Step
    from training_service.usecases.train import train

    def report(message: Step | Keyed) -> None:
        if isinstance(message, Step):
            steps.begin(message.message)

    trained = train(train_task(asked(), model_id=1, dsn=dsn, path=path), report)
    return {"roc_auc": trained.roc_auc, **trained.metrics["counts"]}


def naive(dsn: str, path: Path, steps: Steps, *, is_frugal: bool = False) -> dict[str, Any]:
    """Train in the straightforward way, with the same hyper-parameters and threads."""
    from benchmarks.training_naive import USED, train
    from training_service.ml.model_types import THREADS, resolve_parameters

    request = asked()
    params = resolve_parameters(request.model_type, request.params)
    columns = USED if is_frugal else BASE_FEATURES
    return train(dsn, path, request, params, columns=columns, threads=THREADS, tell=steps.begin)


def describe(found: Mapping[str, Way]) -> str:
    """Say what the figures are of, in paragraphs."""
    ours_, naive_ = found["ours"], found["naive"]
    time_ratio = naive_.process_seconds / ours_.process_seconds
    memory_ratio = naive_.megabytes / ours_.megabytes
    return f"""
{_step_table(ours_)}

{_step_table(naive_)}

{ours_.figures["rows"]:,} rows of a simulated market in PostgreSQL, {len(FEATURES)} engineered features (windows
{", ".join(map(str, WINDOWS))}), XGBoost with the same hyper-parameters and threads, no cross-validation. Each run is a
process of its own: time is from its start to its end, memory its peak, interpreter and libraries included. Medians of
{TIMES}, of steps too; processor time is that of all threads.

Ours is what a TRAIN job does and always does: it reads histories and horizon as well, labels, purges, audits for
leaks, fits on {ours_.figures["fit_rows"]:,} rows, exports and proves the export, calibrates, chooses thresholds,
measures, makes the card with permutation importance and profile, and verifies the file. The other way fetches all
columns, groups by coin with `groupby().transform(rolling)`, labels with `merge_asof`, fits on
{naive_.figures["fit_rows"]:,} rows, takes scikit-learn's figures and writes with joblib; none of the rest. The last two
lines stand beside one that fetches only the 7 columns its features use. Both models are equally good: ROC AUC
{ours_.figures["roc_auc"]:.3f} and {naive_.figures["roc_auc"]:.3f}, each on its own last fifth.

Goals: at least {TIME_GOAL} times as fast: {_met(time_ratio >= TIME_GOAL)}. At most a third of the memory:
{_met(memory_ratio >= MEMORY_GOAL)}.
"""


def _step_table(way: Way) -> str:
    rows = (
        f"| {step} | {cost['seconds']:.2f} | {cost['processor_seconds']:.2f} | {cost['megabytes']:,.0f} |"
        for step, cost in way.steps.items()
    )
    title = "straightforward" if "write" in way.steps else "pumpcast"
    return "\n".join([f"| {title} | s | processor s | peak MB by then |", "|---|--:|--:|--:|", *rows])


def _met(goal: bool) -> str:
    return "met" if goal else "NOT met"


def _report(way: str, dsn: str, path: str) -> None:
    steps = Steps()
    if way == "ours":
        # As it is installed to run: pandas is there for development alone, but pyarrow imports it where it finds it.
        sys.meta_path.insert(0, _Absent())
        figures = ours(dsn, Path(path), steps)
    else:
        figures = naive(dsn, Path(path), steps, is_frugal=way == "frugal")
    print(json.dumps(steps.as_json() | {"figures": figures}))


class _Absent(MetaPathFinder):
    def find_spec(self, fullname: str, path: Any, target: Any = None) -> None:  # noqa: ARG002
        if fullname in {"pandas", "polars"}:
            raise ModuleNotFoundError(fullname)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        _report(*sys.argv[1:])
    else:
        print(describe(measure()))
