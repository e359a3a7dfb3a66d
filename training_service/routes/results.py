"""Routes of tests and comparisons: ask for them, read and remove what they found."""

from fastapi import APIRouter, Request, Response, status

from shared.contracts.fields import PathId
from shared.contracts.results import (
    CompareModels,
    Comparison,
    ComparisonList,
    TestModel,
    TestResult,
    TestResultList,
)
from shared.contracts.training import CreatedJob
from shared.errors import NotFound
from training_service.deps import Limit, Offset, PoolDep
from training_service.store import results
from training_service.usecases import ask_test

router = APIRouter(tags=["results"])


@router.post(
    "/models/{model_id:int}/test", summary="Measure a model on other rows", status_code=status.HTTP_201_CREATED
)
async def test_model(
    request: Request, response: Response, pool: PoolDep, model_id: PathId, body: TestModel
) -> CreatedJob:
    created = await ask_test.ask_test(pool, model_id, request=body, request_id=request.state.request_id)
    response.headers["Location"] = f"/api/queue/{created.job_id}"
    return created


@router.post("/models/compare", summary="Measure models on the same rows", status_code=status.HTTP_201_CREATED)
async def compare_models(request: Request, response: Response, pool: PoolDep, body: CompareModels) -> CreatedJob:
    created = await ask_test.ask_comparison(pool, request=body, request_id=request.state.request_id)
    response.headers["Location"] = f"/api/queue/{created.job_id}"
    return created


@router.get("/test-results", summary="Test results, newest first")
async def list_test_results(
    pool: PoolDep, model_id: PathId | None = None, limit: Limit = 100, offset: Offset = 0
) -> TestResultList:
    rows, total = await results.list_tests(pool, model_id=model_id, limit=limit, offset=offset)
    return TestResultList(test_results=[TestResult.model_validate(dict(row)) for row in rows], total=total)


@router.get("/test-results/{test_id:int}", summary="One test result with its curves")
async def get_test_result(pool: PoolDep, test_id: PathId) -> TestResult:
    row = await results.get_test(pool, test_id)
    if row is None:
        raise NotFound(f"There is no test result {test_id}")
    return TestResult.model_validate(dict(row))


@router.delete("/test-results/{test_id:int}", summary="Remove a test result", status_code=status.HTTP_204_NO_CONTENT)
async def delete_test_result(pool: PoolDep, test_id: PathId) -> None:
    if not await results.delete_test(pool, test_id):
        raise NotFound(f"There is no test result {test_id}")


@router.get("/comparisons", summary="Comparisons, newest first")
async def list_comparisons(pool: PoolDep, limit: Limit = 100, offset: Offset = 0) -> ComparisonList:
    rows, total = await results.list_comparisons(pool, limit=limit, offset=offset)
    return ComparisonList(comparisons=[Comparison.model_validate(dict(row)) for row in rows], total=total)


@router.get("/comparisons/{comparison_id:int}", summary="One comparison with its figures")
async def get_comparison(pool: PoolDep, comparison_id: PathId) -> Comparison:
    row = await results.get_comparison(pool, comparison_id)
    if row is None:
        raise NotFound(f"There is no comparison {comparison_id}")
    return Comparison.model_validate(dict(row))


@router.delete(
    "/comparisons/{comparison_id:int}",
    summary="Remove a comparison; its test results stay",
    status_code=status.HTTP_204_NO_CONTENT,
)
async def delete_comparison(pool: PoolDep, comparison_id: PathId) -> None:
    if not await results.delete_comparison(pool, comparison_id):
        raise NotFound(f"There is no comparison {comparison_id}")
