"""What every request passes: request id, Host, Origin, keys, body limit; all refusals are problems."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from fastapi import APIRouter, FastAPI, Request
from pydantic import BaseModel
from structlog.testing import capture_logs

from shared.binding import check_binding
from shared.db import Pool
from shared.errors import SettingsInvalid
from shared.settings import ServiceSettings
from shared.web.app import MAX_BODY_BYTES, create_app
from shared.web.health import HealthSource
from shared.web.keys import parse_keys
from tests.support.serving import served

SECRETS = {"read": "r-secret", "write": "w-secret", "service": "s-secret"}
KEYS = ",".join(f"{scope}:{scope}:{hashlib.sha256(secret.encode()).hexdigest()}" for scope, secret in SECRETS.items())
router = APIRouter()


class Thing(BaseModel):
    name: str


@router.get("/models/{number}")
async def read_thing(number: int, request: Request) -> dict[str, Any]:
    return {"number": number, "scope": request.state.scope}


@router.get("/things")
async def read_things() -> list[str]:
    return []


@router.post("/things")
async def write_thing(thing: Thing) -> Thing:
    return thing


async def nothing(_pool: Pool) -> tuple[dict[str, Any], None]:
    return {}, None


async def no_metrics(_pool: Pool) -> list[Any]:
    return []


@asynccontextmanager
async def no_resources(_app: FastAPI) -> AsyncIterator[None]:
    yield


def app_of(database: str, home: Path, **changes: Any) -> FastAPI:
    configured = ServiceSettings(db_dsn=database, pumpcast_home=home, **changes)
    source = HealthSource(service="test", model_store=home / "models", details=nothing, metrics=no_metrics)
    return create_app(
        title="test", description="", settings=configured, routers=[router], health=source, resources=no_resources
    )


@pytest.fixture
async def address(tmp_path: Path) -> AsyncIterator[str]:
    """Give the address of an API without keys and without a database."""
    async with served(app_of("", tmp_path), lifespan="off") as found:
        yield found


@pytest.fixture
async def guarded(database: str, tmp_path: Path) -> AsyncIterator[str]:
    """Give the address of an API with keys."""
    async with served(app_of(database, tmp_path, api_keys=KEYS, allowed_hosts="Example.com")) as found:
        yield found


async def ask(address: str, method: str = "GET", path: str = "/api/things", **options: Any) -> tuple[int, Any, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, address + path, **options) as answer,
    ):
        kind = answer.headers.get("Content-Type", "")
        body = await answer.json(content_type=None) if "json" in kind else await answer.text()
        if answer.status >= 400:
            assert kind == "application/problem+json"
            assert body["status"] == answer.status
            assert body["request_id"] == answer.headers["X-Request-ID"]
            assert body["instance"] == path.partition("?")[0]
        return answer.status, body, answer.headers


async def raw(address: str, request: bytes) -> bytes:
    """Send bytes as they are and give the answer."""
    host, port = address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    await writer.drain()
    answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    return answer


async def test_request_id_when_given_then_it_is_returned_and_logged_else_one_is_made(address: str):
    with capture_logs() as logs:
        _, _, headers = await ask(address, headers={"X-Request-ID": "abc-1.2_3"})
        assert headers["X-Request-ID"] == "abc-1.2_3"
        for wrong in ("a b", "a" * 65, "<script>"):
            _, _, headers = await ask(address, headers={"X-Request-ID": wrong})
            assert headers["X-Request-ID"] != wrong
            assert len(headers["X-Request-ID"]) == 16
    lines = [line for line in logs if line["event"] == "request"]
    assert {(line["method"], line["path"], line["status"]) for line in lines} == {("GET", "/api/things", 200)}
    assert lines[0]["duration_ms"] > 0


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1", "[::1]:80"])
async def test_host_when_it_means_this_machine_then_it_is_served(address: str, host: str):
    assert (await ask(address, headers={"Host": host}))[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "[::2]", "[", "a b",
    "[::1", "[]", ":80"]
)  # fmt: skip
async def test_host_when_foreign_then_400(address: str, host: str):
    status, body, _ = await ask(address, headers={"Host": host})
    assert (status, body["code"]) == (400, "foreign_host")


async def test_host_when_missing_then_400(address: str):
    answer = await raw(address, b"GET /api/things HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"foreign_host" in answer


async def test_host_when_in_allowed_hosts_then_it_is_served(guarded: str):
    headers = {"Host": "example.COM:8000", "X-API-Key": SECRETS["read"]}
    assert (await ask(guarded, headers=headers))[0] == 200


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost.evil.example", "http://[::1", "file://"]
)
async def test_write_when_it_comes_from_a_foreign_page_then_403_while_reading_works(address: str, origin: str):
    status, body, _ = await ask(address, "POST", json={"name": "a"}, headers={"Origin": origin})
    assert (status, body["code"]) == (403, "foreign_origin")
    assert (await ask(address, headers={"Origin": origin}))[0] == 200


@pytest.mark.parametrize("origin", ["http://localhost:8501", "http://127.0.0.1", "http://[::1]:3000", ""])
async def test_write_when_it_comes_from_a_page_of_this_machine_then_it_works(address: str, origin: str):
    assert (await ask(address, "POST", json={"name": "a"}, headers={"Origin": origin}))[0] == 200


async def test_keys_when_set_then_each_scope_may_do_its_part(guarded: str):
    assert (await ask(guarded))[0] == 401
    status, body, headers = await ask(guarded, headers={"X-API-Key": "wrong"})
    assert (status, body["code"], headers["WWW-Authenticate"]) == (401, "no_key", "Bearer")

    async def allowed(scope: str, method: str, path: str) -> bool:
        options = {"json": {"name": "a"}} if method == "POST" else {}
        status, _, _ = await ask(
            guarded, method, path, headers={"Authorization": f"Bearer {SECRETS[scope]}"}, **options
        )
        assert status in (200, 403)
        return status == 200

    may = {
        scope: [
            await allowed(scope, "GET", "/api/things"),
            await allowed(scope, "POST", "/api/things"),
            await allowed(scope, "GET", "/api/models/7"),
            await allowed(scope, "GET", "/metrics"),
        ]
        for scope in SECRETS
    }
    assert may == {
        "read": [True, False, True, True],
        "write": [True, True, True, True],
        "service": [False, False, True, True],
    }


async def test_key_when_shown_then_the_route_knows_its_scope(guarded: str, address: str):
    _, body, _ = await ask(guarded, path="/api/models/7", headers={"X-API-Key": SECRETS["service"]})
    assert body["scope"] == "service"
    _, body, _ = await ask(address, path="/api/models/7")
    assert body["scope"] is None


@pytest.mark.parametrize("path", ["/health/live", "/api/health/live", "/metrics", "/api/metrics"])
async def test_probe_when_asked_on_this_machine_then_no_key_is_needed(guarded: str, path: str):
    assert (await ask(guarded, path=path))[0] == 200


@pytest.mark.parametrize(
    "path", ["/health", "/health/ready", "/docs", "/openapi.json", "/api/models/health/live", "/nothing"]
)
async def test_path_when_it_is_no_probe_then_a_key_is_needed(guarded: str, path: str):
    assert (await ask(guarded, path=path))[0] == 401


def test_binding_when_beyond_this_machine_without_keys_then_the_start_is_refused():
    with pytest.raises(SettingsInvalid, match="BIND_HOST"):
        check_binding(ServiceSettings(bind_host="0.0.0.0"))
    check_binding(ServiceSettings(bind_host="0.0.0.0", api_keys=KEYS))
    for host in ("127.0.0.1", "localhost", "::1", "127.0.0.2"):
        check_binding(ServiceSettings(bind_host=host))


@pytest.mark.parametrize("entry", ["", "a", "a:read", "a:read:xyz", f"a:admin:{'0' * 64}", f":read:{'0' * 64}"])
def test_key_entry_when_wrong_then_the_start_is_refused_without_showing_it(entry: str):
    with pytest.raises(SettingsInvalid, match="name:scope:sha256hex"):
        parse_keys((entry,))


@pytest.mark.parametrize("name", ["auto", "local", "Auto"])
def test_key_when_named_as_what_needs_none_then_the_start_is_refused(name: str):
    with pytest.raises(SettingsInvalid, match=f"entry 2 of API_KEYS.*{name}"):
        parse_keys((f"autobot:write:{'0' * 64}", f"{name}:write:{'1' * 64}"))


async def test_body_when_its_announced_length_is_too_great_then_413_is_a_problem(address: str):
    length = f"Content-Length: {MAX_BODY_BYTES + 1}\r\n"
    head = f"POST /api/things HTTP/1.1\r\nHost: localhost\r\n{length}Connection: close\r\n\r\n"
    answer = await raw(address, head.encode())
    status, _, rest = answer.partition(b"\r\n")
    assert status.startswith(b"HTTP/1.1 413")
    headers, _, body = rest.partition(b"\r\n\r\n")
    assert b"application/problem+json" in headers
    assert b"x-request-id" in headers.lower()
    assert b'"code":"too_large"' in body


async def test_body_when_it_turns_out_too_great_then_413_is_a_problem(address: str):
    part = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    head = b"POST /api/things HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    answer = await raw(address, head + part * (MAX_BODY_BYTES // 0x10000) + b"1\r\nx\r\n0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"application/problem+json" in answer
    assert b'"code":"too_large"' in answer


async def test_body_when_as_great_as_allowed_then_it_is_taken(address: str):
    thing = {"name": "x" * (MAX_BODY_BYTES - 12)}
    assert (await ask(address, "POST", json=thing))[0] == 200
