"""The door to the database: what is told when nobody answers behind it."""

from pathlib import Path

import pytest

from shared.db import connect, open_pool
from shared.errors import Unavailable


async def test_pool_when_the_server_is_not_there_any_more_then_the_connection_is_lost(tmp_path: Path):
    # The socket's folder exists without a socket, as after a server that was taken away.
    dsn = f"postgresql:///nobody?host={tmp_path}&user=nobody"
    pool = await open_pool(dsn, application="tests", min_size=0)
    try:
        with pytest.raises(ConnectionError):
            await pool.fetchval("SELECT 1")
    finally:
        await pool.close()
    with pytest.raises(ConnectionError):
        await connect(dsn)
    with pytest.raises(Unavailable, match="check DB_DSN"):
        await open_pool(dsn, application="tests")
