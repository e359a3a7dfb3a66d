"""The prediction API is killed amid uploads and removals: afterwards folders and rows agree, other uploads go on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from shared.db import Connection, connect
from tests.integration.test_prediction_process import free_port, start, until_alive
from tests.support.live import settings
from tests.support.serving import Api
from tests.support.uploading import arriving, body, files_below, open_upload, parts, read_status, until, upload


@asynccontextmanager
async def running(home: Path, database: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, Api]]:
    """Run the API as a process; it is killed at the end."""
    port = free_port()
    process = await start(home, DB_DSN=database, PREDICTION_API_PORT=port)
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            api = Api(session)
            await until_alive(api)
            yield process, api
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.fixture
async def blocker(database: str) -> AsyncIterator[Connection]:
    """Give a connection that may hold the table, so that rows can be read but not written."""
    connection = await connect(database)
    yield connection
    await connection.close()


async def uploaded(api: Api) -> list[str]:
    """Give the ids of packages that did not come with the project."""
    _, listed = await api.get("/model-packages")
    return [package["id"] for package in listed["packages"] if not package["is_builtin"]]


async def kill(process: asyncio.subprocess.Process) -> None:
    process.kill()
    await process.wait()


async def test_kill_when_an_upload_arrives_then_the_next_start_sweeps_it_and_leaves_those_of_others(
    database: str, tmp_path: Path
):
    configured = settings(database, tmp_path)
    data = body(parts("Other", b"x" * 100_000))
    async with running(tmp_path, database) as (process, api), running(tmp_path, database) as (_, other):
        _, broken = await open_upload(str(api.session._base_url), data[:-500], length=len(data))
        reader, kept = await open_upload(str(other.session._base_url), data[:-500], length=len(data))
        await until(lambda: len(arriving(configured)) == 2)
        await kill(process)
        broken.close()
        assert len(arriving(configured)) == 2
        async with running(tmp_path, database) as (_, again):
            assert len(arriving(configured)) == 1
            kept.write(data[-500:])
            assert await read_status(reader) == 201
            kept.close()
            assert await uploaded(again) == ["other"]
            assert (configured.packages_folder / "other" / "forecast_model.pt").read_bytes() == b"x" * 100_000


async def test_kill_when_a_folder_is_in_place_and_its_row_is_not_then_the_next_start_sweeps_it(
    database: str, tmp_path: Path, blocker: Connection
):
    configured = settings(database, tmp_path)
    (configured.packages_folder / "of_the_user").mkdir(parents=True)
    async with running(tmp_path, database) as (process, api):
        assert (await upload(api, parts("Removed")))[0] == 201
        before = files_below(configured.packages_folder)
        async with blocker.transaction():
            await blocker.execute("LOCK TABLE model_packages IN SHARE MODE")
            sending = asyncio.ensure_future(upload(api, parts("New")))
            await until((configured.packages_folder / "new").is_dir)
            assert await uploaded(api) == ["removed"]
            await kill(process)
            with pytest.raises(aiohttp.ClientError):
                await sending
    async with running(tmp_path, database) as (process, api):
        assert files_below(configured.packages_folder) == before
        # The same for a removal whose row was not gone yet: all of it is there as before.
        async with blocker.transaction():
            await blocker.execute("LOCK TABLE model_packages IN SHARE MODE")
            removing = asyncio.ensure_future(api.call("DELETE", "/model-packages/removed"))
            await until(lambda: files_below(configured.packages_folder) != before)
            await kill(process)
            with pytest.raises(aiohttp.ClientError):
                await removing
    async with running(tmp_path, database) as (_, api):
        assert files_below(configured.packages_folder) == before
        assert (await upload(api, parts("New")))[1]["id"] == "new"
        assert (await api.call("DELETE", "/model-packages/removed"))[0] == 204
        assert await uploaded(api) == ["new"]
