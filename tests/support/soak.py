"""A stack under mixed load while it is hurt at random: `python -m tests.support.soak --minutes 10 --seed 1`.

Rows, jobs, messages and trades go on all the time; processes are killed, told to stop and frozen, sessions ended, the
database restarted. First every program is restarted once, one after the other, as an upgrade does. When it is over,
the books must balance to the row. Exit code 1: something is as it must not be; 3: a route was slower than allowed.
"""

import argparse
import asyncio
import importlib.util
import json
import os
import platform
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil
import psycopg

from tests.support import soak_books, soak_figures
from tests.support.memory import memory
from tests.support.soak_books import Books
from tests.support.soak_client import Client, pause, session
from tests.support.soak_faults import Killer
from tests.support.soak_figures import Result
from tests.support.soak_load import ENDED, PACKAGE, Load, train_request
from tests.support.soak_memory import Memory
from tests.support.soak_receivers import PATHS, Receivers, receivers
from tests.support.soak_rows import Market
from tests.support.soak_stack import Stack, soaked_stack

GATE_NOT_MET: Final = 3
FIRST_NUMBER: Final = 1_000_000
"""Beyond those of all later jobs."""
SETTLE_SECONDS: Final = 300.0
ROW_TAIL_SECONDS: Final = 1.0
"""Rows go on so long after the last fault."""
FIRST_MODEL_SECONDS: Final = 240.0
MESSAGE_LIFE_SECONDS: Final = {"good": 3600, "slow": 3600, "failing": 5}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What kind of soak."""

    seed: int
    minutes: float
    peace_seconds: tuple[float, float] = (2.0, 8.0)
    longest_freeze_seconds: float = 55.0
    """Beyond the lease of a job and the time after which others take over the coins."""
    training_entry: str = "training_service.worker:main"
    training_workers: int = 2
    burst_rows: int = 300
    readers: int = 6
    with_packages: bool = importlib.util.find_spec("torch") is not None
    open_jobs: int = 4
    model_types: tuple[str, ...] = ("xgboost", "random_forest")
    """Of the models that are there all the time."""
    first: tuple[str, ...] = ()
    """What is done before chance decides."""


def short(seed: int) -> Plan:
    """Give the form for every test run: leases of jobs are shorter, and so are the times of peace."""
    return Plan(
        seed=seed, minutes=0, training_entry="tests.support.chaos:work", training_workers=1, readers=3, burst_rows=100,
        with_packages=False, open_jobs=1,
        model_types=("xgboost",),
        first=("kill training-worker-1", "kill prediction-worker-2", "crash the database", "kill prediction-api"),
    )  # fmt: skip


async def run(stack: Stack, plan: Plan) -> Result:
    """Load the stack, hurt it, and look at what came of it, all but what is left after its end."""
    dice = random.Random(plan.seed)
    result = Result(seed=plan.seed, minutes=plan.minutes, machine=_machine(), commit=_commit())
    killer = Killer(stack, dice, plan.longest_freeze_seconds)
    market, over = Market(stack.dsn, plan.seed, plan.burst_rows), asyncio.Event()
    history = await market.fill()
    if plan.with_packages:
        await market.fill_candles()
    assert await asyncio.to_thread(stack.until_ready, since=0.0), "the stack does not get ready"
    async with session() as opened, receivers() as taken:
        client = Client(opened, {name: stack.url(name) for name in ("training", "prediction")})
        load = await _furnish(client, market, dice, plan)
        endpoints = await _subscribe(load, taken)
        began = time.monotonic()
        # What was asked for before is no load.
        client.asked.clear()
        memory_used = Memory(stack)
        async with asyncio.TaskGroup() as group:
            group.create_task(market.go_on(over))
            group.create_task(load.run(over))
            group.create_task(memory_used.watch(over))
            try:
                await killer.roll()
                await killer.hurt_each(plan.first)
                hurting_over = asyncio.Event()
                hurting = group.create_task(killer.hurt_until(hurting_over, peace_seconds=plan.peace_seconds))
                await asyncio.sleep(60 * plan.minutes)
                hurting_over.set()
                await hurting
                await asyncio.sleep(ROW_TAIL_SECONDS)
            finally:
                over.set()
        result.minutes = round((time.monotonic() - began) / 60, 1)
        await _check(stack, result, load, taken, endpoints, history)
    _tell(result, killer, client, memory_used)
    return result


def _tell(result: Result, killer: Killer, client: Client, memory_used: Memory) -> None:
    result.faults += killer.troubles + soak_figures.wrong_answers(client.asked, killer.faults)
    result.faults += [f"{one.name} ended with {one.exit_code}" for one in killer.stopped if one.exit_code != 0]
    result.faults += memory_used.faults()
    result.recoveries, result.stops = soak_figures.recoveries(killer.faults), soak_figures.stops(killer.stopped)
    result.memory_mb = memory_used.figures()
    result.latencies = soak_figures.latencies(client.asked, killer.faults)
    result.answers = soak_figures.answers(client.asked)


async def _furnish(client: Client, market: Market, dice: random.Random, plan: Plan) -> Load:
    """Have the first models trained and imported, and an account opened."""
    load = Load(
        client=client,
        market=market,
        dice=dice,
        models=[],
        steady=[],
        readers=plan.readers,
        with_packages=plan.with_packages,
        open_jobs=plan.open_jobs,
    )
    for number, model_type in enumerate(plan.model_types, FIRST_NUMBER):
        asked = train_request(market.start, number, model_type=model_type)
        job = (await client.insist("training", "POST", "/models/create", asked))["job_id"]
        load.accepted[job] = "train"
    for job in load.accepted:
        found: dict[str, Any] = {"status": "PENDING"}
        deadline = time.monotonic() + FIRST_MODEL_SECONDS
        while found["status"] not in ENDED:
            assert time.monotonic() < deadline, f"no model before the load: {found}"
            await pause(asyncio.Event(), 0.1)
            found = await client.insist("training", "GET", f"/queue/{job}")
        load.models.append(found["result_model_id"])
        imported = await client.insist("prediction", "POST", "/models/import", {"model_id": load.models[-1]})
        load.steady.append(imported["active_model_id"])
    await client.insist("prediction", "GET", f"/paper/account/{PACKAGE}")
    return load


async def _subscribe(load: Load, taken: Receivers) -> dict[str, int]:
    """Have the good receiver told everything one model says, the others its alerts."""
    everything = {
        "send_modes": ["all"],
        **{f"cooldown_{kind}_seconds": 0 for kind in ("negative", "positive", "alert")},
    }
    await load.client.insist("prediction", "PATCH", f"/models/{load.steady[0]}/settings", everything)
    found = {}
    for path in PATHS:
        asked = {
            "url": f"{taken.url}/{path}", "active_model_ids": [load.steady[0]],
            "send_modes": ["all"] if path == "good" else ["alerts_only", "positive_only"],
            "expires_after_seconds": MESSAGE_LIFE_SECONDS[path],
            # As many at a time as a slow one needs to keep up.
            "max_concurrency": 32,
        }  # fmt: skip
        made = await load.client.insist("prediction", "POST", "/webhooks", asked)
        found[path], taken.secrets[path] = made["id"], made["secret"]
    load.endpoint = found["good"]
    return found


async def _check(
    stack: Stack, result: Result, load: Load, taken: Receivers, endpoints: dict[str, int], history: int
) -> None:
    books = Books(result.books, result.faults)
    left = await asyncio.to_thread(soak_books.settle, stack, seconds=SETTLE_SECONDS)
    books.must(not left, f"not over after {SETTLE_SECONDS:g} s: {left}")
    told = await load.client.insist("prediction", "GET", "/stats")
    with psycopg.connect(stack.dsn, autocommit=True, application_name="soak") as connection:
        soak_books.check_rows(books, connection, history=history, steady=load.steady)
        soak_books.check_service(books, told)
        soak_books.check_jobs(books, connection, load.accepted)
        soak_books.check_deliveries(books, connection, taken, endpoints, all_of=load.steady[0])
        soak_books.check_paper(books, connection)
        soak_books.check_files(books, connection, stack.folder)
        soak_books.check_idle(books, connection)


def soak(plan: Plan) -> Result:
    """Run a soak in a place of its own; this process is used up by it."""
    folder = Path(tempfile.mkdtemp(prefix="pumpcast-soak-", dir=memory()))
    folder.chmod(0o755)
    try:
        with soaked_stack(folder, training_entry=plan.training_entry, training_workers=plan.training_workers) as stack:
            result = asyncio.run(run(stack, plan))
            began = time.monotonic()
            stack.supervision.__exit__()
            result.books["seconds until all had ended"] = round(time.monotonic() - began, 1)
            soak_books.check_left_behind(Books(result.books, result.faults), stack)
        return result
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _machine() -> str:
    memory_gb = psutil.virtual_memory().total / 2**30
    return f"{os.cpu_count()} cores, {memory_gb:.0f} GB, Python {platform.python_version()}, {platform.system()}"


def _commit() -> str:
    command = ["git", "-C", str(soak_figures.PAGE.parent), "rev-parse", "--short", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def main() -> None:
    """Run it, print what came of it, and write it down where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long things are hurt, after the restarts")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of rows, requests and faults")
    parser.add_argument("--short", action="store_true", help="the form of the tests, seconds instead of minutes")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/RELIABILITY.md")
    parser.add_argument("--no-gate", action="store_true", help="do not judge how long requests took")
    asked = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT):
        # Either way everything that was started ends with it.
        signal.signal(number, signal.default_int_handler)
    result = soak(short(asked.seed) if asked.short else Plan(seed=asked.seed, minutes=asked.minutes))
    slow = [] if asked.no_gate or asked.short else soak_figures.too_slow(result.latencies)
    if asked.write:
        soak_figures.write(result)
    sys.stdout.write(json.dumps(result.as_json()) if asked.json else soak_figures.as_markdown(result))
    sys.stdout.write("".join(f"\ntoo slow: {one}" for one in slow if not asked.json) + "\n")
    raise SystemExit(1 if result.faults else GATE_NOT_MET if slow else 0)


if __name__ == "__main__":
    main()
