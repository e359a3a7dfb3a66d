"""Uploads that do not end as they should: endless, slow, broken off, into a full disk. They leave nothing."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest

from prediction_service.app import build
from prediction_service.settings import PredictionSettings
from prediction_service.usecases import package_body
from prediction_service.usecases import upload as upload_usecase
from shared.db import Connection
from tests.support.serving import Api, api_of, served
from tests.support.uploading import (
    BOUNDARY,
    MIB,
    arriving,
    begin,
    body,
    chunk,
    left,
    open_upload,
    parts,
    read_status,
    until,
    until_nothing_is_left,
    upload,
)  # fmt: skip

START = body(parts(forecast=None, ppo=None)).removesuffix(f"--{BOUNDARY}--\r\n".encode()) + begin(parts()[1])


@pytest.fixture
def configured(configured: PredictionSettings) -> PredictionSettings:
    """Allow a megabyte for each file."""
    return configured.model_copy(update={"model_package_max_forecast_mb": 1, "model_package_max_ppo_mb": 1})


@pytest.fixture
async def address(configured: PredictionSettings) -> AsyncIterator[str]:
    """Serve the prediction API to clients by hand."""
    async with served(build(configured)) as found:
        yield found


async def test_upload_when_it_has_no_end_then_it_is_cut_off_at_the_cap(
    address: str, configured: PredictionSettings, connection: Connection
):
    reader, writer = await open_upload(address, START)
    answer = asyncio.ensure_future(read_status(reader))
    sent, piece = 0, chunk(b"x" * 65_536)
    while not answer.done() and sent < 2048 * MIB:
        writer.write(piece)
        await writer.drain()
        # Two servers of bytes on one loop: each gets its turn.
        await asyncio.sleep(0)
        sent += 65_536
    assert (await answer, sent < 64 * MIB) == (413, True)
    await until_nothing_is_left(connection, configured)
    writer.close()


async def test_upload_when_nothing_follows_the_last_boundary_but_bytes_then_it_is_cut_off_too(
    address: str, configured: PredictionSettings, connection: Connection
):
    reader, writer = await open_upload(address, body(parts()))
    for _ in range(9):
        writer.write(chunk(b"x" * MIB))
        await writer.drain()
    assert await read_status(reader) == 413
    await until_nothing_is_left(connection, configured)
    writer.close()


async def test_upload_when_its_length_is_over_the_cap_then_it_is_refused_before_a_byte_is_read(
    address: str, configured: PredictionSettings, connection: Connection
):
    reader, writer = await open_upload(address, b"", length=1 << 40)
    assert await read_status(reader) == 413
    assert not configured.packages_folder.exists()
    writer.close()


async def test_upload_when_its_client_vanishes_then_nothing_is_left(
    address: str, configured: PredictionSettings, connection: Connection
):
    _, by_length = await open_upload(address, START + b"x" * MIB, length=2 * MIB)
    _, by_chunks = await open_upload(address, START + b"x" * MIB)
    await until(lambda: len(list(configured.packages_folder.glob(".incoming/*/forecast_model.pt"))) == 2)
    by_length.transport.abort()
    by_chunks.transport.abort()
    await until_nothing_is_left(connection, configured)


async def test_upload_when_it_stalls_or_takes_too_long_then_it_ends_with_408(
    address: str, configured: PredictionSettings, connection: Connection, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(package_body, "IDLE_SECONDS", 0.3)
    reader, writer = await open_upload(address, START)
    assert await read_status(reader) == 408
    writer.close()
    monkeypatch.setattr(package_body, "TOTAL_SECONDS", 0.5)
    reader, writer = await open_upload(address, START)
    answer = asyncio.ensure_future(read_status(reader))
    while not answer.done():
        writer.write(chunk(b"x"))
        await asyncio.sleep(0.05)
    assert await answer == 408
    writer.close()
    await until_nothing_is_left(connection, configured)


async def test_upload_when_the_disk_has_no_room_then_it_is_refused_and_the_next_one_taken(
    api: Api, configured: PredictionSettings, connection: Connection, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as full:
        full.setattr(upload_usecase, "LEAST_FREE_BYTES", 1 << 60)
        status, answer = await upload(api)
        assert (status, answer["code"]) == (507, "no_room")
        assert await left(connection, configured) == (0, [])
    assert (await upload(api))[0] == 201


async def test_upload_when_too_many_are_under_way_then_one_more_is_refused(
    address: str, configured: PredictionSettings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(upload_usecase, "MOST_AT_ONCE", 1)
    data = body(parts())
    first, held = await open_upload(address, data[:50], length=len(data))
    await until(lambda: len(arriving(configured)) == 1)
    second, refused = await open_upload(address, data, length=len(data))
    assert await read_status(second) == 429
    held.write(data[50:])
    assert await read_status(first) == 201
    refused.close()
    held.close()


async def test_upload_when_the_database_refuses_its_row_then_its_folder_goes_again(
    api: Api, configured: PredictionSettings, connection: Connection
):
    await connection.execute("ALTER TABLE model_packages ADD CONSTRAINT none CHECK (name <> 'My Model')")
    assert (await upload(api))[0] == 500
    assert await left(connection, configured) == (0, [])
    assert arriving(configured) == []
    assert (await upload(api, parts("Other")))[0] == 201


async def test_upload_when_keys_are_set_then_it_needs_one_that_may_write(configured: PredictionSettings):
    keys = tuple(
        f"{scope}:{scope}:{hashlib.sha256(scope.encode()).hexdigest()}" for scope in ("read", "write", "service")
    )
    async with api_of(build(configured.model_copy(update={"api_keys": keys}))) as api:
        found = {}
        for key in ("none", "read", "service", "write"):
            headers = {"X-API-Key": key, "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
            found[key] = (await api.call("POST", "/model-packages/upload", data=body(parts()), headers=headers))[0]
        assert found == {"none": 401, "read": 403, "service": 403, "write": 201}
        _, shown = await api.get("/model-packages/my_model", headers={"X-API-Key": "read"})
        assert shown["uploaded_by"] == "write"
