"""The verb `doctor`: look at every part and say what to do about it."""

import asyncio
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final

import psycopg
import typer

from prediction_service.settings import PredictionSettings
from prediction_service.usecases.signatures import trouble, unsigned
from pumpcast.console import show
from pumpcast.probe import INSTALL_APP, addressed_apis, app
from shared.binding import is_loopback
from shared.coin_metrics.columns import COLUMNS
from shared.db import ConnectionLost, InsufficientPrivilege, Pool, PostgresError, Queries, open_pool
from shared.embedded import database
from shared.errors import PumpcastError
from shared.migrate import names, pending
from shared.roles import ROLES, lacking
from shared.settings import read_settings

QUERIES: Final = Queries.beside(__file__)
OLDEST_PYTHON: Final = (3, 11)
OLDEST_SERVER: Final = 14
LEAST_DISK: Final = 1 << 30
INDEXES: Final = (("mint", "timestamp"), ("timestamp",), ("id",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One part: whether it is well, what was found, and the way out when it is not."""

    part: str
    ok: bool
    found: str
    fix: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What the doctor found."""

    ok: bool
    checks: tuple[Check, ...]


def examine(
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Check every part, one line each with the way to mend it; exit code 1 when something is wrong."""
    settings = read_settings(PredictionSettings)
    checks = (*_machine(settings), *_database(settings), *_services())
    findings = Findings(ok=all(check.ok for check in checks), checks=checks)
    show(findings, as_json=as_json, sentence="\n".join(_line(check) for check in checks))
    if not findings.ok:
        raise typer.Exit(1)


def _line(check: Check) -> str:
    line = f"{'ok  ' if check.ok else 'FAIL'}  {check.part}: {check.found}"
    return line if check.fix is None else f"{line} -> {check.fix}"


def _machine(settings: PredictionSettings) -> Iterator[Check]:
    version = ".".join(str(part) for part in sys.version_info[:3])
    ok = sys.version_info >= OLDEST_PYTHON
    yield Check(part="Python", ok=ok, found=version, fix=None if ok else "install Python 3.11 or newer")
    free = shutil.disk_usage(_existing(settings.home)).free
    ok = free >= LEAST_DISK
    yield Check(
        part="disk", ok=ok, found=f"{free / (1 << 30):.1f} GiB free at {settings.home}",
        fix=None if ok else "free some space, or give PUMPCAST_HOME another disk",
    )  # fmt: skip
    folders = {
        "home": (settings.home, "PUMPCAST_HOME"),
        "training models": (settings.model_folder("training"), "MODEL_STORAGE_PATH"),
        "prediction models": (settings.model_folder("prediction"), "MODEL_STORAGE_PATH"),
        "packages": (settings.packages_folder, "MODEL_PACKAGES_DIR"),
    }
    for part, (folder, setting) in folders.items():
        writable = _writable(folder)
        fix = None if writable else f"give this user the right to write there, or set {setting}"
        # A container has its home on a root that is read-only: the embedded database and `up` alone write there.
        ok = writable or (part == "home" and bool(settings.db_dsn))
        yield Check(part=part, ok=ok, found=f"{folder} {'is' if writable else 'is not'} writable", fix=fix)


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _writable(folder: Path) -> bool:
    existing = _existing(folder)
    return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)


def _database(settings: PredictionSettings) -> Sequence[Check]:
    kind = "that of DB_DSN" if settings.db_dsn else "embedded"
    try:
        with database(settings) as dsn:
            inside = asyncio.run(look_inside(dsn))
            reachable = Check(part="database", ok=True, found=f"{kind}, reachable")
            signed = asyncio.run(_signatures(dsn, settings))
            return [reachable, *inside, _migrations(dsn), _roles(dsn), *signed]
    except PumpcastError as error:
        return [Check(part="database", ok=False, found=f"{kind}: {error.message}")]
    except (PostgresError, psycopg.Error, *ConnectionLost) as error:
        fix = "check DB_DSN, its user and its rights"
        return [Check(part="database", ok=False, found=f"{kind}: {type(error).__name__}: {error}", fix=fix)]


def _migrations(dsn: str) -> Check:
    if missing := pending(dsn):
        return Check(part="migrations", ok=False, found=f"missing {', '.join(missing)}", fix="run `pumpcast migrate`")
    return Check(part="migrations", ok=True, found=f"at {names()[-1]}")


def _roles(dsn: str) -> Check:
    if problems := lacking(dsn):
        fix = "run `pumpcast migrate` as a user with CREATEROLE that owns the tables, or grant by hand"
        # Whoever lets the services log in as another user needs no roles.
        ok = all(problem.startswith("there is no role") for problem in problems)
        return Check(part="roles of the services", ok=ok, found="; ".join(problems), fix=fix)
    return Check(part="roles of the services", ok=True, found="each reaches its own tables alone")


async def _signatures(dsn: str, settings: PredictionSettings) -> list[Check]:
    if not settings.artifact_public_key or pending(dsn):
        return []
    pool = await open_pool(dsn, application="pumpcast-doctor")
    try:
        problem = trouble(await unsigned(pool, settings))
    except InsufficientPrivilege:
        # This is the training service's user.
        return []
    finally:
        await pool.close()
    return [Check(part="signatures of models", ok=problem is None, found=problem or "every active model has one")]


async def look_inside(dsn: str) -> list[Check]:
    """Check the server, the tracker's tables and what this user may do with them."""
    pool = await open_pool(dsn, application="pumpcast-doctor")
    try:
        checks = [await _server(pool), *await _packages(pool)]
        columns = {record["attname"] for record in await QUERIES.fetch(pool, "tracker_columns")}
        if not columns:
            fix = "start the tracker, or create it with sql/dev/coin_metrics.sql; the services look for it every 30 s"
            return [*checks, Check(part="coin_metrics", ok=False, found="there is no such table", fix=fix)]
        return [*checks, *_tracker(columns), await _phases(pool), *await _indexes(pool), *await _rights(pool)]
    finally:
        await pool.close()


async def _server(pool: Pool) -> Check:
    (found,) = await QUERIES.fetch(pool, "server")
    ok = found["number"] >= OLDEST_SERVER * 10_000
    fix = None if ok else f"PostgreSQL {OLDEST_SERVER} or newer is needed"
    return Check(part="PostgreSQL", ok=ok, found=found["version"], fix=fix)


async def _packages(pool: Pool) -> list[Check]:
    if not await QUERIES.fetchval(pool, "may_read_packages"):
        # Migrations are missing, or this is no user of ours: said elsewhere.
        return []
    waiting = await QUERIES.fetchval(pool, "waiting_packages")
    installed = all(find_spec(name) for name in ("torch", "talib"))
    checks = [
        Check(
            part="libraries of packages", ok=installed or not waiting,
            found="installed" if installed else f"not installed, {waiting} uploaded packages wait for them",
            fix=None if installed else "pip install 'pumpcast[packages]'",
        )
    ]  # fmt: skip
    for failed in await QUERIES.fetch(pool, "failed_packages"):
        fix = f"when that is mended: POST /api/model-packages/{failed['id']}/warmup; otherwise archive or delete it"
        # Without its libraries the demonstration is not expected to work.
        ok = failed["is_builtin"] and not installed
        checks.append(Check(part=f"package {failed['id']}", ok=ok, found=failed["warmup_error"], fix=fix))
    return checks


def _tracker(columns: set[str]) -> Iterator[Check]:
    missing = [column.name for column in COLUMNS if column.name not in columns]
    needed = [name for name in missing if name in {"id", "mint", "timestamp", "phase_id_at_time"}]
    if needed:
        fix = "without these no row can be read: the tracker must fill them"
        yield Check(part="coin_metrics", ok=False, found=f"lacks {', '.join(needed)}", fix=fix)
    elif missing:
        fix = "models cannot use them; nothing to do when that is meant"
        yield Check(part="coin_metrics", ok=True, found=f"lacks {', '.join(missing)}", fix=fix)
    else:
        yield Check(part="coin_metrics", ok=True, found=f"has all {len(COLUMNS)} columns")


async def _phases(pool: Pool) -> Check:
    ok = await QUERIES.fetchval(pool, "phases")
    return Check(
        part="ref_coin_phases", ok=ok, found="is there" if ok else "there is no such table",
        fix=None if ok else "start the tracker, or create it with sql/dev/coin_metrics.sql",
    )  # fmt: skip


async def _indexes(pool: Pool) -> list[Check]:
    present = [tuple(record["columns"]) for record in await QUERIES.fetch(pool, "index_columns")]
    checks = []
    for wanted in INDEXES:
        ok = any(columns[: len(wanted)] == wanted for columns in present)
        listed = ", ".join(wanted)
        fix = None if ok else f"CREATE INDEX CONCURRENTLY ON coin_metrics ({listed}) in `pumpcast psql`"
        checks.append(Check(part=f"index on ({listed})", ok=ok, found="is there" if ok else "missing", fix=fix))
    return checks


async def _rights(pool: Pool) -> list[Check]:
    (found,) = await QUERIES.fetch(pool, "rights")
    name, may_read = found["name"], found["may_read"]
    # The right to make triggers is the right to run code as the tracker: nothing for a service.
    mended = "run `pumpcast migrate` as the owner of coin_metrics" if name in ROLES.values() else None
    reading = Check(
        part="right to read coin_metrics",
        ok=may_read,
        found=f"{name} {'has' if may_read else 'lacks'} it",
        fix=None if may_read else mended or f'GRANT SELECT ON coin_metrics TO "{name}"',
    )
    if found["installed"]:
        state, fix = "is there", None
    elif found["may_install"]:
        state, fix = "not there yet, the prediction worker installs it", None
    else:
        state = f"not there and {name} may not create it: rows are found by polling"
        fix = mended or f'GRANT TRIGGER ON coin_metrics TO "{name}"'
    ok = found["installed"] or found["may_install"]
    return [reading, Check(part="trigger pumpcast_wakeup", ok=ok, found=state, fix=fix)]


def _services() -> Iterator[Check]:
    for listener in (*addressed_apis(), app()):
        if listener is None:
            yield Check(part="app", ok=True, found="its libraries are not installed", fix=INSTALL_APP)
            continue
        trouble = listener.trouble()
        is_here = is_loopback(listener.host)
        fix = "start it with `pumpcast up`" if is_here and trouble and "does not answer" in trouble else None
        found = trouble or f"answers at {listener.url}{'/api' if listener.path.startswith('/api/') else ''}"
        if trouble is None and listener.hides_readiness():
            found = f"lives at {listener.url}/api, and tells a key alone whether it is ready"
            fix = "set UI_API_KEY to a key of yours"
        yield Check(part=listener.name, ok=trouble is None, found=found, fix=fix)
