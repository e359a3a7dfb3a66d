"""Batches overlap under load: the next one is answered before the one before is committed, with the same answers."""

from pathlib import Path
from typing import Any

import pytest

from prediction_service.usecases import live
from prediction_service.usecases.models import activate, deactivate
from shared.db import Connection, Pool
from tests.support.arrivals import Loop, Shape, all_rows, answers_as_they_arrive, disordered, stored_answers
from tests.support.database import insert_rows
from tests.support.live import skipped
from tests.support.models import activate_model


@pytest.fixture
def ahead(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Give a list that grows with each batch that is prepared ahead."""
    prepared: list[int] = []
    prepare = live._prepare_beside

    async def noted(*arguments: Any) -> Any:
        step = await prepare(*arguments)
        prepared.append(0 if step is None else step.seen)
        return step

    monkeypatch.setattr(live, "_prepare_beside", noted)
    return prepared


async def test_rows_when_batches_overlap_and_many_are_late_then_each_sees_what_had_arrived_before_it(
    pool: Pool, connection: Connection, tmp_path: Path, ahead: list[int]
):
    active_id = await activate_model(pool, tmp_path)
    await insert_rows(connection, disordered(300, seed=4))
    await Loop(pool, tmp_path, batch_size=2, catchup_max_age_seconds=3600).catch_up()
    rows = await all_rows(connection)
    assert sum(ahead) > 150
    assert await stored_answers(connection, active_id) == pytest.approx(
        answers_as_they_arrive(rows, Shape()), abs=1.1e-6
    )
    assert await skipped(connection) == {}


async def test_rows_when_models_change_while_batches_overlap_then_no_answer_is_lost_or_given_twice(
    pool: Pool, connection: Connection, tmp_path: Path, ahead: list[int]
):
    always = await activate_model(pool, tmp_path, model_id=1)
    switched = await activate_model(pool, tmp_path, model_id=2)
    await insert_rows(connection, disordered(200, seed=5))
    loop = Loop(pool, tmp_path, batch_size=2, catchup_max_age_seconds=3600)
    for _ in range(6):
        await loop.look()
        await deactivate(pool, switched)
        await loop.look()
        await activate(pool, switched)
    await loop.catch_up()
    expected = answers_as_they_arrive(await all_rows(connection), Shape())
    assert ahead
    for active_id in (always, switched):
        assert await stored_answers(connection, active_id) == pytest.approx(expected, abs=1.1e-6)
