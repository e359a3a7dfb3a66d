"""What every answer says to a browser, and which pages of other sites may ask."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from shared.errors import SettingsInvalid
from shared.web.headers import SECURITY
from tests.support.serving import served
from tests.unit.test_web_guards import KEYS, SECRETS, app_of, ask, raw

READ = {"X-API-Key": SECRETS["read"]}
PAGE = "https://desk.example"
HUGE = b"POST /api/things HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999\r\nConnection: close\r\n\r\n"


@pytest.fixture
async def address(tmp_path: Path) -> AsyncIterator[str]:
    """Give the address of an API without keys and database: asking it for something of the database fails."""
    async with served(app_of("", tmp_path), lifespan="off") as found:
        yield found


@pytest.fixture
async def shared(database: str, tmp_path: Path) -> AsyncIterator[str]:
    """Give the address of an API with keys that a page of another site may ask."""
    async with served(app_of(database, tmp_path, api_keys=KEYS, cors_allowed_origins=f"{PAGE}:443")) as found:
        yield found


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("GET /api/things", 200), ("GET /nothing", 404), ("PUT /api/things", 405), ("GET /health", 500),
        ("POST /api/things", 422), ("GET http://localhost/api/things", 400), ("GET /" + "a" * 5000, 414),
    ],
)  # fmt: skip
async def test_answer_when_of_any_status_then_it_has_the_headers_and_no_word_of_the_server(
    address: str, request_line: str, status: int
):
    answer = await raw(address, f"{request_line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(f"HTTP/1.1 {status}".encode())
    check_headers(answer)


async def test_method_when_it_is_not_allowed_then_those_that_are_are_told(address: str):
    assert (await ask(address, "PUT"))[2]["Allow"] == "GET, POST"


async def test_answer_when_the_body_is_too_large_then_it_has_the_headers(address: str):
    answer = await raw(address, HUGE)
    assert answer.startswith(b"HTTP/1.1 413")
    check_headers(answer)


def check_headers(answer: bytes) -> None:
    lines = answer.partition(b"\r\n\r\n")[0].decode().lower().splitlines()[1:]
    found = dict(line.split(": ", 1) for line in lines)
    assert len(found) == len(lines), "a header is there twice"
    assert {name: value.lower() for name, value in SECURITY.items()}.items() <= found.items()
    assert "server" not in found


async def test_answer_when_keys_are_used_then_nobody_keeps_it(shared: str):
    for headers in (READ, {}):
        assert (await ask(shared, headers=headers))[2]["Cache-Control"] == "no-store"


async def preflight(address: str, origin: str) -> tuple[int, Any]:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}
    status, _, headers = await ask(address, "OPTIONS", headers=asked)
    return status, headers


async def test_page_when_its_origin_is_listed_then_it_may_ask_first_and_write_with_a_key(shared: str):
    status, headers = await preflight(shared, PAGE)
    assert (status, headers["Access-Control-Allow-Origin"], headers["Vary"]) == (204, PAGE, "Origin")
    assert "POST" in headers["Access-Control-Allow-Methods"]
    assert "X-API-Key" in headers["Access-Control-Allow-Headers"]
    write = {"X-API-Key": SECRETS["write"], "Origin": PAGE}
    status, _, headers = await ask(shared, "POST", json={"name": "a"}, headers=write)
    assert (status, headers["Access-Control-Allow-Origin"]) == (200, PAGE)
    assert "Access-Control-Allow-Credentials" not in headers
    status, _, headers = await ask(shared, headers={"Origin": PAGE})
    assert (status, headers["Access-Control-Allow-Origin"]) == (401, PAGE)


@pytest.mark.parametrize("origin", ["https://desk.example.evil", "http://desk.example", f"{PAGE}:8443", "null"])
async def test_page_when_its_origin_is_not_listed_then_it_may_neither_ask_nor_read_nor_write(shared: str, origin: str):
    status, headers = await preflight(shared, origin)
    assert status == 403
    assert "Access-Control-Allow-Origin" not in headers
    status, _, headers = await ask(shared, headers={**READ, "Origin": origin})
    assert (status, headers.get("Access-Control-Allow-Origin")) == (200, None)
    write = {"X-API-Key": SECRETS["write"], "Origin": origin}
    assert (await ask(shared, "POST", json={"name": "a"}, headers=write))[0] == 403


@pytest.mark.parametrize("entry", ["*", "null", "desk.example", f"{PAGE}/", "https://*.example", "ftp://desk.example"])
def test_origin_when_it_is_none_then_the_start_is_refused(entry: str, tmp_path: Path):
    with pytest.raises(SettingsInvalid, match=r"CORS_ALLOWED_ORIGINS has .* is not allowed: it must be an origin"):
        app_of("", tmp_path, cors_allowed_origins=entry)


async def test_page_of_the_api_when_shown_then_nothing_of_it_comes_from_another_host(address: str):
    async with aiohttp.ClientSession() as session, session.get(f"{address}/docs") as answer:
        page, policy = await answer.text(), answer.headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:" in policy
    assert "//" not in page
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "start.js"):
        assert f"docs/{name}" in page
        assert (await ask(address, path=f"/docs/{name}"))[0] == 200
    assert (await ask(address, path="/docs/redoc.standalone.js"))[0] == 404
