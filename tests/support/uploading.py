"""Upload packages as different clients do: whole, by hand, or badly."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from prediction_service.settings import PredictionSettings
from shared.db import Connection
from tests.support.serving import Api

MIB = 1 << 20
BOUNDARY = "----a-boundary-of-tests"
ROUTE = "/api/model-packages/upload"
FORECAST = b"forecast"
PPO = b"ppo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a form; without a file name it is a text."""

    name: str
    content: bytes
    file_name: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


def parts(
    name: str | bytes | None = "My Model",
    forecast: bytes | None = FORECAST,
    ppo: bytes | None = PPO,
    manifest: Any = None,
) -> list[Part]:
    """Give the parts of a form; those of None are left out."""
    found = []
    if name is not None:
        found.append(Part(name="name", content=name if isinstance(name, bytes) else name.encode()))
    if forecast is not None:
        found.append(Part(name="forecast_model", content=forecast, file_name="forecast_model.pt"))
    if ppo is not None:
        found.append(Part(name="ppo_model", content=ppo, file_name="ppo_policy_final.zip"))
    if manifest is not None:
        content = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
        found.append(Part(name="manifest", content=content, file_name="manifest.json"))
    return found


def begin(part: Part) -> bytes:
    """Give what comes before the content of a part."""
    file_name = "" if part.file_name is None else f'; filename="{part.file_name}"'
    lines = [f'Content-Disposition: form-data; name="{part.name}"{file_name}']
    lines += [f"{name}: {value}" for name, value in part.headers.items()]
    return "\r\n".join([f"--{BOUNDARY}", *lines, "", ""]).encode()


def body(given: Iterable[Part]) -> bytes:
    """Give a whole body."""
    return b"".join(begin(part) + part.content + b"\r\n" for part in given) + f"--{BOUNDARY}--\r\n".encode()


def content_type(boundary: str = BOUNDARY) -> dict[str, str]:
    """Give the header of a form."""
    return {"Content-Type": f"multipart/form-data; boundary={boundary}"}


async def upload(api: Api, given: Iterable[Part] | None = None, path: str = ROUTE, **options: Any) -> tuple[int, Any]:
    """Upload a form in one piece."""
    data = BytesIO(body(parts() if given is None else given))
    return await api.call("POST", path, data=data, headers=content_type(), **options)


async def open_upload(
    address: str, first: bytes, *, length: int | None = None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Begin an upload by hand, in chunks where no length is given, and send the first bytes of its body."""
    place = urlsplit(address)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    kind = content_type()["Content-Type"]
    writer.write(f"POST {ROUTE} HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Type: {kind}\r\n{size}\r\n\r\n".encode())
    writer.write(first if length is not None else chunk(first))
    await writer.drain()
    return reader, writer


def chunk(content: bytes) -> bytes:
    """Give one chunk of a body without a length."""
    return b"%x\r\n%b\r\n" % (len(content), content)


async def read_status(reader: asyncio.StreamReader) -> int:
    """Give the status of the answer."""
    return int((await asyncio.wait_for(reader.readline(), 30)).split()[1])


def files_below(root: Path) -> list[str]:
    """Give every file and folder there is, but for the place where uploads arrive."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path != root / ".incoming")


async def streamed(data: bytes) -> AsyncIterator[bytes]:
    """Give a body to a client that then sends it without a length."""
    yield data


async def left(connection: Connection, settings: PredictionSettings) -> tuple[int, list[str]]:
    """Give the number of rows, and every file and folder."""
    rows = await connection.fetchval("SELECT count(*) FROM model_packages")
    return rows, files_below(settings.packages_folder)


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something to become true."""
    for _ in range(1000):
        if holds():
            return
        await asyncio.sleep(0.02)
    pytest.fail("it did not become true")


async def until_nothing_is_left(connection: Connection, settings: PredictionSettings) -> None:
    """Wait until what was refused or broken off is gone."""
    await until(lambda: not arriving(settings))
    assert await left(connection, settings) == (0, [])


def arriving(settings: PredictionSettings) -> list[Path]:
    """Give the folders of uploads under way."""
    return list(settings.packages_folder.glob(".incoming/*"))
