"""Half an hour of a recorded day, replayed at speed with the commands a user has: the books agree to the row."""

import asyncio
import json
import signal
import subprocess
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pumpcast.demo.receiver import Received, receiver
from pumpcast.demo.summary import wire_time
from pumpcast.market.files import FileRows
from pumpcast.market.load import load
from shared.db import Pool
from tests.support.live import skipped, until, until_live
from tests.support.processes import PUMPCAST, environment, place

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

PATIENCE = 120
LEARNT = datetime(2025, 9, 7, tzinfo=UTC), datetime(2025, 9, 7, 10, tzinfo=UTC)
REPLAYED = datetime(2025, 9, 7, 16, tzinfo=UTC), datetime(2025, 9, 7, 16, 30, tzinfo=UTC)
HORIZON_MINUTES = 5
MICROSECOND = timedelta(microseconds=1)
QUESTION = {
    "features": ["volume_sol", "num_buys", "num_sells", "virtual_sol_reserves"], "use_engineered_features": True,
    "target_var": "price_close", "future_minutes": HORIZON_MINUTES, "min_percent_change": 20,
    "label_resolution": "observed", "train_start": LEARNT[0].isoformat(), "train_end": LEARNT[1].isoformat(),
    "use_timeseries_split": False, "params": {"n_estimators": 40},
}  # fmt: skip
MODELS = [
    {"name": "forest", "model_type": "random_forest"},
    {"name": "boosted", "model_type": "xgboost"},
    # Answers rows of the first phase only; others are left out and counted.
    {"name": "young coins", "model_type": "xgboost", "phases": [1]},
]


