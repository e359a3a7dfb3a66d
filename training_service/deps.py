"""What routes are given."""

from typing import Annotated, cast

from fastapi import Depends, Query, Request

from shared.db import Pool
from training_service.usecases.preflight import Preflight

LARGEST_OFFSET = 1_000_000


def _pool(request: Request) -> Pool:
    return cast("Pool", request.app.state.pool)


def _preflight(request: Request) -> Preflight:
    return cast("Preflight", request.app.state.preflight)


PoolDep = Annotated[Pool, Depends(_pool)]
PreflightDep = Annotated[Preflight, Depends(_preflight)]
Limit = Annotated[int, Query(ge=1, le=1000, description="Most entries to give")]
Offset = Annotated[int, Query(ge=0, le=LARGEST_OFFSET, description="Entries to skip")]
