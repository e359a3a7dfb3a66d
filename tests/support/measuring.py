"""Ask for tests and comparisons and wait for them."""

import asyncio
import time
from datetime import datetime, timedelta
from typing import Any

from shared.contracts.results import CompareModels, TestModel
from shared.db import Pool
from tests.support.database import START
from tests.support.training import create, until, until_over, working
from training_service.settings import TrainingSettings
from training_service.store import models, results
from training_service.usecases.ask_test import ask_comparison, ask_test

LATER = (155, 290)
"""Minutes of a market of 300 that lie behind training and its horizon, with the answers of all of them known."""


def at(minute: float) -> datetime:
    """Give a moment of the market."""
    return START + timedelta(minutes=minute)


async def train_all(pool: Pool, settings: TrainingSettings, *requests: dict[str, Any]) -> list[Any]:
    """Train several models; give their rows."""
    job_ids = [await create(pool, name=f"model {number}", **asked) for number, asked in enumerate(requests)]
    async with working(settings):
        ended = [await until_over(pool, job_id) for job_id in job_ids]
    assert [job["error_msg"] for job in ended] == [None] * len(ended)
    return [await models.get(pool, job["result_model_id"]) for job in ended]


async def ask(pool: Pool, model_id: int, window: tuple[float, float] = LATER) -> int:
    """Put a test into the queue and give the id of its job."""
    request = TestModel(test_start=at(window[0]), test_end=at(window[1]))
    return (await ask_test(pool, model_id, request=request, request_id="test")).job_id


async def until_told(pool: Pool, job_id: int, step: str, *, seconds: float = 60) -> None:
    """Wait until a running job is at a step."""
    deadline = time.monotonic() + seconds
    while True:
        job = await until(pool, job_id, "PENDING", "RUNNING")
        if job["progress_msg"].startswith(step):
            return
        assert time.monotonic() < deadline, f"job {job_id} is at {job['progress_msg']}"
        await asyncio.sleep(0.05)


async def test_on(pool: Pool, settings: TrainingSettings, model_id: int, *windows: tuple[float, float]) -> list[Any]:
    """Test a model on windows; give each test result, or its job where that failed."""
    job_ids = [await ask(pool, model_id, window) for window in windows]
    async with working(settings):
        ended = [await until_over(pool, job_id) for job_id in job_ids]
    return [await results.get_test(pool, job["result_test_id"]) if job["result_test_id"] else job for job in ended]


test_on.__test__ = False  # type: ignore[attr-defined]


async def ask_to_compare(pool: Pool, compared: list[Any], window: tuple[float, float] = LATER) -> int:
    """Put a comparison into the queue and give the id of its job."""
    model_ids = [model["id"] for model in compared]
    request = CompareModels(model_ids=model_ids, test_start=at(window[0]), test_end=at(window[1]))
    return (await ask_comparison(pool, request=request, request_id="test")).job_id


async def compare(
    pool: Pool, settings: TrainingSettings, compared: list[Any], window: tuple[float, float] = LATER
) -> tuple[Any, Any]:
    """Compare models; give the job and the comparison, None where it failed."""
    job_id = await ask_to_compare(pool, compared, window)
    async with working(settings):
        job = await until_over(pool, job_id)
    found = job["result_comparison_id"]
    return job, None if found is None else await results.get_comparison(pool, found)
