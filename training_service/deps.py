"""What routes are given."""

from typing import Annotated, cast

from fastapi import Depends, Query, Request

from shared.db import Pool

LARGEST_OFFSET = 1_000_000


def _pool(request: Request) -> Pool:
    return cast("Pool", request.app.state.pool)


PoolDep = Annotated[Pool, Depends(_pool)]
Limit = Annotated[int, Query(ge=1, le=1000, description="Most entries to give")]
Offset = Annotated[int, Query(ge=0, le=LARGEST_OFFSET, description="Entries to skip")]
