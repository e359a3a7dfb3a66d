"""The tables ml_test_results and ml_comparisons: how models did on rows they were not made of."""

from collections.abc import Sequence
from typing import Any

from shared.db import Connection, Executor, Queries, Record

_queries = Queries.beside(__file__)


async def hold_models(connection: Connection, model_ids: Sequence[int]) -> set[int]:
    """Give those of the models that are not deleted; they stay so until the transaction ends."""
    return {row["id"] for row in await _queries.fetch(connection, "hold_models", ids=list(model_ids))}


async def put_test(connection: Connection, **columns: Any) -> int:
    """Write a test result, or renew that of the same model and window; give its id."""
    test_id: int = await _queries.fetchval(connection, "put_test", **columns)
    return test_id


async def insert_comparison(connection: Connection, **columns: Any) -> int:
    """Write a comparison; give its id."""
    comparison_id: int = await _queries.fetchval(connection, "insert_comparison", **columns)
    return comparison_id


async def get_test(executor: Executor, test_id: int) -> Record | None:
    """Give one test result."""
    return await _queries.fetchrow(executor, "get_test", id=test_id)


async def get_comparison(executor: Executor, comparison_id: int) -> Record | None:
    """Give one comparison."""
    return await _queries.fetchrow(executor, "get_comparison", id=comparison_id)


async def tests_by_ids(executor: Executor, test_ids: Sequence[int]) -> dict[int, Record]:
    """Give some test results by id."""
    if not test_ids:
        return {}
    return {row["id"]: row for row in await _queries.fetch(executor, "tests_by_ids", ids=list(test_ids))}


async def comparisons_by_ids(executor: Executor, comparison_ids: Sequence[int]) -> dict[int, Record]:
    """Give some comparisons by id."""
    if not comparison_ids:
        return {}
    return {row["id"]: row for row in await _queries.fetch(executor, "comparisons_by_ids", ids=list(comparison_ids))}


async def list_tests(executor: Executor, *, model_id: int | None, limit: int, offset: int) -> tuple[list[Record], int]:
    """Give a page of test results, newest first, and how many there are."""
    total = await _queries.fetchval(executor, "count_tests", model_id=model_id)
    return await _queries.fetch(executor, "list_tests", model_id=model_id, limit=limit, offset=offset), total


async def list_comparisons(executor: Executor, *, limit: int, offset: int) -> tuple[list[Record], int]:
    """Give a page of comparisons, newest first, and how many there are."""
    total = await _queries.fetchval(executor, "count_comparisons")
    return await _queries.fetch(executor, "list_comparisons", limit=limit, offset=offset), total


async def delete_test(executor: Executor, test_id: int) -> bool:
    """Remove a test result; False when there is no such one."""
    return await _queries.fetchval(executor, "delete_test", id=test_id) is True


async def delete_comparison(executor: Executor, comparison_id: int) -> bool:
    """Remove a comparison; its test results stay. False when there is no such one."""
    return await _queries.fetchval(executor, "delete_comparison", id=comparison_id) is True
