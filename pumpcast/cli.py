"""The console script `pumpcast`: 0 done, 1 failed, 2 wrong usage, 3 a gate not met; never a traceback."""

import logging
import os

import typer

from pumpcast.backup import backup, restore
from pumpcast.console import tell
from pumpcast.data import load_file, replay_file, simulate_both_markets, simulate_candle_market, simulate_market
from pumpcast.database import migrate_database, open_psql
from pumpcast.demo.story import tell_story
from pumpcast.doctor import examine
from pumpcast.keys import keys
from pumpcast.package_backtest import backtest_package
from pumpcast.package_verbs import package
from pumpcast.up import bring_up
from pumpcast.watch import watch_service
from shared.db import ConnectionLost, PostgresError
from shared.errors import Invalid, PumpcastError

FAILED = 1
WRONG_USAGE = 2
INTERRUPTED = 130
"""What typer ends with after Ctrl-C."""

app = typer.Typer(
    name="pumpcast",
    help="Trains, proves and serves models that answer questions about new pump.fun coins, live. "
    "Settings come from the environment and .env; without DB_DSN a PostgreSQL of its own runs below PUMPCAST_HOME.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _examples(*lines: str) -> str:
    # \b keeps the lines as they are.
    return "\n".join(("\b", "Examples:", *(f"  {line}" for line in lines)))


app.command(
    "up",
    short_help="Start everything and keep it running.",
    epilog=_examples("pumpcast up", "pumpcast up --simulate", "PREDICTION_API_PORT=8010 pumpcast up"),
)(bring_up)
app.command(
    "demo",
    short_help="Watch the whole story once.",
    epilog=_examples("pumpcast demo", "pumpcast demo --data rows.parquet", "pumpcast demo --json"),
)(tell_story)
app.command(
    "load",
    short_help="Load a file of rows.",
    epilog=_examples(
        "pumpcast load rows.parquet", "pumpcast load candles.csv --interval 15m", "pumpcast load rows.csv --json"
    ),
)(load_file)
app.command(
    "simulate",
    short_help="Simulate a market, as history or live.",
    epilog=_examples(
        "pumpcast simulate --minutes 600 --seed 7",
        "pumpcast simulate --out market.parquet",
        "pumpcast simulate --live --coins-per-minute 5",
    ),
)(simulate_market)
app.command(
    "simulate-candles",
    short_help="Simulate candles of SIMUSDT.",
    epilog=_examples(
        "pumpcast simulate-candles",
        "pumpcast simulate-candles --bars 20000 --seed 7 --start 2025-01-01T00:00:00Z --out candles.parquet",
        "pumpcast simulate-candles --live",
    ),
)(simulate_candle_market)
app.command("simulate-both", hidden=True)(simulate_both_markets)
app.command(
    "replay",
    short_help="Insert the rows of a file as if live.",
    epilog=_examples(
        "pumpcast replay rows.parquet --speed 60",
        "pumpcast replay rows.csv --speed max --keep-time",
        "pumpcast replay rows.parquet --from 2025-09-07T12:00:00Z --speed 20",
    ),
)(replay_file)
app.command(
    "watch",
    short_help="Watch the running prediction service.",
    epilog=_examples(
        "pumpcast watch",
        "pumpcast watch --every 10",
        "pumpcast watch --once --json",
        "UI_API_KEY=KEY pumpcast watch --url https://predictions.example/api",
    ),
)(watch_service)
app.command(
    "migrate",
    short_help="Bring the tables up to date.",
    epilog=_examples(
        "DB_DSN=postgresql://me:secret@db.example/pumpcast pumpcast migrate",
        "SECRETS_DIR=secrets/owner pumpcast migrate --logins secrets",
        "pumpcast migrate --rollback 1",
    ),
)(migrate_database)
app.command(
    "backup",
    short_help="Write everything into one file.",
    epilog=_examples(
        "pumpcast backup pumpcast.tar",
        "SECRETS_DIR=secrets/owner pumpcast backup /backups/pumpcast-$(date +%F).tar --json",
        "pumpcast backup whole.tar --with-rows",
    ),
)(backup)
app.command(
    "restore",
    short_help="Put a backup in place.",
    epilog=_examples(
        "PUMPCAST_HOME=/srv/new pumpcast restore pumpcast.tar", "pumpcast restore pumpcast.tar --force --json"
    ),
)(restore)
app.command(
    "doctor",
    short_help="Check every part and say the fix.",
    epilog=_examples("pumpcast doctor", "pumpcast doctor --json"),
)(examine)
app.command(
    "psql",
    short_help="Open psql on the database.",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    epilog=_examples(
        "pumpcast psql", "pumpcast psql -c 'SELECT count(*) FROM coin_metrics'", "pumpcast psql -f statements.sql"
    ),
)(open_psql)
package.command(
    "backtest",
    short_help="Try a package on candles of the past.",
    epilog=_examples(
        "pumpcast package backtest btc_one --candles candles.parquet --symbol BTCUSDT --picture btc_one.svg",
        "pumpcast package backtest ./btc_one --candles btc.csv --from 2024-06-01T00:00:00Z --json",
    ),
)(backtest_package)
app.add_typer(
    package,
    epilog=_examples(
        "pumpcast package train --candles candles.parquet --symbol BTCUSDT --name 'BTC one'",
        "pumpcast package upload btc_one --wait",
    ),
)
app.add_typer(
    keys,
    epilog=_examples(
        "pumpcast keys new alice --scope write",
        "pumpcast keys install secrets --database postgresql://owner:secret@db.example:5432/pumpcast",
    ),
)


def main() -> None:
    """Run one verb; every error becomes one line on stderr."""
    logging.basicConfig(level="WARNING", format="%(levelname)s %(message)s")
    try:
        app()
    except SystemExit as end:
        raise SystemExit(FAILED if end.code == INTERRUPTED else end.code) from None
    except PumpcastError as error:
        tell(_one_line(error.message))
        raise SystemExit(WRONG_USAGE if isinstance(error, Invalid) else FAILED) from None
    except (PostgresError, *ConnectionLost) as error:
        tell(f"The database failed ({type(error).__name__}): {_one_line(str(error))}")
        raise SystemExit(FAILED) from None
    except Exception as error:
        if os.environ.get("LOG_LEVEL") == "DEBUG":
            raise
        tell(f"Unexpected {type(error).__name__}: {_one_line(str(error))} (LOG_LEVEL=DEBUG shows where)")
        raise SystemExit(FAILED) from None


def _one_line(text: str) -> str:
    return " ".join(text.split())
