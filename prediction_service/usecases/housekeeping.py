"""What is done beside answering, every so often, by the worker that is on duty."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from prediction_service.settings import PredictionSettings
from prediction_service.usecases.cooldowns import forget_old
from prediction_service.usecases.drift import measure_due
from prediction_service.usecases.fold import fold_batches
from prediction_service.usecases.outcomes import Outcomes
from prediction_service.usecases.promotions import promote_due
from prediction_service.usecases.retention import delete_due, forget_activations
from shared.db import Pool
from shared.process_metrics import ERRORS

log = structlog.get_logger(__name__)


SHARE = 4
"""A step rests so many times as long as it took: what comes meanwhile is done together, rows are answered beside it."""

OFF_DUTY_SECONDS = 1.0
"""Between two looks whether it is on duty by now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One piece of work; done twice, or by two at once, it does nothing more."""

    name: str
    every_seconds: float
    """The shortest rest between two runs."""
    run: Callable[[Pool, PredictionSettings], Awaitable[bool | None]]
    """True: more waits, and the rest is no longer than the run was."""


def steps() -> tuple[Step, ...]:
    """Give all steps; what they remember of a database is theirs alone."""
    return (
        Step(name="fold batches", every_seconds=1, run=fold_batches),
        Step(name="resolve outcomes", every_seconds=1, run=Outcomes().resolve_due),
        Step(name="promote", every_seconds=30, run=promote_due),
        Step(name="forget cooldowns", every_seconds=60, run=forget_old),
        Step(name="delete old rows", every_seconds=60, run=delete_due),
        Step(name="forget activations", every_seconds=600, run=forget_activations),
        Step(name="measure drift", every_seconds=600, run=measure_due),
    )


async def keep_house(
    pool: Pool, settings: PredictionSettings, *, on_duty: Callable[[], bool], stop: asyncio.Event
) -> None:
    """Run the steps, each at its own pace, until `stop`; while not on duty they rest."""
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_repeat(step, pool, settings, on_duty, stop), name=f"housekeeping: {step.name}")
            for step in steps()
        ]
        await stop.wait()
        for task in tasks:
            # Whatever a step has not committed it does again.
            task.cancel()


async def _repeat(
    step: Step, pool: Pool, settings: PredictionSettings, on_duty: Callable[[], bool], stop: asyncio.Event
) -> None:
    while not stop.is_set():
        rest = await _run(step, pool, settings) if on_duty() else OFF_DUTY_SECONDS
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(rest):
                await stop.wait()


async def _run(step: Step, pool: Pool, settings: PredictionSettings) -> float:
    """Run a step once; give the seconds to rest."""
    started = time.monotonic()
    try:
        more = await step.run(pool, settings)
    except Exception as error:
        # What one step cannot do must not end the answering of rows.
        ERRORS.labels(type(error).__name__).inc()
        log.warning("housekeeping failed, trying again", step=step.name, exc_info=error)
        more = False
    took = time.monotonic() - started
    return took if more else max(step.every_seconds, SHARE * took)
