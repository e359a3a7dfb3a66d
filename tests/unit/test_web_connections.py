"""Clients that are slow, endless, too many, or speak no HTTP: none holds a connection, each gets a 4xx."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from fastapi import Depends

from shared.web import connections, deadlines
from shared.web.connections import MOST_HEAD_BYTES
from shared.web.deadlines import own_time
from tests.support.serving import served
from tests.unit.test_web_guards import KEYS, app_of, ask, raw

SOON = 0.3
LATER = 1.0
LARGE = 32 << 20
GET = b"GET /api/things HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture
async def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """Give the address of an API without keys and database that is impatient."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", SOON)
    monkeypatch.setattr(connections, "WRITE_SECONDS", SOON)
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 4)
    monkeypatch.setattr(deadlines, "REQUEST_SECONDS", SOON)
    app = app_of("", tmp_path)

    @app.get("/slow")
    async def slow() -> None:
        await asyncio.sleep(LATER)

    @app.get("/patient", dependencies=[Depends(own_time)])
    async def patient() -> None:
        await asyncio.sleep(LATER)

    @app.get("/large")
    async def large() -> str:
        return "x" * LARGE

    async with served(app, lifespan="off") as found:
        yield found


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /api/things HTTP/1.0\r\n\r\n", 400),
        (b"GET /api/things HTTP/1.1\r\n\r\n", 400),
        (GET + b"Host: localhost\r\n\r\n", 400),
        (GET + b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n", 400),
        (b"GET http://localhost/api/things HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET /api/models/%00 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 422),
        (b"NONSENSE /api/things HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00 no TLS here\r\n\r\n", 400),
        (b"PATCH /api/things HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 405),
        (b"HEAD /api/things HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 405),
        (GET + b"X: " + b"a" * MOST_HEAD_BYTES + b"\r\n\r\n", 431),
        (GET + b"X: " + b"a" * 3 * MOST_HEAD_BYTES, 431),
        (b"GET /" + b"a" * 3 * MOST_HEAD_BYTES, 431),
        (GET + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ],
)  # fmt: skip
async def test_bytes_when_they_are_no_request_to_take_then_4xx_and_the_end(address: str, sent: bytes, status: int):
    answer = await raw(
        address, sent if b"Connection" in sent else sent.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
    )
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), answer
    assert b"application/problem+json" in head
    assert body or sent.startswith(b"HEAD")


async def test_key_when_of_other_letters_then_401(database: str, tmp_path: Path):
    async with served(app_of(database, tmp_path, api_keys=KEYS)) as found:
        answer = await raw(found, GET + b"X-API-Key: \xc3\xbc\xff\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        (b"", b""),
        (b"\r\n", b"HTTP/1.1 408 "),
        (GET, b"HTTP/1.1 408 "),
        (b"POST /api/things HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{", b"HTTP/1.1 408 "),
        (b"POST /nothing HTTP/1.1\r\nHost: evil\r\nContent-Length: 9999\r\n\r\n{", b"HTTP/1.1 400 "),
    ],
    ids=["nothing", "empty line", "half of the headers", "half of a body", "a body after its answer"],
)
async def test_client_when_it_drips_then_it_is_told_so_and_left(address: str, sent: bytes, answered: bytes):
    host, port = address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(sent)
    answer = b""
    async with asyncio.timeout(20 * SOON):
        while not reader.at_eof():
            try:
                async with asyncio.timeout(SOON / 6):
                    answer += await reader.read(10_000)
            except TimeoutError:
                if sent:
                    writer.write(b"\r\n" if sent == b"\r\n" else b"a")
            except ConnectionResetError:
                # Written on after the end.
                break
    writer.close()
    assert answer.startswith(answered)
    assert bool(answer) is bool(answered)


async def test_route_when_it_takes_too_long_then_503_unless_it_keeps_its_own_time(address: str):
    status, body, headers = await ask(address, path="/slow")
    assert (status, body["code"], headers["Retry-After"]) == (503, "too_long", "5")
    assert (await ask(address, path="/patient"))[0] == 200


async def test_client_when_it_does_not_read_then_its_connection_is_cut(address: str):
    host, port = address.removeprefix("http://").split(":")
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((host, int(port)))
        client.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await asyncio.sleep(3 * SOON)
        client.setblocking(False)
        received = 0
        with suppress(ConnectionResetError):
            while part := await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 1 << 20), 10):
                received += len(part)
    assert received < LARGE


async def test_connections_when_there_are_too_many_then_the_next_is_told_so_and_others_go_on(address: str):
    host, port = address.removeprefix("http://").split(":")
    held = [await asyncio.open_connection(host, int(port)) for _ in range(4)]
    answer = await raw(address, b"")
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 1" in answer
    held[0][1].write(GET + b"\r\n")
    assert (await held[0][0].read(12)) == b"HTTP/1.1 200"
    for _, writer in held:
        writer.close()
