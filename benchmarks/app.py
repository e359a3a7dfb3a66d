"""How long a page of the app takes in a browser, with a thousand models and a million predictions behind it."""

import asyncio
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from benchmarks.live_models import train_all
from benchmarks.live_stage import activate, connected
from benchmarks.live_statistics import queries as statistics
from benchmarks.live_watch import Tell
from benchmarks.programs import free_port, installed, running
from prediction_service.settings import PredictionSettings
from shared import cluster
from shared.db import Queries
from shared.embedded import database

MODELS = 1_000
ROWS = 1_000_000
TIMES = 7
GOAL_SECONDS = 1.0
READY_SECONDS = 60
PAGES: Mapping[str, str] = {
    "Overview": "",
    "Predictions": "predictions",
    "Statistics": "statistics",
    "Statistics of a model": "statistics?model=2",
    "Jobs": "jobs",
    "Models": "models",
    "Import": "import?show=all",
    "Manage": "manage",
    "Manage a model": "manage?model=2",
    "Delivery": "delivery",
    "System": "system",
}
_STILL = """() => {
  const app = document.querySelector('[data-testid="stApp"]');
  return app && app.getAttribute('data-test-script-state') === 'notRunning' && document.querySelector('h1')
    && !document.querySelector('[data-testid="stSkeleton"]') && !document.querySelector('[data-stale="true"]');
}"""

queries = Queries.beside(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All that was measured."""

    seconds: Mapping[str, float]
    """Page → median."""
    megabytes: float
    """Memory of the app afterwards."""


def measure(tell: Tell) -> Figures:
    """Fill a database, start both APIs and the app, and look at each page."""
    with tempfile.TemporaryDirectory(prefix="pumpcast-bench-") as folder:
        home = Path(folder)
        with (
            cluster.server(home / "postgres"),
            database(PredictionSettings(db_dsn="", pumpcast_home=home)) as dsn,
        ):
            tell(f"app: writing {MODELS:,} models and {ROWS:,} predictions")
            asyncio.run(_fill(home, dsn))
            return _look(home, dsn, tell)


async def _fill(home: Path, dsn: str) -> None:
    await activate(home, dsn, train_all()[:1])
    async with connected(dsn) as connection:
        for name in ("models", "jobs", "active_models"):
            await queries.execute(connection, name, models=MODELS)
        await queries.execute(connection, "predictions", models=MODELS, rows=ROWS)
        for name in ("roll_up", "roll_up_bins"):
            await statistics.execute(connection, name)
        await connection.execute("VACUUM ANALYZE")


def _look(home: Path, dsn: str, tell: Tell) -> Figures:
    # Not before this question is asked: no other needs a browser.
    from tests.support.browser import HOW, chromium

    training, prediction, app = free_port(), free_port(), free_port()
    settings = {
        "DB_DSN": dsn, "PUMPCAST_HOME": str(home), "TRAINING_API_PORT": str(training), "STREAMLIT_PORT": str(app),
        "PREDICTION_API_PORT": str(prediction), "API_BASE_URL": f"http://127.0.0.1:{prediction}/api",
        "TRAINING_SERVICE_API_URL": f"http://127.0.0.1:{training}/api", "UI_LANGUAGE": "en",
    }  # fmt: skip
    with (
        running(installed("training-api"), cwd=home, **settings),
        running(installed("prediction-api"), cwd=home, **settings),
        running(installed("pumpcast-ui"), cwd=home, **settings) as shown,
        chromium() as browser,
    ):
        if browser is None:
            raise SystemExit(HOW)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        _wait(page, f"http://127.0.0.1:{app}/system")
        seconds = {}
        for name, path in PAGES.items():
            tell(f"app: {name}")
            seconds[name] = median(_timed(page, f"http://127.0.0.1:{app}/{path}") for _ in range(TIMES + 1))
        return Figures(seconds=seconds, megabytes=psutil.Process(shown.pid).memory_info().rss / 1e6)


def _wait(page: Any, address: str) -> None:
    from playwright.sync_api import Error

    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            page.goto(address)
            page.wait_for_function(_STILL, timeout=10_000)
        except Error:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
        else:
            return


def _timed(page: Any, address: str) -> float:
    started = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.wait_for_function(_STILL, timeout=60_000, polling=20)
    passed = time.perf_counter() - started
    if trouble := page.query_selector('[data-testid="stAlertContentError"]'):
        raise SystemExit(f"app: {address} shows an error: {trouble.inner_text()[:300]}")
    return passed


def describe(found: Figures) -> str:
    """Say what the figures are of."""
    rows = "\n".join(f"| {name} | {seconds:.2f} |" for name, seconds in found.seconds.items())
    slow = [name for name, seconds in found.seconds.items() if seconds > GOAL_SECONDS]
    return f"""
Each page opened anew in headless Chromium, from the request of its address to the moment when nothing is drawn any
more, the app's own files in the browser's cache; both APIs and the app are the real processes. {MODELS:,} trained
models, all imported and active, {MODELS:,} jobs, {ROWS:,} predictions of the last day. Medians of {TIMES + 1}. The app
holds {found.megabytes:.0f} MB afterwards.

| page | seconds |
|---|--:|
{rows}

Goal: at most {GOAL_SECONDS:g} s a page: {"met" if not slow else f"NOT met by {', '.join(slow)}"}.
"""
