"""The terminal: results on stdout, everything else on stderr, a bar for long work where somebody watches."""

import asyncio
import dataclasses
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from shared.db import Pool, open_pool
from shared.embedded import database
from shared.errors import Invalid, PumpcastError
from shared.settings import BasePart, read_settings

T = TypeVar("T")


def tell(text: str) -> None:
    """Say something that is not the result."""
    typer.echo(text, err=True)


def show(result: Any, *, as_json: bool, sentence: str) -> None:
    """Print the result of a verb, as one sentence or as one JSON object."""
    typer.echo(orjson.dumps(dataclasses.asdict(result), default=_plain).decode() if as_json else sentence)


def _plain(value: object) -> object:
    if isinstance(value, timedelta):
        return value.total_seconds()
    raise TypeError(f"{type(value).__name__} has no JSON form")


@contextmanager
def progress(what: str, *, total: int | None) -> Iterator[Callable[[int], None]]:
    """Give a function that takes how much is done; a bar appears only where stderr is a terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)


def run_on_database(work: Callable[[Pool, asyncio.Event], Awaitable[T]], *, stoppable: bool) -> T:
    """Run work on a pool; a stoppable one is asked to end by Ctrl-C and SIGTERM, any other is cancelled."""

    async def body(dsn: str) -> T:
        stop = asyncio.Event()
        if stoppable:
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, stop.set)
        pool = await open_pool(dsn, application="pumpcast")
        try:
            return await work(pool, stop)
        finally:
            await pool.close()

    with database(read_settings(BasePart)) as dsn:
        try:
            return asyncio.run(body(dsn))
        except KeyboardInterrupt:
            raise PumpcastError("Interrupted, nothing was inserted") from None


def moment_option(text: str) -> datetime:
    """Read a moment of the command line; one without a time zone is refused."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(f"{text!r} is not a moment: write it like 2026-01-31T12:00:00Z") from None
    if moment.tzinfo is None:
        raise Invalid(f"{text!r} has no time zone: write it like 2026-01-31T12:00:00Z")
    return moment


def speed_option(text: str) -> float:
    """Read a pace: a positive number, or `max` (as 0) for no waiting at all."""
    try:
        speed = 0.0 if text == "max" else float(text)
    except ValueError:
        speed = -1.0
    if not 0 <= speed < float("inf"):
        raise Invalid(f"{text!r} is not a pace: give a number such as 10, or max for no waiting")
    return speed
