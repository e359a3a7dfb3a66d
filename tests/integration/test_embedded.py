from shared.db import open_pool
from tests.support.database import insert_rows, row


async def test_insert_rows_when_rows_are_given_then_ids_ascend(pool):
    async with pool.acquire() as connection:
        ids = await insert_rows(connection, [row("A", 0), row("A", 5), row("B", 5, price_close=None)])
        assert ids == sorted(ids)
        assert await connection.fetchval("SELECT count(*) FROM coin_metrics WHERE price_close IS NULL") == 1


async def test_pool_when_either_way_of_connecting_then_it_answers(any_database):
    pool = await open_pool(any_database, application="tests")
    assert await pool.fetchval("SELECT count(*) FROM ref_coin_phases") == 5
    await pool.close()
