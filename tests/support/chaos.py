"""Jobs under workers that are killed and frozen at random: `python -m tests.support.chaos --jobs 100 --workers 4`.

Every job asks for another model. All must end COMPLETED with exactly one model each, and no file without a row. The
workers are real processes with a shorter lease than the product's, so that a lost one is noticed sooner.
"""

import argparse
import asyncio
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from shared.db import Pool, open_pool
from tests.support.database import insert_rows, remove, test_server
from tests.support.training import create, learnable_rows, training_settings
from training_service import worker
from training_service.settings import TrainingSettings
from training_service.store import jobs
from training_service.usecases import lease

LEASE_SECONDS = 6.0
# The third death of its process ends a job, and so does the tenth loss of its worker, rightly so.
MOST_DEATHS_OF_A_JOB = 2
MOST_LOSSES_OF_A_JOB = 8
# Between two misfortunes of one worker, on the average: jobs must have a chance to get done.
PEACE_SECONDS = (6.0, 14.0)
PATIENCE_SECONDS = 60.0
PATIENCE_SECONDS_PER_JOB = 30.0
KINDS = {"kill a worker": 3, "freeze a worker": 3, "kill a child": 2, "freeze a child": 2}


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What was done to the workers and what became of the jobs."""

    done: Counter[str] = field(default_factory=Counter)
    """Kills and freezes by kind."""
    rescued: int = 0
    """Leases that ran out and whose jobs were taken up again."""
    refused: int = 0
    """Results of workers that had lost their job."""
    given_up: int = 0
    """Jobs that a worker let go of, as they were not its own any more."""
    seconds: float = 0
    faults: list[str] = field(default_factory=list)
    """What must not be."""

    def __str__(self) -> str:
        """Give the lines that are printed."""
        lines = [f"{kind:16} {self.done[kind]}" for kind in KINDS]
        lines += [
            f"rescued          {self.rescued}",
            f"refused results  {self.refused}",
            f"given up         {self.given_up}",
        ]
        lines += [f"duration         {self.seconds:.0f} s", *(f"FAULT            {fault}" for fault in self.faults)]
        return "\n".join(
            [*lines, "" if self.faults else "every job has exactly one model, no file is left over"]
        ).strip()


class Crew:
    """Workers as processes of their own, each with its log."""

    def __init__(self, settings: TrainingSettings, folder: Path, *, size: int) -> None:
        self._settings = settings
        self._folder = folder
        self._started = 0
        self.workers: list[subprocess.Popen[bytes]] = []
        self.frozen: dict[int, float] = {}
        """When a frozen process goes on."""
        for _ in range(size):
            self.hire()

    def hire(self) -> None:
        """Start a worker."""
        self._started += 1
        environment = {
            **os.environ,
            "DB_DSN": self._settings.db_dsn, "PUMPCAST_HOME": str(self._settings.pumpcast_home),
            "JOB_POLL_INTERVAL": "0.3", "MAX_CONCURRENT_JOBS": "1", "LOG_FORMAT": "json", "LOG_LEVEL": "INFO",
        }  # fmt: skip
        with (self._folder / f"worker-{self._started}.log").open("wb") as log:
            command = [sys.executable, "-m", "tests.support.chaos", "--as-worker"]
            self.workers.append(subprocess.Popen(command, env=environment, stderr=log))

    def awake(self) -> list[subprocess.Popen[bytes]]:
        """Give the workers that are neither dead nor frozen."""
        return [one for one in self.workers if one.poll() is None and one.pid not in self.frozen]

    def replace_dead(self) -> None:
        """Start a worker for each that has ended."""
        for dead in [one for one in self.workers if one.poll() is not None]:
            self.workers.remove(dead)
            self.frozen.pop(dead.pid, None)
            self.hire()

    def freeze(self, pid: int, seconds: float) -> None:
        """Stop a process for a while."""
        os.kill(pid, signal.SIGSTOP)
        self.frozen[pid] = time.monotonic() + seconds

    def thaw(self, *, all_of_them: bool = False) -> None:
        """Let processes go on whose time has come."""
        for pid, until in list(self.frozen.items()):
            if all_of_them or time.monotonic() > until:
                del self.frozen[pid]
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def said(self, text: str) -> int:
        """Count what the workers have logged."""
        return sum(log.read_text(errors="replace").count(text) for log in self._folder.glob("worker-*.log"))

    def dismiss(self) -> list[str]:
        """Stop all workers; give what went wrong with that."""
        self.thaw(all_of_them=True)
        alive = [one for one in self.workers if one.poll() is None]
        for one in alive:
            one.terminate()
        faults = []
        for one in alive:
            try:
                code = one.wait(30)
            except subprocess.TimeoutExpired:
                one.kill()
                one.wait()
                code = None
            # One that was just starting had not asked yet to be told.
            if code not in {0, -signal.SIGTERM}:
                faults.append(f"a worker that was told to stop ended with {code}")
        self.workers.clear()
        return faults


async def run(dsn: str, home: Path, *, jobs_wanted: int, workers: int, seed: int) -> Outcome:
    """Have the jobs done while the workers are hurt; the database is empty but for its tables."""
    dice, outcome, started = random.Random(seed), Outcome(), time.monotonic()
    settings = training_settings(dsn, home)
    logs = home / "logs"
    logs.mkdir(parents=True)
    pool = await open_pool(dsn, application="chaos")
    try:
        async with pool.acquire() as connection:
            await insert_rows(connection, learnable_rows(coins=15))
        for number in range(jobs_wanted):
            await create(
                pool, name=f"m{number}", random_state=number, model_type=dice.choice(["xgboost", "random_forest"])
            )
        crew = Crew(settings, logs, size=workers)
        try:
            await _hurt_until_over(
                pool, crew, dice, outcome, patience=PATIENCE_SECONDS + PATIENCE_SECONDS_PER_JOB * jobs_wanted
            )
        finally:
            outcome.faults += crew.dismiss()
        # What processes have left that were killed last is for the next worker to remove.
        crew.hire()
        await _until_incoming_is_empty(settings)
        outcome.faults += crew.dismiss()
        outcome.faults += await _faults(pool, settings, jobs_wanted)
        outcome.rescued = await pool.fetchval("SELECT sum(lost_leases) FROM ml_jobs")
        outcome.refused = crew.said("result refused")
        outcome.given_up = crew.said("job lost: cancelled")
    finally:
        await pool.close()
    outcome.seconds = time.monotonic() - started
    return outcome


async def _hurt_until_over(pool: Pool, crew: Crew, dice: random.Random, outcome: Outcome, *, patience: float) -> None:
    deadline, deaths = time.monotonic() + patience, Counter[int]()
    while await pool.fetchval("SELECT count(*) FROM ml_jobs WHERE status IN ('PENDING', 'RUNNING')"):
        if time.monotonic() > deadline:
            outcome.faults.append(f"jobs were not over after {patience:.0f} s")
            return
        await asyncio.sleep(dice.uniform(*PEACE_SECONDS) / len(crew.workers))
        crew.thaw()
        crew.replace_dead()
        (kind,) = dice.choices(list(KINDS), list(KINDS.values()))
        with suppress(ProcessLookupError, psutil.NoSuchProcess):
            if crew.awake() and await _hurt(pool, crew, dice, deaths, kind):
                outcome.done[kind] += 1


async def _hurt(pool: Pool, crew: Crew, dice: random.Random, deaths: Counter[int], kind: str) -> bool:
    worker_process = dice.choice(crew.awake())
    victim = worker_process.pid
    query = "SELECT id, lost_leases FROM ml_jobs WHERE status = 'RUNNING' AND worker_id = $1"
    worker_name = f"{socket.gethostname()}:{victim}"
    job = await pool.fetchrow(query, worker_name)
    if job is not None and job["lost_leases"] >= MOST_LOSSES_OF_A_JOB:
        return False
    if kind == "kill a worker":
        worker_process.kill()
        # It is not among those alive any more that are told to stop when all is over.
        worker_process.wait()
        return True
    if kind == "freeze a worker":
        crew.freeze(victim, dice.uniform(0.3, 2.5) * LEASE_SECONDS)
        return True
    children = psutil.Process(victim).children()
    if not children:
        return False
    crew.freeze(children[0].pid, dice.uniform(0.1, 1.5) * LEASE_SECONDS)
    if kind == "kill a child":
        # It stands still while we look whose it is.
        job = await pool.fetchrow(query, worker_name)
        if job is None or deaths[job["id"]] >= MOST_DEATHS_OF_A_JOB:
            return False
        deaths[job["id"]] += 1
        os.kill(children[0].pid, signal.SIGKILL)
    return True


async def _until_incoming_is_empty(settings: TrainingSettings) -> None:
    for _ in range(200):
        if not any((settings.model_folder("training") / ".incoming").iterdir()):
            return
        await asyncio.sleep(0.1)


async def _faults(pool: Pool, settings: TrainingSettings, jobs_wanted: int) -> list[str]:
    others = await pool.fetch("SELECT id, status, error_msg FROM ml_jobs WHERE status <> 'COMPLETED'")
    faults = [f"job {row['id']} is {row['status']}: {row['error_msg']}" for row in others]
    models = await pool.fetch("SELECT id, job_id, model_file_path FROM ml_models")
    made = {row["id"]: row["result_model_id"] for row in await pool.fetch("SELECT id, result_model_id FROM ml_jobs")}
    faults += [
        f"model {row['id']} is not the one of job {row['job_id']}" for row in models if made[row["job_id"]] != row["id"]
    ]
    if len(models) != jobs_wanted:
        faults.append(f"{len(models)} models of {jobs_wanted} jobs")
    folder = settings.model_folder("training")
    files = {str(path) for path in folder.rglob("*") if path.is_file()}
    known = {row["model_file_path"] for row in models}
    faults += [f"{path} has no row" for path in sorted(files - known)]
    faults += [f"{path} is missing" for path in sorted(known - files)]
    return faults


def work() -> None:
    """Be a worker whose lease is short."""
    jobs.LEASE_SECONDS = LEASE_SECONDS
    jobs.PAUSES_SECONDS = (0.5, 1.0)
    lease.RENEW_SECONDS = LEASE_SECONDS / 4
    lease.WATCH_SECONDS = 0.5
    worker.main()


def main() -> None:
    """Run it on a database of its own; exit code 1 when something is as it must not be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--as-worker", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.as_worker:
        work()
        return
    sys.stdout.write(f"{asked.jobs} jobs, {asked.workers} workers, seed {asked.seed}\n")
    sys.stdout.flush()
    for number in (signal.SIGTERM, signal.SIGINT):
        # Either way its workers and its server end with it.
        signal.signal(number, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="pumpcast-chaos-"))
    try:
        with test_server(folder / "server") as server, server.fresh() as name:
            outcome = asyncio.run(
                run(server.dsn(name), folder / "home", jobs_wanted=asked.jobs, workers=asked.workers, seed=asked.seed)
            )
    finally:
        remove(folder / "server")
        shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.write(f"{outcome}\n")
    raise SystemExit(1 if outcome.faults else 0)


if __name__ == "__main__":
    main()
