"""Steps beside the answering: each at its own pace, a failing one again, none while off duty."""

import asyncio
from typing import Any

import pytest

from prediction_service.usecases import housekeeping
from prediction_service.usecases.housekeeping import Step, keep_house
from tests.support.resolving import SETTINGS


async def test_steps_when_one_fails_then_it_is_tried_again_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch):
    ran: dict[str, int] = {"fails": 0, "has more": 0, "waits for ever": 0}
    enough = asyncio.Event()

    async def run(name: str) -> bool:
        ran[name] += 1
        if ran["fails"] >= 3 and ran["has more"] >= 3:
            enough.set()
        if name == "fails":
            raise ValueError("as told")
        if name == "waits for ever":
            await asyncio.Event().wait()
        return True

    def steps() -> tuple[Step, ...]:
        return tuple(
            Step(name=name, every_seconds=0.01, run=lambda _pool, _settings, name=name: run(name)) for name in ran
        )

    monkeypatch.setattr(housekeeping, "steps", steps)
    monkeypatch.setattr(housekeeping, "OFF_DUTY_SECONDS", 0.01)
    nothing: Any = None
    on_duty, stop = asyncio.Event(), asyncio.Event()
    keeping = asyncio.create_task(keep_house(nothing, SETTINGS, on_duty=on_duty.is_set, stop=stop))
    await asyncio.sleep(0.05)
    assert set(ran.values()) == {0}
    on_duty.set()
    await asyncio.wait_for(enough.wait(), 20)
    # Nor does one that hangs keep the worker from ending.
    stop.set()
    await asyncio.wait_for(keeping, 20)
    assert ran["waits for ever"] == 1
