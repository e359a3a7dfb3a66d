"""The prediction API as a process: it starts, answers, and ends as it should."""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import aiohttp

from tests.support.serving import Api


async def start(home: Path, **environment: str) -> asyncio.subprocess.Process:
    """Start the process in a folder of its own, where no `.env` lies."""
    given = {**os.environ, "PUMPCAST_HOME": str(home), "PYTHONPATH": str(Path.cwd()), **environment}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "prediction_service.app", cwd=home, env=given, stderr=asyncio.subprocess.PIPE
    )


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return str(probe.getsockname()[1])


async def until_alive(api: Api) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                assert await api.get("/health/live") == (200, {"status": "alive"})
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.1)
            else:
                return


async def test_process_when_started_then_it_answers_and_sigterm_ends_it_cleanly(database: str, tmp_path: Path):
    port = free_port()
    process = await start(tmp_path, DB_DSN=database, PREDICTION_API_PORT=port)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        api = Api(session)
        await until_alive(api)
        assert await api.get("/api/models/active") == (200, {"models": [], "total": 0})
        assert (await api.get("/api/health/ready"))[0] == 200
    process.send_signal(signal.SIGTERM)
    _, log = await asyncio.wait_for(process.communicate(), 30)
    assert b"Traceback" not in log
    assert process.returncode == 0


async def test_process_when_its_database_is_not_migrated_then_it_says_what_to_do(empty_database: str, tmp_path: Path):
    port = free_port()
    process = await start(tmp_path, DB_DSN=empty_database, PREDICTION_API_PORT=port)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        api = Api(session)
        await until_alive(api)
        status, health = await api.get("/health")
        assert (status, health["status"], health["migrations"]) == (200, "degraded", "pending")
        status, problem = await api.get("/health/ready")
        assert (status, "pumpcast migrate" in problem["detail"]) == (503, True)
        status, problem = await api.get("/api/models/active")
        assert (status, problem["code"]) == (503, "not_migrated")
        async with api.session.get("/metrics") as answer:
            assert answer.status == 200
    process.send_signal(signal.SIGTERM)
    await asyncio.wait_for(process.communicate(), 30)


async def test_process_when_its_database_is_out_of_reach_then_one_line_says_so(tmp_path: Path):
    process = await start(tmp_path, DB_DSN="postgresql://nobody@127.0.0.1:1/none", PREDICTION_API_PORT=free_port())
    _, log = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 1
    assert b"Traceback" not in log
    assert b"PostgreSQL cannot be reached" in log


async def test_process_when_its_port_is_taken_then_it_ends_with_1(database: str, tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        process = await start(tmp_path, DB_DSN=database, PREDICTION_API_PORT=port)
        _, log = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 1
    assert b"address already in use" in log


async def test_process_when_a_setting_is_wrong_then_one_line_names_it_and_exit_code_2(tmp_path: Path):
    process = await start(tmp_path, PREDICTION_API_PORT="70000")
    _, log = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 2
    assert log.decode().startswith("PREDICTION_API_PORT='70000' is not allowed")
    process = await start(tmp_path, BIND_HOST="0.0.0.0")
    _, log = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 2
    assert b"not allowed without API_KEYS" in log
