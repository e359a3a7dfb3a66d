"""The journal of batches: what is in it comes out once, oldest first."""

from prediction_service.store import batches
from shared.db import Pool, transaction

INSERT = (
    "INSERT INTO predictions"
    " (active_model_id, model_id, coin_id, data_timestamp, prediction, probability, threshold, is_alert)"
    " SELECT 1, 1, n::text, now(), 1, 0.9, 0.5, false FROM generate_series(1, $1::int) AS n"
)


async def test_batch_when_it_is_noted_then_its_ids_are_those_of_its_predictions(pool: Pool):
    assert await batches.newest_id(pool) == 0
    async with transaction(pool) as connection:
        await connection.execute(INSERT, 3)
        assert await batches.insert(connection, first_id=1, entries=[{"model_id": 7}]) == 3
    assert await batches.newest_id(pool) == 3
    async with transaction(pool) as connection:
        (batch,) = await batches.take(connection, most=10)
    assert (batch.first_id, batch.last_id, batch.entries) == (1, 3, [{"model_id": 7}])


async def test_batch_when_the_table_was_emptied_and_counts_anew_then_it_covers_its_predictions(pool: Pool):
    async with transaction(pool) as connection:
        await connection.execute(INSERT, 3)
        await connection.execute("TRUNCATE predictions RESTART IDENTITY")
        await connection.execute(INSERT, 5)
        entries = [{"model_id": 7, "cells": [[0, 1, 2, 0, 0, 0.5, 1.0, 0], [0, 2, 3, 0, 0, 0.5, 1.0, 0]]}]
        assert await batches.insert(connection, first_id=4, entries=entries) == 5
        (batch,) = await batches.take(connection, most=10)
    assert (batch.first_id, batch.last_id) == (1, 5)


async def test_batches_when_two_take_them_at_once_then_each_is_taken_once(pool: Pool):
    async with transaction(pool) as connection:
        for first in (1, 11, 21):
            await batches.insert(connection, first_id=first, last_id=first + 9, entries=[])
    async with transaction(pool) as one, transaction(pool) as other:
        assert [batch.first_id for batch in await batches.take(one, most=2)] == [1, 11]
        assert [batch.first_id for batch in await batches.take(other, most=2)] == [21]
    async with transaction(pool) as connection:
        assert await batches.take(connection, most=2) == []
