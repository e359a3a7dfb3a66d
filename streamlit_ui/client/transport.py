"""One request to a service: sent, judged, read as a wire model; whatever goes wrong is a `ServiceError`."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar

import httpx2
import structlog
from pydantic import BaseModel, ValidationError

from shared.request_ids import HEADER
from shared.tracing import span, trace_headers

log = structlog.get_logger(__name__)

ServiceName = Literal["training", "prediction"]
Answer = TypeVar("Answer", bound=BaseModel)
CONNECT_SECONDS = 2.0
# A look that takes longer is given up: a page asks for many things, one after the other.
LOOK_SECONDS = 15.0
ANSWER_SECONDS = 30.0
UPLOAD_SECONDS = 600.0
PROBLEM = "application/problem+json"
_UNAUTHORISED = 401
_PLAIN_ADDRESS = re.compile(r"(https?://)([A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\])(:\d+)?(/[\w./-]*)?")
_KEY = re.compile(r"[!-~]*")
_SECONDS = re.compile(r"[0-9]{1,6}")
_NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)


class ServiceError(Exception):
    """Something a person should read instead of what was asked for."""

    def __init__(self, service: ServiceName, message: str) -> None:
        super().__init__(message)
        self.service = service
        self.message = message
        self.request_id = ""
        """Finds the request in the logs of the app and of the service."""


class Unreachable(ServiceError):
    """The service does not answer; asking again may help."""

    def __init__(self, service: ServiceName, message: str, *, may_have_happened: bool = False) -> None:
        super().__init__(service, message)
        self.may_have_happened = may_have_happened
        """Whether a change was sent whose answer is missing."""


class KeyNeeded(ServiceError):
    """The service wants a key, or another one."""


class UnexpectedAnswer(ServiceError):
    """The answer is none of this version of the service."""


class Refused(ServiceError):
    """The service said no: a problem with what it says of it."""

    def __init__(
        self, service: ServiceName, problem: Mapping[str, Any], *, status: int, wait_seconds: int | None = None
    ) -> None:
        super().__init__(service, str(problem.get("detail") or problem.get("title") or f"HTTP {status}"))
        self.status = status
        self.wait_seconds = wait_seconds
        """When to ask again, where the service says so."""
        self.code = str(problem.get("code") or "")
        self.request_id = str(problem.get("request_id") or "")
        self.faults = tuple(
            Fault(pointer=str(one.get("pointer") or ""), detail=str(one.get("detail") or ""))
            for one in problem.get("errors") or ()
            if isinstance(one, dict)
        )

    @property
    def says_its_only_fault(self) -> bool:
        """Whether the message is nothing else than the one fault there is."""
        return len(self.faults) == 1 and all(
            part in self.message for part in (self.faults[0].pointer, self.faults[0].detail)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One field of a request that is wrong."""

    pointer: str
    """Where in the body, as /train_end."""
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One of the two services, and who asks it."""

    name: ServiceName
    url: str
    """Up to /api, without a slash behind it."""
    http: httpx2.Client
    key: str
    """Shown with every request; empty: none."""
    request_id: str = ""
    """Sent with every request; empty: the service makes one."""
    traceparent: str | None = None
    """The span that asks."""

    @property
    def shown_url(self) -> str:
        """Give the address as people may see it: without what may be credentials."""
        scheme, _, rest = self.url.partition("://")
        shown = f"{scheme}://{rest.rpartition('@')[2]}"
        return shown if _PLAIN_ADDRESS.fullmatch(shown) else f"{scheme}://…"

    def get(self, path: str, answer: type[Answer], **query: Any) -> Answer:
        """Ask for what `path` shows; parameters that are None are left out."""
        return self._read(self._ask("GET", path, query=query), answer)

    def get_also(self, path: str, answer: type[Answer], *, status: int) -> Answer:
        """Ask for what `path` shows also where it comes with a status that is an error elsewhere."""
        return self._read(self._ask("GET", path, query={}, also=status), answer)

    def send(
        self, method: Literal["POST", "PATCH", "DELETE"], path: str, answer: type[Answer], *, body: Any = None,
        **query: Any,
    ) -> Answer:  # fmt: skip
        """Ask for a change that has an answer; a wire model as body is sent with the fields that were set."""
        return self._read(self._ask(method, path, query=query, body=body), answer)

    def remove(self, path: str, **query: Any) -> None:
        """Ask for a removal that has no answer."""
        self._ask("DELETE", path, query=query)

    def upload(self, path: str, answer: type[Answer], *, form: Mapping[str, str], files: Any, **query: Any) -> Answer:
        """Send files; they may be large."""
        found = self._ask("POST", path, query=query, form=form, files=files, seconds=UPLOAD_SECONDS)
        return self._read(found, answer)

    @contextmanager
    def download(self, path: str) -> Iterator[httpx2.Response]:
        """Open a file for reading piece by piece."""
        with (
            self._asking("GET", path),
            self.http.stream("GET", f"{self.url}{path}", headers=self._headers()) as response,
        ):
            if response.is_error:
                response.read()
                self._refuse(response)
            yield response

    def _ask(
        self, method: str, path: str, *, query: Mapping[str, Any], body: Any = None,
        form: Mapping[str, str] | None = None, files: Any = None, seconds: float | None = None,
        also: int | None = None,
    ) -> httpx2.Response:  # fmt: skip
        given = {name: _written(value) for name, value in query.items() if value is not None}
        json = body.model_dump(mode="json", exclude_unset=True, by_alias=True) if isinstance(body, BaseModel) else body
        patience = seconds or (LOOK_SECONDS if method == "GET" else ANSWER_SECONDS)
        with self._asking(method, path):
            response = self.http.request(
                method, f"{self.url}{path}", params=given, json=json, data=form, files=files, headers=self._headers(),
                timeout=httpx2.Timeout(patience, connect=CONNECT_SECONDS),
            )  # fmt: skip
            is_problem = response.headers.get("content-type", "").startswith(PROBLEM)
            if response.is_error and (is_problem or response.status_code != also):
                self._refuse(response)
        return response

    def _read(self, response: httpx2.Response, answer: type[Answer]) -> Answer:
        try:
            return answer.model_validate_json(response.content)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            unexpected = UnexpectedAnswer(self.name, f"{response.url.path}: {place}: {first['msg']}")
            unexpected.request_id = self.request_id
            raise unexpected from error

    def _refuse(self, response: httpx2.Response) -> None:
        try:
            problem = response.json()
        except ValueError:
            problem = None
        if not isinstance(problem, dict) or "status" not in problem:
            raise UnexpectedAnswer(self.name, f"{response.url.path}: HTTP {response.status_code}")
        if response.status_code == _UNAUTHORISED:
            raise KeyNeeded(self.name, str(problem.get("detail") or ""))
        wait = response.headers.get("retry-after", "")
        wait_seconds = int(wait) if _SECONDS.fullmatch(wait) else None
        raise Refused(self.name, problem, status=response.status_code, wait_seconds=wait_seconds)

    def _headers(self) -> dict[str, str]:
        if not _KEY.fullmatch(self.key):
            raise KeyNeeded(self.name, "A key is made of printable ASCII characters.")
        known = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        followed = {HEADER: self.request_id} if self.request_id else {}
        return {**known, **followed, **trace_headers()}

    @contextmanager
    def _asking(self, method: str, path: str) -> Iterator[None]:
        """Judge a request and log it: a change always, a look where it fails."""
        told = log.bind(to=self.name, method=method, path=path, request_id=self.request_id or None)
        try:
            with span(f"{method} {self.name}", kind="client", parent=self.traceparent), self._judged(method):
                yield
        except ServiceError as error:
            error.request_id = error.request_id or self.request_id
            told.warning("request failed", reason=type(error).__name__, code=getattr(error, "code", None))
            raise
        (told.debug if method == "GET" else told.info)("request answered")

    @contextmanager
    def _judged(self, method: str) -> Iterator[None]:
        try:
            yield
        except httpx2.DecodingError as error:
            raise UnexpectedAnswer(self.name, f"{self.shown_url}: {error}") from error
        except httpx2.InvalidURL as error:
            # Its words repeat parts of the address.
            raise Unreachable(self.name, f"{self.shown_url}: {type(error).__name__}") from error
        except httpx2.RequestError as error:
            is_open = method != "GET" and not isinstance(error, _NEVER_SENT)
            reason = f"{self.shown_url}: {str(error) or type(error).__name__}"
            raise Unreachable(self.name, reason, may_have_happened=is_open) from error


def _written(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value).lower() if isinstance(value, bool) else value


def new_client() -> httpx2.Client:
    """Give the connections of the process; proxies of the environment have no part in this."""
    return httpx2.Client(trust_env=False, follow_redirects=False)
