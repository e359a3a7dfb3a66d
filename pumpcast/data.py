"""The verbs that bring rows in: load, simulate, replay."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final, cast

import pyarrow as pa
import pyarrow.parquet as pq
import typer

from pumpcast.console import moment_option, progress, run_on_database, show, speed_option, tell
from pumpcast.market.candle_feed import CandleFeedResult, feed_candles, history
from pumpcast.market.candles import SYMBOL
from pumpcast.market.feed import feed, fresh_seed
from pumpcast.market.files import FileRows, TableName, read_file
from pumpcast.market.load import LoadResult, load
from pumpcast.market.replay import ReplayResult, in_range, replay
from pumpcast.market.replay_candles import replay_candles
from pumpcast.market.simulate import simulate_history
from shared.db import Pool
from shared.errors import Invalid

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Seed = Annotated[int | None, typer.Option(min=0, help="The same seed gives the same market; default: a new one.")]
Coins = Annotated[float, typer.Option(help="Coins born per minute.")]
LIVE_BARS: Final = 1600
"""What a package usually warms up on, and a reserve."""


def load_file(
    file: Annotated[Path, typer.Argument(help="Parquet or CSV.", show_default=False)],
    table: Annotated[str | None, typer.Option(help="coin_metrics or candles; default: from the columns.")] = None,
    interval: Annotated[str | None, typer.Option(help="Of candles, such as 15m; default: from their spacing.")] = None,
    as_json: Json = False,
) -> None:
    """Load a file of rows into coin_metrics or candles: everything or nothing.

    Times need a time zone; unknown columns are left out. A wrong file ends with exit code 2 and inserts nothing.
    """
    if table not in {None, "coin_metrics", "candles"}:
        raise Invalid(f"There is no table {table!r} to load into: coin_metrics or candles")
    rows = read_file(file, table=cast("TableName | None", table), interval=interval)
    result = _load(rows)
    if result.ignored:
        tell(f"Columns left out: {', '.join(name or '(no name)' for name in result.ignored)}")
    for series in result.gaps:
        tell(f"{series.symbol} {series.interval} has {series.gaps} gaps, in which {series.missing} candles are missing")
    sentence = f"{result.rows} rows into {result.table}, {result.first_timestamp} to {result.last_timestamp}"
    show(result, as_json=as_json, sentence=sentence)


def simulate_market(
    minutes: Annotated[int | None, typer.Option(min=1, help="Length; default 240, with --live endless.")] = None,
    seed: Seed = None,
    coins_per_minute: Coins = 3,
    start: Annotated[
        datetime | None,
        typer.Option(parser=moment_option, help="First moment of a history; default: so that it ends now."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write a parquet file instead of the database.")] = None,
    live: Annotated[bool, typer.Option("--live", help="Insert rows as they happen, until Ctrl-C.")] = False,
    speed: Annotated[float, typer.Option(parser=speed_option, help="Pace of --live; max: no waiting.")] = 1.0,
    as_json: Json = False,
) -> None:
    """Simulate a pump.fun market: coins are born, pumped, dumped, graduate or die."""
    if live:
        if out or start:
            raise Invalid("--live goes into the database and starts now: leave out --out and --start")
        _feed(minutes=minutes, seed=seed, coins_per_minute=coins_per_minute, speed=speed, as_json=as_json)
        return
    minutes = minutes or 240
    seed = fresh_seed() if seed is None else seed
    start = start or datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=minutes)
    table = simulate_history(seed=seed, start=start, minutes=minutes, coins_per_minute=coins_per_minute)
    if not table.num_rows:
        raise Invalid("Nothing was traded in that time: give more minutes or more coins per minute")
    mints = len(table["mint"].unique())
    if out:
        _write(table, out)
    else:
        _load(FileRows(table="coin_metrics", rows=table, ignored=()))
    result = SimulateResult(
        rows=table.num_rows, coins=mints, seed=seed, start=start, minutes=minutes, file=str(out) if out else None
    )
    sentence = f"{result.rows} rows of {mints} coins from {start}, {minutes} minutes, seed {seed}"
    show(result, as_json=as_json, sentence=sentence)


def simulate_candle_market(
    bars: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many candles of 15 minutes.")] = LIVE_BARS,
    seed: Seed = None,
    start: Annotated[
        datetime | None,
        typer.Option(parser=moment_option, help="First moment; default: so that the last one has just closed."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write a parquet file instead of the database.")] = None,
    live: Annotated[bool, typer.Option("--live", help="Go on with each candle as it closes, until Ctrl-C.")] = False,
    as_json: Json = False,
) -> None:
    """Simulate candles of the market SIMUSDT: trends that come and go, calm and wild times.

    With --live they go on where those in the database end, and fill what is missing since.
    """
    if live and (out or start):
        raise Invalid("--live goes into the database and goes on from now: leave out --out and --start")
    if live:
        with progress("candles", total=None) as advance:
            result = run_on_database(
                lambda pool, stop: feed_candles(pool, stop=stop, bars=bars, seed=seed, on_progress=advance),
                stoppable=True,
            )
    else:
        result = _simulated_candles(bars=bars, seed=seed, start=start, out=out)
    span = f", {result.first_timestamp} to {result.last_timestamp}" if result.rows else ""
    show(result, as_json=as_json, sentence=f"{result.rows} candles of {result.symbol}{span}, seed {result.seed}")


def simulate_both_markets() -> None:
    """Feed coins and candles from one process, as `up --simulate` does."""

    async def work(pool: Pool, stop: asyncio.Event) -> None:
        await asyncio.gather(feed(pool, stop=stop), feed_candles(pool, stop=stop, bars=LIVE_BARS))

    run_on_database(work, stoppable=True)


def _simulated_candles(*, bars: int, seed: int | None, start: datetime | None, out: Path | None) -> CandleFeedResult:
    seed = fresh_seed() if seed is None else seed
    table = history(seed=seed, bars=bars, start=start)
    if out:
        _write(table, out)
    else:
        _load(FileRows(table="candles", rows=table, ignored=()))
    return CandleFeedResult(
        rows=bars,
        symbol=SYMBOL,
        seed=seed,
        first_timestamp=table["open_time"][0].as_py(),
        last_timestamp=table["open_time"][-1].as_py(),
        file=str(out) if out else None,
    )


def replay_file(
    file: Annotated[
        Path, typer.Argument(help="Parquet or CSV with rows of coin_metrics, or candles.", show_default=False)
    ],
    speed: Annotated[float, typer.Option(parser=speed_option, help="Times the recorded pace; max: no waiting.")] = 1.0,
    keep_time: Annotated[bool, typer.Option("--keep-time", help="Leave the timestamps as they are.")] = False,
    since: Annotated[
        datetime | None, typer.Option("--from", parser=moment_option, help="First moment of the file to take.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--until", parser=moment_option, help="Last moment of the file to take.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Insert the rows of a file as if they were live; Ctrl-C stops after the tick that is going in.

    Spacing is kept; the first row moves to just after the newest one in the table, to now when it is empty. Candles
    always keep their times.
    """
    found = read_file(file)
    rows = in_range(found.rows, since=since, until=until, column=found.time_column)
    if not rows.num_rows:
        raise Invalid(f"{file.name} has no rows between --from and --until")
    with progress("rows", total=rows.num_rows) as advance:

        async def work(pool: Pool, stop: asyncio.Event) -> ReplayResult:
            if found.table == "candles":
                return await replay_candles(pool, rows, speed=speed, on_progress=advance, stop=stop)
            return await replay(pool, rows, speed=speed, keep_time=keep_time, on_progress=advance, stop=stop)

        result = run_on_database(work, stoppable=True)
    of = f" of {rows.num_rows}, stopped" if result.stopped else ""
    span = f", {result.first_timestamp} to {result.last_timestamp}" if result.rows else ""
    show(result, as_json=as_json, sentence=f"{result.rows} rows{of} in {result.ticks} ticks{span}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulateResult:
    """What was simulated."""

    rows: int
    coins: int
    seed: int
    start: datetime
    minutes: int
    file: str | None
    """None when the rows went into the database."""


def _write(table: pa.Table, out: Path) -> None:
    try:
        pq.write_table(table, out)
    except OSError as error:
        raise Invalid(f"{out} cannot be written: {error.strerror or error}") from error


def _load(rows: FileRows) -> LoadResult:
    with progress("rows", total=rows.rows.num_rows) as advance:

        async def work(pool: Pool, _stop: asyncio.Event) -> LoadResult:
            return await load(pool, rows, on_progress=advance)

        return run_on_database(work, stoppable=False)


def _feed(*, minutes: int | None, seed: int | None, coins_per_minute: float, speed: float, as_json: bool) -> None:
    with progress("rows", total=None) as advance:
        result = run_on_database(
            lambda pool, stop: feed(
                pool,
                stop=stop,
                seed=seed,
                coins_per_minute=coins_per_minute,
                speed=speed,
                minutes=minutes,
                on_progress=advance,
            ),
            stoppable=True,
        )
    show(result, as_json=as_json, sentence=f"{result.rows} rows up to {result.last_timestamp}, seed {result.seed}")
