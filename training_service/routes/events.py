"""Routes that tell what a job tells: its log, and server-sent events until it is over."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from typing import Annotated

from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request, status
from fastapi.sse import EventSourceResponse, ServerSentEvent

from shared.contracts.events import JobLog, LogLine
from shared.contracts.fields import PathId
from shared.errors import NotFound
from shared.web.deadlines import own_time
from training_service.deps import PoolDep
from training_service.routes.embedding import with_results
from training_service.store import jobs
from training_service.usecases.job_progress import follow

router = APIRouter(prefix="/queue", tags=["queue"])

MOST_STREAMS = 200
MOST_STREAMS_OF_ONE = 50
RETRY_SECONDS = 5


@router.get("/{job_id:int}/log", summary="What happened to a job, newest last")
async def get_log(pool: PoolDep, job_id: PathId, limit: Annotated[int, Query(ge=1, le=1000)] = 500) -> JobLog:
    row = await jobs.get_log(pool, job_id)
    if row is None:
        raise NotFound(f"There is no job {job_id}")
    lines = [LogLine.model_validate(line) for line in row["log"]]
    return JobLog(job_id=job_id, status=row["status"], lines=lines[-limit:], total=len(lines))


async def _known(pool: PoolDep, job_id: PathId) -> int:
    # Before the stream starts: behind its first byte no status can be told any more.
    if await jobs.get_log(pool, job_id) is None:
        raise NotFound(f"There is no job {job_id}")
    return job_id


class Streams:
    """The streams that are open, counted by who reads them."""

    def __init__(self) -> None:
        self._readers: Counter[str] = Counter()

    @property
    def open_now(self) -> int:
        """Give how many there are."""
        return self._readers.total()

    @contextmanager
    def one(self, reader: str) -> Iterator[None]:
        """Count a stream while it is open; refuse it where there are too many."""
        if self._readers[reader] >= MOST_STREAMS_OF_ONE:
            raise _refusal(status.HTTP_429_TOO_MANY_REQUESTS, f"{MOST_STREAMS_OF_ONE} event streams of yours are open")
        if self.open_now >= MOST_STREAMS:
            raise _refusal(status.HTTP_503_SERVICE_UNAVAILABLE, f"{MOST_STREAMS} event streams are open")
        self._readers[reader] += 1
        try:
            yield
        finally:
            self._readers[reader] -= 1
            self._readers += Counter()


streams = Streams()


def _refusal(code: int, told: str) -> HTTPException:
    detail = f"{told} here: close one, or ask GET /queue/{{id}} now and then"
    return HTTPException(code, detail, headers={"Retry-After": str(RETRY_SECONDS)})


async def _stream(request: Request) -> AsyncIterator[None]:
    with streams.one(_reader(request)):
        yield


def _reader(request: Request) -> str:
    if request.state.key_name is not None:
        return f"key {request.state.key_name}"
    return "nobody" if request.client is None else f"address {request.client.host}"


@router.get(
    "/{job_id:int}/events",
    summary="Follow a job until its end, as server-sent events",
    description=(
        "`progress` (JobProgress) at once and at every change, then `end` (Job), after which the stream closes: a "
        "client closes its side too. Comments keep it alive. `Last-Event-ID` leaves out the lines told before."
    ),
    response_class=EventSourceResponse,
    dependencies=[Depends(own_time), Depends(_stream)],
)
async def follow_job(
    request: Request,
    pool: PoolDep,
    job_id: Annotated[int, Depends(_known)],
    last_event_id: Annotated[str, Header()] = "",
) -> AsyncIterator[ServerSentEvent]:
    stopping: asyncio.Event = request.app.state.stopping
    async with aclosing(follow(pool, job_id, after=last_event_id, stopping=stopping)) as followed:
        async for news in followed:
            yield ServerSentEvent(event="progress", id=news.mark or None, data=news.progress)
            if news.is_last and (row := await jobs.get(pool, job_id)) is not None:
                (job,) = await with_results(pool, [row])
                yield ServerSentEvent(event="end", id=news.mark or None, data=job)