class Service:
    """What runs, and how to ask it and to run a command beside it."""

    def __init__(self, settings: dict[str, str], folder: Path) -> None:
        self._settings, self._folder = settings, folder

    def ask(self, api: str, path: str, body: Any = None) -> Any:
        """Ask an API: training or prediction."""
        url = f"http://127.0.0.1:{self._settings[f'{api.upper()}_API_PORT']}/api{path}"
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(url, None if body is None else json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def run(self, *command: str) -> Any:
        """Run a command and give what it prints."""
        done = subprocess.run(
            [*PUMPCAST, *command, "--json"], capture_output=True, text=True, env=self._settings, cwd=self._folder,
            timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def train(self) -> list[int]:
        """Train all models and give their ids."""
        jobs = [self.ask("training", "/models/create", {**QUESTION, **model})["job_id"] for model in MODELS]
        deadline = time.monotonic() + PATIENCE
        while True:
            seen = [self.ask("training", f"/queue/{job}") for job in jobs]
            if all(job["status"] == "COMPLETED" for job in seen):
                return [job["result_model_id"] for job in seen]
            failed = [job["error_msg"] for job in seen if job["status"] == "FAILED"]
            assert not failed
            assert time.monotonic() < deadline, seen
            time.sleep(0.3)


@pytest.fixture
def service(database: str) -> Iterator[Service]:
    with place() as folder:
        settings = environment(folder) | {
            "DB_DSN": database, "WEBHOOK_ALLOWED_HOSTS": "127.0.0.1", "JOB_POLL_INTERVAL": "0.5"
        }  # fmt: skip
        with (folder / "up.log").open("w") as log:
            process = subprocess.Popen(
                [*PUMPCAST, "up", "--no-app", "--json"], stdout=subprocess.PIPE, stderr=log, text=True, env=settings,
                cwd=folder,
            )  # fmt: skip
            impatience = threading.Timer(PATIENCE, process.terminate)
            impatience.start()
            try:
                assert process.stdout.readline(), (folder / "up.log").read_text()
                impatience.cancel()
                yield Service(settings, folder)
            finally:
                impatience.cancel()
                process.send_signal(signal.SIGINT)
                process.wait(PATIENCE)
                process.stdout.close()


@pytest.fixture
async def received() -> AsyncIterator[Received]:
    async with receiver() as found:
        yield found


def part(rows: pa.Table, start: datetime, end: datetime) -> pa.Table:
    inside = pc.and_(pc.greater_equal(rows["timestamp"], pa.scalar(start)), pc.less(rows["timestamp"], pa.scalar(end)))
    return rows.filter(inside)


async def test_replay_when_half_an_hour_of_a_day_is_played_then_the_books_agree_to_the_row(
    service: Service, pool: Pool, received: Received, real_rows: Path
):
    rows = pq.read_table(real_rows)
    live = part(rows, *REPLAYED)
    await load(pool, FileRows(table="coin_metrics", rows=part(rows, *LEARNT), ignored=()))
    models = await asyncio.to_thread(service.train)
    actives = [(await ask(service, "/models/import", {"model_id": model}))["active_model_id"] for model in models]
    received.secret = (await ask(service, "/webhooks", {"url": received.url}))["secret"]
    async with pool.acquire() as connection:
        await until_live(connection)

    played = await asyncio.to_thread(
        service.run, "replay", str(real_rows), "--keep-time", "--speed", "600",
        "--from", REPLAYED[0].isoformat(), "--until", (REPLAYED[1] - MICROSECOND).isoformat(),
    )  # fmt: skip

    assert played["rows"] == live.num_rows > 2000
    # Nothing comes twice in this half hour, and the recording is in order: only what a model's phases say is left out.
    left_out = pc.sum(pc.not_equal(pc.fill_null(live["phase_id_at_time"], -1), 1)).as_py()
    assert left_out > 0
    owed = live.num_rows * len(models)
    async with pool.acquire() as connection:
        await until(connection, "SELECT count(*) FROM predictions", expected=owed - left_out)
        assert await skipped(connection) == {"phase": left_out}
        # A minute may pass until a minute's rows are looked at, which is what waits for the recording to go on.
        known = pc.max(live["timestamp"]).as_py() - timedelta(minutes=HORIZON_MINUTES + 2)
        await until(
            connection, "SELECT count(*) FROM predictions WHERE outcome IS NULL AND data_timestamp <= $1", known,
            expected=0,
        )  # fmt: skip
        await until(connection, "SELECT count(*) FROM webhook_deliveries WHERE status = 'pending'", expected=0)
        # Statistics follow the predictions within a second or so.
        await until(connection, "SELECT count(*) FROM prediction_batches", expected=0)
    found = await pool.fetch("SELECT * FROM predictions")
    messages = {(row["coin_id"], wire_time(row["data_timestamp"])) for row in found if row["is_alert"]}
    alerts = {
        (row["coin_id"], wire_time(row["data_timestamp"]), row["active_model_id"]) for row in found if row["is_alert"]
    }
    assert len(messages) > 10
    assert (len(received.messages), received.alerts, received.refused) == (len(messages), alerts, 0)
    assert await pool.fetchval("SELECT count(*) FROM webhook_deliveries WHERE status = 'delivered'") == len(messages)
    for active_id in actives:
        outcomes, told = await settled(service, pool, active_id)
        assert outcomes.keys() - {None, "unresolved"} == {"tp", "fp", "tn", "fn"}
        assert {name: told["prediction"][name] for name in ("tp", "fp", "tn", "fn")} == {
            name: outcomes[name] for name in ("tp", "fp", "tn", "fn")
        }
        assert (told["pending"], told["unresolved"]) == (outcomes[None], outcomes["unresolved"])
        assert told["predictions"] == outcomes.total()
    watched = await asyncio.to_thread(service.run, "watch", "--once")
    assert watched["service"]["books"] == {
        "rows": live.num_rows, "owed": owed, "predictions": len(found), "skipped": {"phase": left_out},
        "not_rolled_up": 0, "balanced": True,
    }  # fmt: skip
    assert watched["service"]["deliveries"] == {"delivered": len(messages)}
    assert [model["name"] for model in watched["models"]] == [model["name"] for model in MODELS]
    assert watched["books"] == f"books: {owed:,} answers owed = {len(found):,} predictions + {left_out:,} left out"


async def settled(service: Service, pool: Pool, active_id: int) -> tuple[Counter[str | None], Any]:
    """Give the outcomes of a model and what its statistics said while they stood still."""
    while True:
        before = await outcomes_of(pool, active_id)
        told = (await ask(service, f"/models/{active_id}/statistics"))["total"]
        # The end of the recording is looked at a second time, minutes of it later: some become known meanwhile.
        if before == await outcomes_of(pool, active_id):
            return before, told


async def outcomes_of(pool: Pool, active_id: int) -> Counter[str | None]:
    found = await pool.fetch("SELECT outcome FROM predictions WHERE active_model_id = $1", active_id)
    return Counter(row["outcome"] for row in found)


async def ask(service: Service, path: str, body: Any = None) -> Any:
    """Ask the prediction API while the receiver goes on listening."""
    return await asyncio.to_thread(service.ask, "prediction", path, body)
