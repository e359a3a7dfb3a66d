"""The process that looks at an uploaded pair before anything else reads it.

A task comes in as one JSON object on stdin, one verdict goes out as one line on stdout. Whatever goes wrong between is
a verdict too, or the end of this process alone.
"""

import hashlib
import importlib
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from prediction_service.runtime.packages import limits
from prediction_service.runtime.packages.candles import Candles
from prediction_service.runtime.packages.policy_file import NAME as POLICY_NAME
from prediction_service.runtime.packages.policy_file import read_policy_zip
from prediction_service.runtime.packages.pt_file import NAME as FORECAST_NAME
from prediction_service.runtime.packages.pt_file import read_pt
from shared.contracts.packages import Digests, Manifest
from shared.errors import PackageInvalid, Unavailable

INSTALL = "Packages need libraries that are not installed: run `pip install 'pumpcast[packages]'`, then try again"
TOO_LARGE = (
    "The pair needs more memory than files of its size may take; save its numbers as float32, or make it smaller"
)
_LIBRARIES = ("torch", "talib")
_LONGEST_TRACE = 4000
_LEAST_ROWS = 800
"""Enough for every feature to be valid."""


class Task(BaseModel):
    """What to look at."""

    folder: Path
    """Holds both files."""
    given: dict[str, Any]
    """The manifest as it was given, maybe empty."""


class Verdict(BaseModel):
    """What was found: one of manifest, refused and unavailable."""

    manifest: Manifest | None = None
    """Complete: the pair may be used."""
    refused: str | None = None
    """Why not, in one sentence."""
    unavailable: str | None = None
    """What is missing here."""
    trace: str = ""
    """Of an error that nobody foresaw, for the log."""


def examine(task: Task, prepare: Callable[[], None]) -> Verdict:
    """Look at a pair, first without torch, then `prepare`, then with it; PackageInvalid: it must not be used."""
    forecast, policy = read_pt(task.folder / FORECAST_NAME), read_policy_zip(task.folder / POLICY_NAME)
    from prediction_service.runtime.packages.infer import complete_manifest

    manifest = complete_manifest(task.given, forecast, policy)
    manifest = manifest.model_copy(update={"sha256": _digests(task.folder, manifest.sha256)})
    if any(find_spec(library) is None for library in _LIBRARIES):
        return Verdict(unavailable=INSTALL)
    prepare()
    _try_out(task.folder, manifest)
    return Verdict(manifest=manifest)


def import_libraries(file_bytes: int) -> None:
    """Import what a pair needs, and keep to the limits of its size from then on."""
    limits.let_libraries_in()
    for library in _LIBRARIES:
        importlib.import_module(library)
    limits.limit_again(file_bytes)


def _size(folder: Path) -> int:
    return sum((folder / name).stat().st_size for name in (FORECAST_NAME, POLICY_NAME))


def _digests(folder: Path, told: Digests | None) -> Digests:
    found = {}
    for field, name in (("forecast_model", FORECAST_NAME), ("ppo_model", POLICY_NAME)):
        with (folder / name).open("rb") as file:
            found[field] = hashlib.file_digest(file, "sha256").hexdigest()
        if told and getattr(told, field) != found[field]:
            raise PackageInvalid(f"{name} is not the file of the manifest: its SHA-256 is {found[field]}")
    return Digests(**found)


def _try_out(folder: Path, manifest: Manifest) -> None:
    """Load the pair as it will be loaded, let it answer, and compare with its probe."""
    from prediction_service.runtime.packages.account import EMPTY_ACCOUNT
    from prediction_service.runtime.packages.instance import Instance

    instance = Instance.load(folder, manifest)
    rows = max(manifest.market.warmup_bars, manifest.forecast.context_length + _LEAST_ROWS)
    instance.answer(synthetic_candles(rows, manifest.market.interval_seconds), EMPTY_ACCOUNT)
    result = instance.check_probe()
    if result is not None and not result.passed:
        raise PackageInvalid(
            f"The probe of the manifest is not answered as told: the forecast is off by {result.forecast_error:.3g}, "
            f"the action by {result.action_error:.3g}, {result.tolerance:g} is allowed; the files, or scales, stride, "
            "heads or activation of the manifest, are not those the probe was made with"
        )


def synthetic_candles(count: int, interval_seconds: int) -> Candles:
    """Give candles of a random walk, the same ones every time."""
    random = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.003, count)))
    opened = np.concatenate(([100.0], close[:-1]))
    wicks = np.exp(np.abs(random.normal(0, 0.002, (2, count))))
    return Candles(
        open_time=(1_700_000_000 // interval_seconds + np.arange(count, dtype=np.int64)) * interval_seconds * 1_000_000,
        open=opened,
        high=np.maximum(opened, close) * wicks[0],
        low=np.minimum(opened, close) / wicks[1],
        close=close,
        volume=np.exp(random.normal(3, 1, count)),
        interval_seconds=interval_seconds,
    )


def judge(task: Task, prepare: Callable[[], None] = lambda: None) -> Verdict:
    """Give a verdict in any case."""
    try:
        return examine(task, prepare)
    except PackageInvalid as error:
        return Verdict(refused=error.message)
    except Unavailable as error:
        return Verdict(unavailable=error.message)
    except ModuleNotFoundError as error:
        return Verdict(unavailable=f"{error.name} is missing. {INSTALL}")
    except MemoryError:
        return Verdict(refused=TOO_LARGE)
    except Exception as error:  # noqa: BLE001  # whatever files of strangers bring about is about those files
        # torch says so in words of its own.
        if "allocate memory" in str(error):
            return Verdict(refused=TOO_LARGE)
        kind, trace = type(error).__name__, traceback.format_exc()[-_LONGEST_TRACE:]
        return Verdict(refused=f"The pair cannot be loaded ({kind}); save both files again", trace=trace)


def main() -> None:
    """Read the task, keep to the limits, say the verdict."""
    limits.end_with_parent()
    # What a library prints is no verdict.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    task = Task.model_validate_json(sys.stdin.buffer.read())
    # Libraries look for a place for temporary files, by trying to write one.
    tempfile.gettempdir()
    size = _size(task.folder)
    limits.apply(size)
    answers.write(judge(task, lambda: import_libraries(size)).model_dump_json() + "\n")
    answers.close()


if __name__ == "__main__":
    main()
