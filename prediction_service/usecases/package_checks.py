"""Whether an uploaded pair may be used: found out by a process of its own, whose end is a finding too."""

import asyncio
import contextlib
import os
import signal
import stat
import sys
from pathlib import Path
from typing import Any

import structlog
from pydantic import ValidationError

from prediction_service.runtime.packages import limits
from prediction_service.runtime.packages.policy_file import NAME as POLICY_NAME
from prediction_service.runtime.packages.pt_file import NAME as FORECAST_NAME
from prediction_service.runtime.packages.validator import TOO_LARGE, Task, Verdict
from shared.contracts.packages import Manifest
from shared.errors import PackageInvalid, Unavailable

log = structlog.get_logger(__name__)

_COMMAND = (sys.executable, "-P", "-m", "prediction_service.runtime.packages.validator")
_LONGEST_VERDICT = 64 << 20
_DEEPEST_MANIFEST = 64
"""Readers of JSON differ in how deep they go; none stops before a hundred."""
_KEPT_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH")
_ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}


async def validate_files(folder: Path, given: dict[str, Any]) -> Manifest:
    """Give the complete manifest of a pair that may be used.

    PackageInvalid: it may not, and why; Unavailable: it cannot be found out here.
    """
    sizes = [await asyncio.to_thread(_size, folder / name) for name in (FORECAST_NAME, POLICY_NAME)]
    verdict = await _ask(await asyncio.to_thread(_task, folder, given), limits.wall_seconds(sum(sizes)))
    if verdict.trace:
        log.warning("package cannot be loaded", folder=folder.name, trace=verdict.trace)
    if verdict.unavailable is not None:
        raise Unavailable(verdict.unavailable)
    if verdict.manifest is None:
        raise PackageInvalid(verdict.refused or "The pair was refused")
    return verdict.manifest


def _size(path: Path) -> int:
    try:
        found = path.stat()
    except OSError as error:
        raise PackageInvalid(f"{path.name} cannot be read ({error.strerror}); upload the package again") from error
    if not stat.S_ISREG(found.st_mode):
        # A pipe would be waited for.
        raise PackageInvalid(f"{path.name} is no file; upload the package again")
    return found.st_size


def _task(folder: Path, given: dict[str, Any]) -> bytes:
    if _depth(given) > _DEEPEST_MANIFEST:
        raise PackageInvalid(f"The manifest is nested too deeply: {_DEEPEST_MANIFEST} levels are read")
    return Task(folder=folder.resolve(), given=given).model_dump_json().encode()


def _depth(given: Any) -> int:
    depth, level = 0, [given]
    while level and depth <= _DEEPEST_MANIFEST:
        depth += 1
        inner = [
            value.values() if isinstance(value, dict) else value for value in level if isinstance(value, dict | list)
        ]
        level = [value for values in inner for value in values]
    return depth


async def _ask(task: bytes, seconds: float) -> Verdict:
    try:
        process = await asyncio.create_subprocess_exec(
            *_COMMAND,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=_environment(),
            start_new_session=True,
        )
    except OSError as error:
        raise Unavailable(f"No process can be started to look at the package ({error.strerror}); try again") from error
    try:
        async with asyncio.timeout(seconds):
            said = await _talk(process, task)
            code = await process.wait()
    except TimeoutError:
        raise PackageInvalid(f"Looking at the pair took more than {seconds:.0f} seconds; make it smaller") from None
    finally:
        await _end(process)
    try:
        return Verdict.model_validate_json(said)
    except ValidationError as error:
        raise PackageInvalid(_cause(code)) from error


async def _talk(process: asyncio.subprocess.Process, task: bytes) -> bytes:
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(ConnectionError):
        process.stdin.write(task)
        await process.stdin.drain()
    process.stdin.close()
    said = bytearray()
    while block := await process.stdout.read(1 << 20):
        said += block
        if len(said) > _LONGEST_VERDICT:
            raise PackageInvalid("The pair cannot be loaded: looking at it ended in nonsense")
    return bytes(said)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _environment() -> dict[str, str]:
    """Give what the process needs; addresses and keys of this one are no business of files of strangers."""
    kept = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
    paths = os.pathsep.join(path for path in sys.path if path)
    return {**kept, **_ONE_THREAD, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}


def _cause(code: int) -> str:
    match -code:
        case signal.SIGXCPU:
            return "The pair takes more time to load and answer than files of its size may; make the model smaller"
        case signal.SIGKILL | signal.SIGABRT:
            return TOO_LARGE
        case number if number > 0:
            return f"The pair cannot be loaded: looking at it ended in a crash (signal {number}); save both files again"
    return f"The pair cannot be loaded: looking at it ended without a verdict (exit code {code}); save both files again"
