"""The process that looks at packages: what it may use, what it is told of, and how its ends are told."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from prediction_service.runtime.packages import limits
from prediction_service.usecases import package_checks
from prediction_service.usecases.package_checks import validate_files
from shared.errors import PackageInvalid, Unavailable
from tests.support.hostile_zips import mutated_pickle, mutated_policy
from tests.support.package_files import PackageFiles, tiny_package
from tests.support.uploading import until

Torch = Callable[[str], None]


@pytest.fixture(scope="module")
def good() -> PackageFiles:
    return tiny_package()


@pytest.fixture
def torch_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Torch:
    """Give the process another torch: a program that runs when it is imported."""

    def become(program: str) -> None:
        (tmp_path / "fake").mkdir()
        (tmp_path / "fake" / "torch.py").write_text(f"import os\nMARKS = {str(tmp_path)!r} + '/'\n{program}\n")
        given = package_checks._environment()
        path = f"{tmp_path / 'fake'}{os.pathsep}{given['PYTHONPATH']}"
        monkeypatch.setattr(package_checks, "_environment", lambda: given | {"PYTHONPATH": path})

    return become


def marks(folder: Path, kind: str) -> set[str]:
    """Give what the program wrote down, as names of empty files: it can write no others."""
    return {path.name.removeprefix(kind) for path in folder.glob(f"{kind}*")}


async def refusal(good: PackageFiles, folder: Path) -> str:
    with pytest.raises(PackageInvalid) as raised:
        await validate_files(good.write(folder), good.manifest)
    return raised.value.message


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("os.kill(os.getpid(), 11)", "ended in a crash (signal 11)"),
        ("os.abort()", "more memory than files of its size"),
        ("os.kill(os.getpid(), 24)", "more time to load and answer"),
        ("os._exit(3)", "without a verdict (exit code 3)"),
        ("bytearray(20 << 30)", "more memory than files of its size"),
        ("open(MARKS + 'written', 'w').write('x' * 100_000)", "cannot be loaded (OSError)"),
        ("[os.dup(1) for _ in range(1000)]", "cannot be loaded (OSError)"),
        ("print('a verdict?'); raise ValueError('a secret')", "cannot be loaded (ValueError)"),
        ("while True: os.write(1, bytes(1 << 20)); os._exit(0)", "without a verdict (exit code 0)"),
    ],
)  # fmt: skip
async def test_validation_when_its_process_ends_badly_then_one_sentence(
    torch_is: Torch, good: PackageFiles, tmp_path: Path, program: str, words: str
):
    torch_is(program)
    sentence = await refusal(good, tmp_path / "pair")
    assert words in sentence
    assert "secret" not in sentence
    assert "\n" not in sentence


async def test_validation_when_archives_are_wrong_then_torch_is_never_imported(
    torch_is: Torch, good: PackageFiles, tmp_path: Path
):
    torch_is("open(MARKS + 'imported', 'w').close()\nraise ImportError")
    cut = PackageFiles(forecast=good.forecast[:-1], ppo=good.ppo, manifest=good.manifest)
    assert "no complete zip file" in await refusal(cut, tmp_path / "cut")
    assert not (tmp_path / "imported").exists()
    await refusal(good, tmp_path / "pair")
    assert (tmp_path / "imported").exists()


@pytest.mark.parametrize("end", ["timeout", "cancel"])
async def test_validation_when_it_lasts_then_its_process_is_gone(
    torch_is: Torch, good: PackageFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
):
    torch_is("")
    # At its very start, so that even a busy machine comes to it in time.
    program = f"import os, time\nopen({str(tmp_path)!r} + f'/pid-{{os.getpid()}}', 'w').close()\ntime.sleep(600)\n"
    (tmp_path / "fake" / "sitecustomize.py").write_text(program)
    if end == "timeout":
        monkeypatch.setattr(limits, "wall_seconds", lambda _: 3.0)
        assert "took more than 3 seconds" in await refusal(good, tmp_path / "pair")
    else:
        task = asyncio.create_task(validate_files(good.write(tmp_path / "pair"), good.manifest))
        await until(lambda: bool(marks(tmp_path, "pid-")))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    (pid,) = marks(tmp_path, "pid-")
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)


def test_validator_when_who_started_it_is_killed_then_it_ends_too():
    limited = "import os, time\nfrom prediction_service.runtime.packages import limits\nlimits.end_with_parent()"
    child = f"{limited}\nprint(os.getpid(), flush=True)\ntime.sleep(600)"
    program = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {child!r}])"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        started = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        psutil.wait_procs([started], 10)
    assert not started.is_running() or started.status() == psutil.STATUS_ZOMBIE


async def test_validation_when_torch_is_missing_then_the_command_that_installs_it(
    torch_is: Torch, good: PackageFiles, tmp_path: Path
):
    torch_is("")
    (tmp_path / "fake" / "sitecustomize.py").write_text("import sys\nsys.modules['torch'] = None\n")
    with pytest.raises(Unavailable, match=r"pip install 'pumpcast\[packages\]'"):
        await validate_files(good.write(tmp_path / "pair"), good.manifest)


async def test_validation_when_files_are_gone_then_it_says_which(good: PackageFiles, tmp_path: Path):
    folder = good.write(tmp_path / "pair")
    (folder / "ppo_policy.zip").unlink()
    with pytest.raises(PackageInvalid, match=r"ppo_policy\.zip cannot be read"):
        await validate_files(folder, good.manifest)
    os.mkfifo(folder / "ppo_policy.zip")
    with pytest.raises(PackageInvalid, match=r"ppo_policy\.zip is no file"):
        await validate_files(folder, good.manifest)


async def test_validation_when_this_process_holds_secrets_then_the_other_has_none(
    torch_is: Torch, good: PackageFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DB_DSN", "postgresql://user:password@db/rows")
    monkeypatch.setenv("API_KEYS", "key")
    torch_is("for name in os.environ: open(MARKS + 'env-' + name, 'w').close()")
    await refusal(good, tmp_path / "pair")
    names = marks(tmp_path, "env-")
    assert "PYTHONPATH" in names
    assert names <= {
        "PATH", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE",
        "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ORT_DISABLE_TELEMETRY",
    }  # fmt: skip


def test_limits_when_a_processor_is_used_up_then_the_signal_says_why():
    # Without the alarm: beside busy neighbours the clock on the wall would be first.
    limited = (
        "import signal\nfrom prediction_service.runtime.packages import limits\n"
        "limits.BASE_CPU_SECONDS = 1\nlimits.apply(0)\nsignal.alarm(0)"
    )
    program = [sys.executable, "-c", f"{limited}\nwhile True: pass"]
    assert subprocess.run(program, check=False).returncode == -signal.SIGXCPU


async def test_validation_when_files_are_changed_at_random_then_a_verdict(good: PackageFiles, tmp_path: Path):
    chance = random.Random(11)
    for attempt in range(5):
        changed = replace(good, forecast=mutated_pickle(good.forecast, chance), ppo=mutated_policy(good.ppo, chance))
        with suppress(PackageInvalid):
            manifest = await validate_files(changed.write(tmp_path / str(attempt)), good.manifest)
            assert manifest.forecast.arch == "patchtst/1"
