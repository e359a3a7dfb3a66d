"""Assemble and serve a FastAPI app: database, problems, guards, health."""

import asyncio
import importlib.metadata
import signal
import socket
from collections.abc import AsyncIterator, Callable, MutableMapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

import structlog
import uvicorn
from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.binding import check_binding
from shared.db import open_pool
from shared.embedded import database
from shared.errors import PumpcastError
from shared.folders import make_folder
from shared.logging import set_up_logging
from shared.settings import ServiceSettings
from shared.tracing import set_up_tracing
from shared.web.admission import Admission
from shared.web.configuration import configuration_router
from shared.web.connections import BACKLOG, KEEP_ALIVE_SECONDS, GuardedProtocol
from shared.web.docs_page import docs_router
from shared.web.guards import BodyLimitProblems, Guard
from shared.web.health import HealthSource, health_router
from shared.web.problems import install_problems
from shared.web.request_metrics import RequestFigures, RequestMetrics

log = structlog.get_logger(__name__)

MAX_BODY_BYTES = 1 << 20


def _is_asked_by_machines(scope: MutableMapping[str, Any]) -> bool:
    path: str = scope["path"]
    return path.removeprefix("/api").startswith(("/health", "/metrics"))


class _Api(FastAPI):
    """An app whose outermost layer is ours: the framework's limit of bodies lies outside of added middleware."""

    admission: Admission

    def build_middleware_stack(self) -> ASGIApp:
        """Give the layers."""
        limited = BodyLimitProblems(super().build_middleware_stack())
        return RequestMetrics(Guard(limited, admission=self.admission), self.state.figures)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, or the life of the process."""
        if scope["type"] != "lifespan":
            await super().__call__(scope, receive, send)
            return

        async def send_short(message: Message) -> None:
            # A start that fails for a known reason has said so in one line; a stack trace would bury it.
            if message["type"] == "lifespan.startup.failed" and getattr(self.state, "told", False):
                message = {**message, "message": ""}
            await send(message)

        await super().__call__(scope, receive, send_short)


class Server(uvicorn.Server):
    """A server that tells the app when it is about to end: it waits for answers under way, and some have no end."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what the app does, then the connections."""
        if isinstance(self.config.app, FastAPI) and hasattr(self.config.app.state, "stopping"):
            self.config.app.state.stopping.set()
        await super().shutdown(sockets)


def create_app(
    *,
    title: str,
    description: str,
    settings: ServiceSettings,
    routers: Sequence[APIRouter],
    root_routers: Sequence[APIRouter] = (),
    health: HealthSource,
    resources: Callable[[FastAPI], AbstractAsyncContextManager[None]],
) -> FastAPI:
    """Give the app: `app.state` holds settings, dsn, pool and stopping while it runs; `resources` may add to it.

    Routes are served below /api, those of `root_routers` at the root as well.
    """
    check_binding(settings)
    admission = Admission(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            async with running(app):
                yield
        except PumpcastError as error:
            app.state.told = True
            log.error("service cannot run", error=error.message, code=error.code)  # noqa: TRY400
            raise

    @asynccontextmanager
    async def running(app: FastAPI) -> AsyncIterator[None]:
        make_folder(health.model_store)
        with database(settings) as dsn:
            pool = await open_pool(dsn, application=title)
            app.state.settings, app.state.dsn, app.state.pool = settings, dsn, pool
            app.state.stopping = asyncio.Event()
            try:
                async with resources(app):
                    yield
            finally:
                await pool.close()

    app = _Api(
        title=title,
        description=description,
        version=importlib.metadata.version("pumpcast"),
        lifespan=lifespan,
        max_body_size=MAX_BODY_BYTES,
        redirect_slashes=False,
        # What machines ask again and again is no span, and a request is one and not five.
        telemetry={"operation_spans": False, "exclude": _is_asked_by_machines},
        docs_url=None,
        redoc_url=None,
    )
    app.admission = admission
    app.state.figures = RequestFigures()
    app.include_router(docs_router(title))
    for router in (*routers, *root_routers):
        app.include_router(router, prefix="/api")
    for router in root_routers:
        app.include_router(router, include_in_schema=False)
    probes = health_router(health)
    app.include_router(probes, prefix="/api")
    app.include_router(configuration_router(health.service), prefix="/api")
    app.include_router(probes, include_in_schema=False)
    install_problems(app)
    return app


def web_config(app: FastAPI, **options: Any) -> uvicorn.Config:
    """Give how a server runs an app: its limits, no word of what it is, no trust in what a client says of itself."""
    return uvicorn.Config(
        app, http=GuardedProtocol, ws="none", lifespan=options.pop("lifespan", "on"), log_config=None, access_log=False,
        server_header=False, proxy_headers=False, backlog=BACKLOG, timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=10, **options,
    )  # fmt: skip


def serve(build: Callable[[], FastAPI], *, settings: ServiceSettings, service: str, port: int) -> None:
    """Serve until SIGTERM or Ctrl-C; a start that cannot work ends with one line and exit code 1 or 2."""
    set_up_logging(settings, service=service)
    set_up_tracing(service)
    try:
        app = build()
    except PumpcastError as error:
        log.error("service cannot start", error=error.message, code=error.code)  # noqa: TRY400
        raise SystemExit(2) from None
    server = Server(web_config(app, host=settings.bind_host, port=port))
    told = _end_in_order()
    with suppress(SystemExit):
        # Its own exit code of a start that failed is 3, which elsewhere here means a gate that was not met.
        server.run()
    if not server.started and not told:
        raise SystemExit(1)


def _end_in_order() -> list[int]:
    """Make it an orderly end to be told to stop: the server hands the signal on when it has ended, to die of it."""
    told: list[int] = []

    def end(number: int, _frame: object) -> None:
        told.append(number)
        raise SystemExit(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    return told
