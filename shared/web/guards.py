"""What every request passes first: a request id, admission, a limit of time, headers, one log line."""

import asyncio
import time
from collections.abc import Callable

import structlog
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import TooLarge, TooSlow
from shared.request_ids import HEADER, take_request_id
from shared.tracing import present_ids
from shared.web import cors
from shared.web.admission import Admission, Refusal
from shared.web.deadlines import REQUEST_SECONDS, Arrival, Overdue, in_time
from shared.web.headers import Marks
from shared.web.problems import MEDIA_TYPE, crash, problem, too_large

log = structlog.get_logger(__name__)


class BodyLimitProblems:
    """ASGI middleware outside of the framework's that says in a problem what the body limit says in plain text."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        replaced = False

        async def send_problem(message: Message) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start" and message["status"] == TooLarge.status:
                replaced = Headers(scope=message).get("content-type") != MEDIA_TYPE
                if replaced:
                    await too_large(Request(scope, receive))(scope, receive, send)
            if not replaced:
                await send(message)

        await self._app(scope, receive, send_problem)


class _Answer:
    """An answer on its way out."""

    def __init__(self, send: Send, *, mark: Callable[[Message], Message]) -> None:
        self._send = send
        self._mark = mark
        self.status = 0
        """0 until it begins."""
        self.is_whole = False
        self.trace: dict[str, str] = {}

    async def send(self, message: Message) -> None:
        """Send a part."""
        if message["type"] == "http.response.start":
            # Its span ends before its line is written.
            self.status, self.trace = message["status"], present_ids()
            message = self._mark(message)
        else:
            self.is_whole = not message.get("more_body", False)
        await self._send(message)


class Guard:
    """ASGI middleware outside of the framework's: lets a request through or answers it with a problem."""

    def __init__(self, app: ASGIApp, *, admission: Admission) -> None:
        self._app = app
        self._admission = admission
        self._marks = Marks(is_private=admission.wants_keys)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request = Request(scope, receive)
        _name(request)
        answer = _Answer(send, mark=lambda message: self._mark(request, message))
        refusal = self._admission.refuse(request)
        if refusal is not None:
            await _refused(request, refusal)(scope, receive, answer.send)
        elif cors.is_preflight(request):
            await cors.preflight()(scope, receive, answer.send)
        else:
            await self._pass_on(request, answer)
        log.info(
            "request",
            method=request.method,
            path=scope["path"],
            status=answer.status,
            duration_ms=round((time.perf_counter() - started) * 1000, 2),
            **answer.trace,
        )

    def _mark(self, request: Request, message: Message) -> Message:
        counted = request.state.counted
        more = {
            "x-request-id": request.state.request_id,
            **(counted.headers if counted else {}),
            **cors.shared_with(self._admission.origins, request.headers),
        }
        return self._marks.mark(message, more)

    async def _pass_on(self, request: Request, answer: _Answer) -> None:
        arrival = Arrival(request.receive)
        try:
            async with in_time(request, arrival):
                await self._app(request.scope, arrival.receive, answer.send)
        except Overdue as error:
            log.warning("request took too long", path=request.scope["path"], status=answer.status)
            if answer.status:
                # Half an answer can only be broken off.
                raise
            await _overdue(request, error)(request.scope, request.receive, answer.send)
        except asyncio.CancelledError:
            # The server ends and waits no longer.
            if answer.status:
                raise
            await _ending(request)(request.scope, request.receive, answer.send)
        except Exception as error:
            # The framework answers for a fault of ours, then raises it again.
            if not answer.status:
                await (await crash(request, error))(request.scope, request.receive, answer.send)
            elif not answer.is_whole:
                raise


def _name(request: Request) -> None:
    request_id = take_request_id(request.headers.get(HEADER, ""))
    request.state.request_id = request_id
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request_id)


def _refused(request: Request, refusal: Refusal) -> Response:
    return problem(
        request, status=refusal.status, code=refusal.code, detail=refusal.detail, headers=refusal.headers or None
    )


def _ending(request: Request) -> Response:
    headers = {"Connection": "close", "Retry-After": "5"}
    detail = "The service is being stopped and broke this request off; try again in a few seconds."
    return problem(request, status=503, code="not_ready", detail=detail, headers=headers)


def _overdue(request: Request, error: Overdue) -> Response:
    # What of the body comes after this is not wanted.
    headers = {"Connection": "close"}
    if error.is_client_slow:
        detail = f"The body did not come within {REQUEST_SECONDS:g} seconds: send it again."
        return problem(request, status=TooSlow.status, code=TooSlow.code, detail=detail, headers=headers)
    detail = f"There was no answer within {REQUEST_SECONDS:g} seconds; ask for less, or try again later."
    return problem(request, status=503, code="too_long", detail=detail, headers={**headers, "Retry-After": "5"})
