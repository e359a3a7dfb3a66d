"""The prediction worker: live rows, webhooks, and how it is doing."""

import asyncio
import gc
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import structlog

from prediction_service.clients.exchange import check_feeds
from prediction_service.clients.training import TrainingClient
from prediction_service.runtime import metrics
from prediction_service.settings import PredictionSettings
from prediction_service.store import positions
from prediction_service.usecases import sending, webhooks
from prediction_service.usecases.housekeeping import keep_house
from prediction_service.usecases.leadership import APPLICATION, SILENT_SECONDS, Duty, lead
from prediction_service.usecases.live import TEND_SECONDS, let_go, process_new_rows
from prediction_service.usecases.live_models import Shelf, preload
from prediction_service.usecases.live_table import Superseded
from prediction_service.usecases.package_child import keep_child
from prediction_service.usecases.stand import Stand, TableMissing, take_stand
from shared.background import run_worker
from shared.coin_metrics.clock import AHEAD
from shared.db import ConnectionLost, Pool, PostgresError, open_pool
from shared.embedded import database
from shared.errors import PumpcastError, Unavailable
from shared.migrate import pending
from shared.process_metrics import ERRORS, WORKER_POOL
from shared.settings import read_settings_or_exit
from shared.wakeup import Wakeup
from shared.wakeup_trigger import ensure_trigger

log = structlog.get_logger(__name__)

TABLE_LOOK_SECONDS = 30.0
RETRY_SECONDS = 0.5
REPORT_SECONDS = 1.0
TRIGGER_RETRY_SECONDS = 5.0
GAP_LOOK_SECONDS = 1.0
MOST_SUPERSEDED = 5
"""So often in a row memory is compared with the database before it is read anew."""
GARBAGE_OBJECTS = 20_000


