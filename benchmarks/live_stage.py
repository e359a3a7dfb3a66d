"""Where live workers are measured: one server, a database and a home for each, the stream beside."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg

from benchmarks.live_feed import Feed
from benchmarks.live_models import Trained, activate_all
from benchmarks.live_watch import Watch, queries, until
from benchmarks.programs import installed, running
from shared.db import Connection, connect, open_pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A server of its own."""

    home: Path
    dsn: str
    """A database with all tables and nothing in them, which nobody is connected to."""
    models: Sequence[Trained]

    def fresh(self, name: str) -> tuple[Path, str]:
        """Give the home and the address of a new database."""
        with psycopg.connect(self.dsn.replace("/pumpcast?", "/postgres?"), autocommit=True) as administration:
            administration.execute(f"CREATE DATABASE {name} TEMPLATE pumpcast")
        return self.home / name, self.dsn.replace("/pumpcast?", f"/{name}?")

    def drop(self, name: str) -> None:
        """Remove a database, so that what it holds is no burden to the next one."""
        with psycopg.connect(self.dsn.replace("/pumpcast?", "/postgres?"), autocommit=True) as administration:
            administration.execute(f"DROP DATABASE {name} WITH (FORCE)")


@asynccontextmanager
async def streaming(dsn: str, *, coins: int, history_rows: int) -> AsyncIterator[tuple[Feed, Connection]]:
    """Give a stream into a database whose coins have a past, and a connection for questions."""
    async with connected(dsn) as stream, connected(dsn) as questions:
        feed = Feed(stream, coins=coins)
        if history_rows:
            await feed.history(history_rows)
        await stream.execute("VACUUM ANALYZE coin_metrics")
        yield feed, questions


@asynccontextmanager
async def worker(home: Path, dsn: str, feed: Feed, questions: Connection) -> AsyncIterator[Watch]:
    """Run the real worker process until the end of the block."""
    with running(installed("prediction-worker"), cwd=home, DB_DSN=dsn, PUMPCAST_HOME=str(home)) as process:
        watch = Watch(feed=feed, connection=questions, worker=psutil.Process(process.pid))
        await until(lambda: queries.fetchval(questions, "ready"), "the worker listens")
        yield watch


async def activate(home: Path, dsn: str, models: Sequence[Trained]) -> None:
    """Let the next worker answer with the models too."""
    pool = await open_pool(dsn, application="bench")
    try:
        await activate_all(pool, home / "models" / "prediction", models)
    finally:
        await pool.close()


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[Connection]:
    """Give a connection."""
    connection = await connect(dsn, application="bench")
    try:
        yield connection
    finally:
        await connection.close()
