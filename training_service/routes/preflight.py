"""The route that tells how a job would end."""

from fastapi import APIRouter

from shared.contracts.preflight import PreflightReport, PreflightRequest
from training_service.deps import PoolDep, PreflightDep

router = APIRouter(prefix="/models", tags=["models"])


@router.post("/preflight", summary="What the rows say about a request, before anything is fitted")
async def preflight(pool: PoolDep, looks: PreflightDep, body: PreflightRequest) -> PreflightReport:
    return await looks.report(pool, body)
