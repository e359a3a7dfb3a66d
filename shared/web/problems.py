"""Errors as RFC 9457 problems: what went wrong, with which id, what to do."""

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError, ResponseValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import Match

from shared.db import ConnectionLost, PostgresError, UndefinedTable
from shared.errors import PumpcastError, TooLarge
from shared.web.examples import add_examples

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
MAX_ERRORS = 50


class FieldError(BaseModel):
    """One thing wrong with one field."""

    pointer: str
    detail: str


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    errors: list[FieldError] = []


def problem(
    request: Request,
    *,
    status: int,
    code: str,
    detail: str,
    errors: list[FieldError] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """Answer with a problem."""
    request.state.problem_code = code
    body = Problem(
        type=f"urn:pumpcast:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        instance=request.scope["path"],
        code=code,
        request_id=getattr(request.state, "request_id", ""),
        errors=errors or [],
    )
    return JSONResponse(body.model_dump(), status, headers=headers, media_type=MEDIA_TYPE)


def install_problems(app: FastAPI) -> None:
    """Make every error of the app a problem, and say so in its OpenAPI document."""
    app.add_exception_handler(PumpcastError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(UndefinedTable, _not_migrated)
    # Connecting makes a ConnectionError of whatever the system says; any other OSError is about a file of ours.
    for kind in (ConnectionError, *(kind for kind in ConnectionLost if kind is not OSError)):
        app.add_exception_handler(kind, _database_gone)
    app.add_exception_handler(ResponseValidationError, crash)
    app.add_exception_handler(PostgresError, crash)
    app.add_exception_handler(Exception, crash)
    _document(app)


async def crash(request: Request, error: Exception) -> Response:
    """Answer for a fault of ours: logged in full, told in one neutral sentence."""
    log.error("request crashed", path=request.scope["path"], exc_info=error)
    return problem(
        request, status=500, code="internal", detail="Something failed here; the log has it under this request id."
    )


async def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, PumpcastError)
    errors = [FieldError(pointer=error.pointer, detail=error.message)] if error.pointer else None
    return problem(request, status=error.status, code=error.code, detail=error.message, errors=errors)


async def _invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = [_field_error(item, error.body) for item in error.errors()[:MAX_ERRORS]]
    errors = [one for number, one in enumerate(found) if one not in found[:number]]
    first = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    detail = f"{first.pointer or 'request'}: {first.detail}{more}"
    return problem(request, status=422, code="invalid", detail=detail, errors=errors)


def _field_error(item: dict[str, Any], body: Any) -> FieldError:
    location = item["loc"]
    parts = _fields(location[1:], body) if location and location[0] == "body" else list(location)
    if item["type"] == "json_invalid":
        # Its place is a number of characters, no field.
        parts = []
    pointer = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)
    return FieldError(pointer=pointer, detail=re.sub(r"^(Value|Assertion) error, ", "", str(item["msg"])))


def _fields(location: Sequence[str | int], body: Any) -> list[str | int]:
    """Give a place in the body without the names of the kinds of values that were tried there.

    >>> _fields(("ranges", "depth", "Range", "low"), {"ranges": {"depth": {"low": "x"}}})
    ['ranges', 'depth', 'low']
    >>> _fields(("ranges", "depth", "Range", "high"), {"ranges": {"depth": {"low": 1}}})
    ['ranges', 'depth', 'high']
    >>> _fields(("ranges", "depth", "Range"), {"ranges": {"depth": 1}})
    ['ranges', 'depth']
    """
    found: list[str | int] = []
    for number, part in enumerate(location, 1):
        inside = part in body if isinstance(body, dict) else isinstance(body, list) and isinstance(part, int)
        missing = number == len(location) and isinstance(body, dict)
        if inside or missing:
            found.append(part)
        if inside:
            body = body[part]
    return found


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    detail = str(error.detail)
    if error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return too_large(request)
    if error.status_code == HTTPStatus.NOT_FOUND:
        detail = f"There is nothing at {request.scope['path']}; /docs lists what there is."
    headers = dict(error.headers) if error.headers else None
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers = {"Allow": ", ".join(sorted(_methods(request)))}
    return problem(request, status=error.status_code, code=code, detail=detail, headers=headers)


def _methods(request: Request) -> set[str]:
    """Give what the path of a request answers to: the framework names the methods of its first route only."""
    routes = [
        route for route in iter_route_contexts(request.app.routes) if route.matches(request.scope)[0] is not Match.NONE
    ]
    # A word in a path may also be taken for an id, of which there is none.
    literal = min((route.path or "" for route in routes), key=lambda path: path.count("{"))
    return {method for route in routes if route.path == literal for method in route.methods or ()}


def too_large(request: Request) -> Response:
    """Answer for a body beyond the limit."""
    detail = "The body has more bytes than are allowed here."
    return problem(request, status=413, code=TooLarge.code, detail=detail)


async def _not_migrated(request: Request, _error: Exception) -> Response:
    detail = "The database lacks tables of pumpcast: run `pumpcast migrate`."
    return problem(request, status=503, code="not_migrated", detail=detail)


async def _database_gone(request: Request, error: Exception) -> Response:
    log.warning("database lost in a request", error=type(error).__name__)
    detail = "The database does not answer; try again in a few seconds."
    return problem(request, status=503, code="database_gone", detail=detail, headers={"Retry-After": "5"})


def _document(app: FastAPI) -> None:
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema:
            return app.openapi_schema
        document = generate()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(schema.pop("$defs", {}))
        schemas["Problem"] = schema
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        answer = {
            "description": "A problem: what is wrong, with which id, what to do",
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for path in document.get("paths", {}).values():
            for operation in path.values():
                operation["responses"].pop("422", None)
                operation["responses"]["default"] = answer
        add_examples(document, app.title.removeprefix("pumpcast "), answer=answer)
        return document

    app.openapi = openapi  # type: ignore[method-assign]
