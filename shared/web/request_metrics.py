"""What the requests of one API look like from outside: how many, how they ended, how long until an answer began."""

import time

from prometheus_client import CollectorRegistry, Counter, GCCollector, Histogram, PlatformCollector, ProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

NO_ROUTE = "none"
"""Stands for all paths that nobody serves, and for what was refused before a route was sought."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SERVER_ERROR = 500
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 5, 10, 30, 60)


class RequestFigures:
    """Counters of one app, in a registry of their own together with those of its process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.requests = Counter(
            "ml_http_requests",
            "Requests answered, by route template and class of status",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "ml_http_request_duration_seconds",
            "From a request to the start of its answer: streams and downloads last longer",
            ["method", "route"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.errors = Counter(
            "ml_errors", "Answers with a status of 500 and more, by code", ["type"], registry=self.registry
        )


class RequestMetrics:
    """ASGI middleware outside of all others that counts what is answered."""

    def __init__(self, app: ASGIApp, figures: RequestFigures) -> None:
        self._app = app
        self._figures = figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._count(scope, message["status"], time.perf_counter() - started)
            await send(message)

        await self._app(scope, receive, send_counted)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        # Both come from the network: what is not known must not become a label.
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = getattr(scope.get("route"), "path", NO_ROUTE)
        self._figures.requests.labels(method, route, f"{status // 100}xx").inc()
        self._figures.seconds.labels(method, route).observe(seconds)
        if status >= _SERVER_ERROR:
            self._figures.errors.labels(scope.get("state", {}).get("problem_code", "unknown")).inc()
