"""What is done beside answering, every so often, by the worker that is on duty."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from prediction_service.runtime import metrics
from prediction_service.settings import PredictionSettings
from shared.db import Pool

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One piece of work; done twice, or by two at once, it does nothing more."""

    name: str
    every_seconds: float
    """From the end of one run to the start of the next."""
    run: Callable[[Pool, PredictionSettings], Awaitable[object]]


STEPS: tuple[Step, ...] = ()


async def keep_house(
    pool: Pool, settings: PredictionSettings, *, on_duty: Callable[[], bool], stop: asyncio.Event
) -> None:
    """Run the steps, each at its own pace, until `stop`; while not on duty they rest."""
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_repeat(step, pool, settings, on_duty, stop), name=f"housekeeping {step.name}")
            for step in STEPS
        ]
        await stop.wait()
        for task in tasks:
            # Whatever a step has not committed it does again.
            task.cancel()


async def _repeat(
    step: Step, pool: Pool, settings: PredictionSettings, on_duty: Callable[[], bool], stop: asyncio.Event
) -> None:
    while not stop.is_set():
        if on_duty():
            try:
                await step.run(pool, settings)
            except Exception as error:
                # What one step cannot do must not end the answering of rows.
                metrics.ERRORS.labels(type(error).__name__).inc()
                log.warning("housekeeping failed, trying again", step=step.name, exc_info=error)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(step.every_seconds):
                await stop.wait()
