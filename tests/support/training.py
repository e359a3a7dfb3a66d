"""A small market that can be learnt from, and the training service around it."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from shared.contracts.model_request import CreateModel
from shared.db import Pool
from tests.support.database import START, row
from training_service.settings import TrainingSettings
from training_service.store import jobs, models
from training_service.store.job_rows import ClaimedJob
from training_service.usecases.jobs import enqueue
from training_service.usecases.lease import Lease
from training_service.usecases.record import record_model
from training_service.usecases.task import Trained
from training_service.worker import work

MINUTES = 150


def learnable_rows(*, coins: int = 25, minutes: int = MINUTES, seed: int = 1) -> list[dict[str, Any]]:
    """Give one row a minute and coin: while buyers outnumber sellers, the price rises; some values are missing."""
    random = np.random.default_rng(seed)
    rows = []
    for coin in range(coins):
        price, rising = 3e-8, False
        for minute in range(minutes):
            if random.random() < 0.06:
                rising = not rising
            price *= 1 + (0.03 if rising else -0.015) + random.normal(0, 0.01)
            price = min(max(price, 1e-8), 1e-6)
            bought = random.gamma(4) * (2 if rising else 0.7)
            rows.append(
                row(
                    f"coin{coin:03d}",
                    60 * minute,
                    price_close=price,
                    price_high=price * 1.01,
                    price_low=price * 0.99,
                    market_cap_close=price * 1e9,
                    buy_volume_sol=bought,
                    sell_volume_sol=random.gamma(4),
                    volume_sol=None if random.random() < 0.05 else bought + 1,
                    virtual_sol_reserves=30 * (price / 3e-8) ** 0.5,
                )
            )
    return rows


def body(**changes: Any) -> dict[str, Any]:
    """Give a request for a model of that market that is quick to fit."""
    plain = {
        "name": "a model",
        "model_type": "xgboost",
        "features": ["buy_volume_sol", "sell_volume_sol", "volume_sol", "price_change_5", "order_book_imbalance_5"],
        "train_start": START.isoformat(),
        "train_end": (START + timedelta(minutes=MINUTES)).isoformat(),
        "future_minutes": 5,
        "min_percent_change": 5.0,
        "params": {"n_estimators": 20, "max_depth": 3},
        "use_timeseries_split": False,
    }
    return {name: value for name, value in {**plain, **changes}.items() if value is not ...}


def training_settings(dsn: str, home: Path, **changes: Any) -> TrainingSettings:
    """Give settings of a service on a database of the tests."""
    return TrainingSettings(db_dsn=dsn, pumpcast_home=home, job_poll_interval=0.2, **changes)


@contextmanager
def worker_process(
    settings: TrainingSettings,
    log: Path | None = None,
    *,
    command: Sequence[str] = ("-m", "training_service.worker"),
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `training-worker` as a process of its own."""
    environment = {
        **os.environ,
        "DB_DSN": settings.db_dsn,
        "PUMPCAST_HOME": str(settings.pumpcast_home),
        "JOB_POLL_INTERVAL": "0.2",
        "MAX_CONCURRENT_JOBS": str(settings.max_concurrent_jobs),
    }
    with (log or Path(os.devnull)).open("wb") as errors:
        process = subprocess.Popen([sys.executable, *command], env=environment, stderr=errors)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
            process.wait(20)


@asynccontextmanager
async def working(settings: TrainingSettings) -> AsyncIterator[asyncio.Event]:
    """Run a worker in this process; it is told to stop at the end."""
    stop = asyncio.Event()
    task = asyncio.create_task(work(settings, stop))
    try:
        yield stop
    finally:
        stop.set()
        await task


async def create(pool: Pool, **changes: Any) -> int:
    """Put a job into the queue and give its id."""
    created = await enqueue(pool, request=CreateModel.model_validate(body(**changes)), request_id="test")
    return created.job_id


async def train(pool: Pool, settings: TrainingSettings, **changes: Any) -> tuple[Any, Any]:
    """Run a job to its end; give its row and that of its model, if it has one."""
    job_id = await create(pool, **changes)
    async with working(settings):
        job = await until_over(pool, job_id)
    return job, job["result_model_id"] and await models.get(pool, job["result_model_id"])


def model_file(model: Any) -> bytes:
    """Give the bytes of a model's file."""
    return Path(model["model_file_path"]).read_bytes()


async def until_told(pool: Pool, job_id: int, told: str) -> None:
    """Wait until the log of a job has a line that starts so."""
    for _ in range(2400):
        found = await jobs.get_log(pool, job_id)
        if any(line["message"].startswith(told) for line in found["log"]):
            return
        assert found["status"] in {"PENDING", "RUNNING"}, found["log"]
        await asyncio.sleep(0.05)
    raise AssertionError(f"job {job_id} never tells {told!r}: {found['log']}")


async def until_it_fits(pool: Pool, job_id: int) -> None:
    """Wait until a job has come to its fit."""
    await until_told(pool, job_id, "fit")


async def until_over(pool: Pool, job_id: int, *, seconds: float = 120) -> Any:
    """Wait for the end of a job and give its row."""
    return await until(pool, job_id, "COMPLETED", "FAILED", "CANCELLED", seconds=seconds)


async def until(pool: Pool, job_id: int, *statuses: str, seconds: float = 120) -> Any:
    """Wait until a job has one of the statuses and give its row."""
    deadline = time.monotonic() + seconds
    while True:
        found = await jobs.get(pool, job_id)
        if found["status"] in statuses:
            return found
        assert time.monotonic() < deadline, f"job {job_id} is still {found['status']}: {found['progress_msg']}"
        await asyncio.sleep(0.05)


TRAINED = Trained(
    sha256="0" * 64, features=("a",), params={}, card={}, run_key="a key",
    training_accuracy=0.5, training_f1=0.5, training_precision=0.5, training_recall=0.5,
    roc_auc=0.5, mcc=0.0, fpr=0.5, fnr=0.5, confusion_matrix={"tp": 1, "tn": 1, "fp": 1, "fn": 1},
    decision_threshold=0.5, alert_threshold=0.5, simulated_profit_pct=0.0, expected_value_pct=None,
    cv_scores=None, cv_overfitting_gap=None, feature_importance={}, metrics={}, warnings=(),
)  # fmt: skip


async def finish(pool: Pool, job: ClaimedJob, folder: Path) -> bool:
    """Do what a worker does with a result."""
    model_id = await models.reserve_id(pool)
    incoming = folder / ".incoming" / f"{job.id}-{job.token}.zip"
    incoming.write_bytes(b"a model")
    return await record_model(pool, Lease(job=job), TRAINED, model_id=model_id, incoming=incoming, folder=folder)
