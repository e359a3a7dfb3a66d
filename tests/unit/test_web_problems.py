"""Errors as problems: every one of them, without a word about the inside."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import asyncpg
import orjson
import pytest
from fastapi import APIRouter
from fastapi import Path as PathParameter
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.fields import CoinId, Id, Moment, Name
from shared.errors import (
    ArtifactInvalid,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    PumpcastError,
    TooLarge,
    UpstreamFailed,
)
from shared.web.cursor import read_cursor, write_cursor
from tests.support.serving import served
from tests.unit import test_web_guards as guards
from tests.unit.test_web_guards import app_of, ask, raw

router = APIRouter()
KINDS: dict[str, Exception] = {
    "invalid": Invalid("wrong", pointer="/a/b"), "not_found": NotFound("no thing 7"), "conflict": Conflict("twice"),
    "forbidden": Forbidden("no"), "too_large": TooLarge("much"), "upstream_failed": UpstreamFailed("gone"),
    "artifact_invalid": ArtifactInvalid("damaged"), "internal": RuntimeError("secret /home/user SELECT 1"),
    "database_gone": ConnectionRefusedError("secret"),
    "disk_full": OSError(28, "secret"), "not_migrated": asyncpg.UndefinedTableError("secret"),
}  # fmt: skip


class Span(BaseModel):
    model_config = ConfigDict(extra="forbid")
    low: int
    high: int


class Some(BaseModel):
    model_config = ConfigDict(extra="forbid")
    some: list[int | None]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")
    id: Id = 1
    name: Name = "a"
    coin_id: CoinId = "a"
    at: Moment | None = None
    deep: dict[str, list[Annotated[int, Field(ge=0)]]] = {}
    either: dict[str, Span | Some] = {}


@router.get("/fail/{kind}")
async def fail(kind: Annotated[str, PathParameter()]) -> None:
    raise KINDS[kind]


@router.get("/wrong-answer")
async def wrong_answer() -> Body:
    return {"id": "x"}  # type: ignore[return-value]


@router.get("/breaks-off")
async def breaks_off() -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.sleep(0)
        raise RuntimeError("secret")

    return StreamingResponse(parts())


@router.post("/body")
async def take(body: Body) -> Body:
    return body


@pytest.fixture
async def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    monkeypatch.setattr(guards, "router", router)
    async with served(app_of("", tmp_path), lifespan="off") as found:
        yield found


@pytest.mark.parametrize("kind", KINDS)
async def test_error_when_raised_then_its_problem_has_status_code_and_no_word_of_the_inside(address: str, kind: str):
    error = KINDS[kind]
    status, body, _ = await ask(address, path=f"/api/fail/{kind}")
    code = "internal" if kind == "disk_full" else kind
    assert body["code"] == code
    assert body["type"] == f"urn:pumpcast:{code}"
    assert "secret" not in str(body)
    if isinstance(error, PumpcastError):
        assert (status, body["detail"]) == (error.status, error.message)
    else:
        assert status == (500 if code == "internal" else 503)
    expected = [{"pointer": "/a/b", "detail": "wrong"}] if kind == "invalid" else []
    assert body["errors"] == expected


async def test_answer_when_it_breaks_its_promise_then_500_is_a_problem(address: str):
    status, body, _ = await ask(address, path="/api/wrong-answer")
    assert (status, body["code"]) == (500, "internal")


async def test_answer_when_it_breaks_off_then_the_connection_ends_and_the_server_lives(address: str):
    answer = await raw(address, b"GET /api/breaks-off HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b"first" in answer
    assert not answer.endswith(b"0\r\n\r\n")
    assert (await ask(address, path="/health/live"))[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"), ("GET", "/api/nothing", 404, "not_found"), ("GET", "/", 404,
        "not_found"),
        ("GET", "/api/body", 405, "method_not_allowed"), ("GET", "/api/body/", 404, "not_found"),
        ("GET", "/%FF%00", 404, "not_found"), ("GET", "/..%2f..%2fetc", 404, "not_found"), ("TRACE", "/api/body", 405,
        "method_not_allowed"),
    ],
)  # fmt: skip
async def test_route_when_unknown_then_the_problem_says_so(
    address: str, method: str, path: str, status: int, code: str
):
    request = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    head, _, body = (await raw(address, request.encode())).partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status}".encode())
    assert b"application/problem+json" in head
    assert orjson.loads(body)["code"] == code
    assert (b"allow:" in head.lower()) is (status == 405)


WRONG_BODIES = [
    (b'{"id": "1"}', "/id"), (b'{"id": []}', "/id"), (b'{"id": true}', "/id"), (b'{"id": 1.5}', "/id"), (b'{"id": 0}',
    "/id"),
    (b'{"id": 9223372036854775808}', "/id"), (b'{"id": 1e400}', "/id"), (b'{"id": NaN}', "/id"), (b'{"id": null}',
    "/id"),
    (b'{"name": ""}', "/name"), (b'{"name": "a\\u0000b"}', "/name"), (b'{"name": "\\ud800"}', "/name"),
    (b'{"coin_id": "\\udfff"}', "/coin_id"), (b'{"at": 1772366400}', "/at"), (b'{"at": "2026-03-01"}', "/at"),
    (b'{"at": "2026-03-01T12:00:00"}', "/at"), (b'{"at": "0001-01-01T00:00:00+01:00"}', "/at"),
    (b'{"at": "9999-12-31T23:59:59-01:00"}', "/at"), (b'{"at": "2026-02-30T00:00:00Z"}', "/at"),
    (b'{"deep": {"a/b~c": [1, -1]}}', "/deep/a~1b~0c/1"), (b'{"x": 1}', "/x"), (b'{"\\ud800": 1}', ""),
    (b"[]", ""), (b"null", ""), (b"", ""), (b"{", ""), (b"\xff", ""), (b'{"a": }', ""), (b"1" * 5000, ""),
    (b"[" * 100_000, ""),
    (b'{"either": {"Span": {"low": "x", "high": 2}}}', "/either/Span/low"), (b'{"either": {"a": 5}}', "/either/a"),
    (b'{"either": {"a": {"low": 2}}}', "/either/a/high"), (b'{"either": {"a": {"some": ["x"]}}}', "/either/a/low"),
]  # fmt: skip


async def test_body_when_wrong_then_a_4xx_problem_points_at_it(address: str):
    headers = {"Content-Type": "application/json"}
    for body, pointer in WRONG_BODIES:
        status, problem, _ = await ask(address, "POST", "/api/body", data=body, headers=headers)
        assert status in (400, 422), body[:100]
        if status == 422:
            assert problem["errors"][0]["pointer"] == pointer, body[:100]
            assert problem["errors"][0]["detail"]
            assert all(not {"Some", "int"} & set(error["pointer"].split("/")) for error in problem["errors"])


async def test_id_when_written_as_a_whole_float_then_it_is_taken(address: str):
    assert (await ask(address, "POST", "/api/body", data=b'{"id": 7.0}', headers={"Content-Type": "application/json"}))[
        1
    ]["id"] == 7


async def test_path_when_longer_than_any_route_then_414(address: str):
    status, body, _ = await ask(address, path="/api/" + "9" * 5000)
    assert (status, body["code"]) == (414, "path_too_long")


async def test_body_when_of_another_type_then_a_problem(address: str):
    headers = {"Content-Type": "text/plain"}
    status, problem, _ = await ask(address, "POST", "/api/body", data=b'{"id": 1}', headers=headers)
    assert (status, problem["code"]) == (422, "invalid")


async def test_body_when_it_has_thousands_of_faults_then_some_are_told(address: str):
    body: dict[str, Any] = {f"x{number}": 1 for number in range(3000)}
    status, problem, _ = await ask(address, "POST", "/api/body", json=body)
    assert (status, len(problem["errors"])) == (422, 50)


async def test_time_when_it_has_an_offset_then_it_is_taken_in_utc(address: str):
    _, body, _ = await ask(address, "POST", "/api/body", json={"at": "2026-03-01T13:00:00.25+01:00"})
    assert body["at"] == "2026-03-01T12:00:00.250000Z"


async def test_document_when_read_then_every_operation_promises_problems(address: str):
    _, document, _ = await ask(address, path="/openapi.json")
    for path in document["paths"].values():
        for operation in path.values():
            content = operation["responses"]["default"]["content"]
            assert content["application/problem+json"]["schema"] == {"$ref": "#/components/schemas/Problem"}
            assert "422" not in operation["responses"]
    assert "HTTPValidationError" not in document["components"]["schemas"]


@pytest.mark.parametrize("number", [1, 255, 2**63 - 1])
def test_cursor_when_written_then_it_reads_back_and_no_other_text_does(number: int):
    cursor = write_cursor("things", number)
    assert read_cursor("things", cursor) == number
    for wrong in (
        cursor[:-1],
        cursor + "A",
        cursor[::-1],
        "",
        "a" * 16,
        cursor.replace(cursor[0], "-", 1),
        cursor + "\n",
    ):
        with pytest.raises(Invalid):
            read_cursor("things", wrong)
    with pytest.raises(Invalid):
        read_cursor("others", cursor)