class Worker:
    """The loops of one process around one database."""

    def __init__(
        self, pool: Pool, training: TrainingClient, settings: PredictionSettings, *, rows: Wakeup, models: Wakeup
    ) -> None:
        self._pool = pool
        self._training = training
        self._settings = settings
        self._rows = rows
        self._models = models
        self._duty = Duty(rows.poke)
        self._poke = asyncio.Event()
        self._shelf: Shelf = {}
        self._owner = uuid4()
        self._stand: Stand | None = None
        self._models_changed = False
        self._catching_up = True
        self._trouble: str | None = None
        self._triggered = False
        self._settled = False
        self._superseded = 0
        self._caught_up_at = time.monotonic()
        self._looked_at: float | None = None
        self._reconnects = 0

    async def run(self, dsn: str, stop: asyncio.Event) -> None:
        """Work until `stop`; a fault of one loop ends the process, which its supervisor starts again."""
        async with asyncio.TaskGroup() as group:
            leading = group.create_task(lead(dsn, self._duty), name="lead")
            helpers = [
                group.create_task(self._watch_models(), name="watch models"),
                group.create_task(self._keep_trigger(), name="keep trigger"),
                group.create_task(self._report(), name="report"),
            ]
            sender = group.create_task(sending.send_forever(self._pool, self._settings, stop, self._poke))
            house = group.create_task(
                keep_house(self._pool, self._settings, on_duty=lambda: 0 in self._duty.in_use, stop=stop)
            )
            child = group.create_task(keep_child(self._pool, dsn, self._settings, stop), name="child of packages")
            await self._answer(stop)
            # Others take over at once, while what is left here comes to its end.
            leading.cancel()
            await asyncio.wait([sender, house, child])
            for helper in helpers:
                helper.cancel()

    async def _answer(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await self._answer_on_duty(stop)
            except Superseded as error:
                self._superseded += 1
                log.info("what is in memory is compared with the database", reason=error.message)
                if self._superseded >= MOST_SUPERSEDED:
                    # What is in memory must be wrong. No outage by itself: the positions tell when they last moved.
                    log.warning("memory does not fit the database, it is read anew", reason=error.message)
                    self._stand, self._trouble = None, error.message
                    await self._wait(stop, RETRY_SECONDS)
            except (*ConnectionLost, PostgresError, PumpcastError) as error:
                self._catching_up = True
                self._trouble = (
                    error.message if isinstance(error, PumpcastError) else f"database: {type(error).__name__}"
                )
                ERRORS.labels(type(error).__name__).inc()
                log.warning("live loop failed, trying again", error=type(error).__name__, detail=str(error))
                pause = TABLE_LOOK_SECONDS if isinstance(error, TableMissing) else RETRY_SECONDS
                await self._wait(stop, pause)
        self._duty.use(frozenset())

    async def _answer_on_duty(self, stop: asyncio.Event) -> None:
        shards = self._duty.assigned
        self._duty.use(shards)
        if not shards:
            self._trouble, self._stand, self._catching_up = None, None, True
            await _first(self._duty.change(), stop.wait())
            return
        self._models_changed = False
        self._owner = uuid4()
        stand = self._stand = await take_stand(
            self._pool, self._training, self._settings, self._shelf, owner=self._owner, shards=shards,
            catching_up=self._catching_up, kept=self._stand,
        )  # fmt: skip
        self._trouble = None
        self._settle()
        try:
            while self._duty.assigned == shards and not stop.is_set() and not self._models_changed:
                await self._answer_once(stand, stop)
        finally:
            await let_go(stand)

    def _settle(self) -> None:
        """Leave what was loaded at the start out of all garbage collections: each would take as long as a batch."""
        if not self._settled:
            gc.collect()
            gc.freeze()
            gc.set_threshold(GARBAGE_OBJECTS)
            self._settled = True

    async def _answer_once(self, stand: Stand, stop: asyncio.Event) -> None:
        started = time.monotonic()
        told = self._rows.take_notified()
        if stand.unanswered_since is None:
            # Without notifications, rows may have come right after the last look.
            stand.unanswered_since = self._looked_at if told is None else told
        self._looked_at = started
        found = await process_new_rows(self._pool, self._settings, stand, self._poke)
        self._superseded = 0
        # A change of models or shards is no outage: what comes right after it was not missed.
        self._catching_up = stand.catching_up
        if found:
            # Rows that come while a batch is written wait for the next one; a short pause lets more of them gather.
            pause = min(self._settings.batch_timeout_seconds, (time.monotonic() - started) / 2)
            await asyncio.sleep(0 if stand.catching_up or stand.following is not None else pause)
        else:
            self._caught_up_at = time.monotonic()
            stand.unanswered_since = None
            await self._wait(stop, self._patience(stand))

    def _patience(self, stand: Stand) -> float:
        patience = self._settings.polling_interval_seconds
        now = time.monotonic()
        if stand.gaps.warm(now):
            hot = stand.gaps.hot(now)
            patience = min(patience, self._settings.batch_timeout_seconds if hot else GAP_LOOK_SECONDS)
        if stand.tend_due:
            patience = min(patience, TEND_SECONDS)
        release = stand.admission.next_release()
        if release is not None:
            patience = min(patience, max(0.05, (release - AHEAD) / 1e6 - time.time()))
        return patience

    async def _wait(self, stop: asyncio.Event, seconds: float) -> None:
        await _first(self._rows.wait(seconds), stop.wait())

    async def _watch_models(self) -> None:
        while True:
            if await self._models.wait(3600):
                try:
                    await preload(self._pool, self._training, self._settings, self._shelf)
                except (*ConnectionLost, PostgresError, PumpcastError) as error:
                    log.warning("models cannot be loaded ahead", error=type(error).__name__)
                self._models_changed = True
                self._rows.poke()

    async def _keep_trigger(self) -> None:
        while True:
            try:
                self._triggered = await ensure_trigger(self._pool)
            except (*ConnectionLost, PostgresError) as error:
                self._triggered = False
                log.warning("trigger cannot be looked after", error=type(error).__name__)
            await asyncio.sleep(TABLE_LOOK_SECONDS if self._triggered else TRIGGER_RETRY_SECONDS)

    def _status(self) -> dict[str, Any]:
        stand = self._stand
        behind = stand is None or stand.catching_up
        status: dict[str, Any] = {
            "beat": datetime.now(UTC).isoformat(),
            "listener": "listen" if self._rows.listening and self._triggered else "polling",
            "lag_seconds": round(time.monotonic() - self._caught_up_at, 3) if behind else 0.0,
            "reconnects": self._rows.reconnects,
            "trouble": self._trouble,
            "workers": self._duty.workers,
        }
        if stand is None:
            return status
        return status | {
            "held": len(stand.admission.held_ids()),
            "gaps": len(stand.gaps),
            "coins_in_memory": len(stand.rings),
            "models": len(stand.models.models),
        }

    def _measure(self, status: Mapping[str, Any]) -> None:
        metrics.LISTENING.set(status["listener"] == "listen")
        metrics.LAG.set(status["lag_seconds"])
        metrics.RECONNECTS.inc(self._rows.reconnects - self._reconnects)
        self._reconnects = self._rows.reconnects

    async def _report(self) -> None:
        while True:
            status = self._status()
            self._measure(status)
            try:
                await positions.report(self._pool, self._owner, status)
            except (*ConnectionLost, PostgresError) as error:
                log.warning("state cannot be reported", error=type(error).__name__)
            await asyncio.sleep(REPORT_SECONDS)


async def _first(*waiting: Any) -> None:
    tasks = [asyncio.ensure_future(item) for item in waiting]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


async def work(settings: PredictionSettings, stop: asyncio.Event) -> None:
    """Run the worker on the database of the settings."""
    check_feeds(settings.feeds)
    with database(settings) as dsn:
        missing = await asyncio.to_thread(pending, dsn)
        if missing:
            raise Unavailable(f"the database lacks {len(missing)} migrations: run `pumpcast migrate`")
        session = {
            # A worker that freezes inside a transaction must not block its successor.
            "idle_in_transaction_session_timeout": f"{SILENT_SECONDS}s",
            # A crash of the server may take the last moment of commits away: answers together with the position, so
            # that they are given again.
            "synchronous_commit": "off",
        }
        pool = await open_pool(dsn, application=APPLICATION, min_size=2, session=session, cleans=False)
        WORKER_POOL.pool = pool
        try:
            await webhooks.sync_builtin(pool, settings)
            async with (
                TrainingClient(
                    settings.training_service_api_url, api_key=settings.training_service_api_key
                ) as training,
                Wakeup(dsn, "coin_metrics_insert") as rows,
                Wakeup(dsn, "prediction_models_changed") as models,
            ):
                await Worker(pool, training, settings, rows=rows, models=models).run(dsn, stop)
        finally:
            await pool.close()


def main() -> None:
    """Start the prediction worker."""
    settings = read_settings_or_exit(PredictionSettings)
    run_worker(
        lambda stop: work(settings, stop),
        settings=settings,
        service="prediction-worker",
        metrics_port=settings.prediction_metrics_port,
    )


if __name__ == "__main__":
    main()
