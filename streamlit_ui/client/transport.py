"""One request to a service: sent, judged, read as a wire model; whatever goes wrong is a `ServiceError`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar

import httpx2
from pydantic import BaseModel, ValidationError

ServiceName = Literal["training", "prediction"]
Answer = TypeVar("Answer", bound=BaseModel)
CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 30.0
UPLOAD_SECONDS = 600.0
PROBLEM = "application/problem+json"
_UNAUTHORISED = 401


class ServiceError(Exception):
    """Something a person should read instead of what was asked for."""

    def __init__(self, service: ServiceName, message: str) -> None:
        super().__init__(message)
        self.service = service
        self.message = message


class Unreachable(ServiceError):
    """The service does not answer; asking again may help."""


class KeyNeeded(ServiceError):
    """The service wants a key, or another one."""


class Strange(ServiceError):
    """The answer is none of this version of the service."""


class Refused(ServiceError):
    """The service said no: a problem with what it says of it."""

    def __init__(self, service: ServiceName, problem: Mapping[str, Any], *, status: int) -> None:
        super().__init__(service, str(problem.get("detail") or problem.get("title") or f"HTTP {status}"))
        self.status = status
        self.code = str(problem.get("code") or "")
        self.request_id = str(problem.get("request_id") or "")
        self.faults = tuple(
            Fault(pointer=str(one.get("pointer") or ""), detail=str(one.get("detail") or ""))
            for one in problem.get("errors") or ()
            if isinstance(one, dict)
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
        try:
            with self.http.stream("GET", f"{self.url}{path}", headers=self._headers()) as response:
                if response.is_error:
                    response.read()
                    self._refuse(response)
                yield response
        except httpx2.TransportError as error:
            raise self._unreachable(error) from error

    def _ask(
        self, method: str, path: str, *, query: Mapping[str, Any], body: Any = None,
        form: Mapping[str, str] | None = None, files: Any = None, seconds: float = ANSWER_SECONDS,
        also: int | None = None,
    ) -> httpx2.Response:  # fmt: skip
        given = {name: _written(value) for name, value in query.items() if value is not None}
        json = body.model_dump(mode="json", exclude_unset=True, by_alias=True) if isinstance(body, BaseModel) else body
        try:
            response = self.http.request(
                method, f"{self.url}{path}", params=given, json=json, data=form, files=files, headers=self._headers(),
                timeout=httpx2.Timeout(seconds, connect=CONNECT_SECONDS),
            )  # fmt: skip
        except (httpx2.TransportError, httpx2.InvalidURL) as error:
            raise self._unreachable(error) from error
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
            raise Strange(self.name, f"{response.url.path}: {place}: {first['msg']}") from error

    def _refuse(self, response: httpx2.Response) -> None:
        try:
            problem = response.json()
        except ValueError:
            problem = None
        if not isinstance(problem, dict) or "status" not in problem:
            raise Strange(self.name, f"{response.url.path}: HTTP {response.status_code}")
        if response.status_code == _UNAUTHORISED:
            raise KeyNeeded(self.name, str(problem.get("detail") or ""))
        raise Refused(self.name, problem, status=response.status_code)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}

    def _unreachable(self, error: Exception) -> Unreachable:
        return Unreachable(self.name, f"{self.url}: {str(error) or type(error).__name__}")


def _written(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value).lower() if isinstance(value, bool) else value


def new_client() -> httpx2.Client:
    """Give the connections of the process; proxies of the environment have no part in this."""
    return httpx2.Client(trust_env=False, follow_redirects=False)
