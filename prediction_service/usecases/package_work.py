"""What there is to do about packages, and doing it: files checked, packages warmed up, candles acted on."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from prediction_service.runtime.packages.instances import Instances
from prediction_service.settings import PredictionSettings
from prediction_service.store import package_work, packages
from prediction_service.store.package_work import Followed
from prediction_service.store.packages import Package
from prediction_service.usecases import auto_trade
from prediction_service.usecases.package_checks import validate_files
from prediction_service.usecases.package_waiting import CandleLook
from prediction_service.usecases.warm_up import held, recover, warm_up
from shared.db import Connection, ConnectionLost, Pool, PostgresError
from shared.errors import PackageInvalid, TooFewCandles, Unavailable
from shared.request_ids import following
from shared.wakeup import Wakeup

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0
CANDLES_LOOK_SECONDS = 10.0
"""So often, besides notifications, it is seen whether what waits for candles has enough."""
IDLE_SECONDS = 60.0
LEAVING_SECONDS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What can be done now."""

    check: tuple[str, ...] = ()
    """Packages whose files nobody has checked."""
    warm: tuple[str, ...] = ()
    """Packages that wait for a warm-up, and whose candles suffice; or that were left RUNNING."""
    trade: tuple[Followed, ...] = ()
    """Accounts with a candle to act on."""

    def __bool__(self) -> bool:
        """Say whether there is any."""
        return bool(self.check or self.warm or self.trade)


class Finder:
    """Looks for work. What waits for candles is told how many there are."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._candles = CandleLook(pool)
        self._looked_at_candles = -CANDLES_LOOK_SECONDS
        self._ready: frozenset[str] = frozenset()

    async def find(self, *, notified: bool) -> Work:
        """Give what can be done now."""
        if not await package_work.may_wait(self._pool):
            return Work()
        now = time.monotonic()
        if notified or not self._candles.is_complete or now - self._looked_at_candles >= CANDLES_LOOK_SECONDS:
            self._looked_at_candles = now
            await auto_trade.tell_waiting(self._pool)
            self._ready = await self._candles.look()
        waiting = await package_work.waiting(self._pool)
        pending = [package for package in waiting if package.warmup_status == "PENDING"]
        # Last what was cut off: it may end this process again.
        return Work(
            check=tuple(package.id for package in pending if package.status == "UPLOADED"),
            warm=(
                *(package.id for package in pending if package.status == "READY" and package.id in self._ready),
                *(package.id for package in waiting if package.warmup_status == "RUNNING"),
            ),
            trade=tuple(await auto_trade.due(self._pool)),
        )


async def work_on_packages(pool: Pool, settings: PredictionSettings, changes: Wakeup, stop: asyncio.Event) -> None:
    """Work until `stop`, or until there was nothing to do for a while and no account waits for the next candle."""
    worker = _Worker(pool, settings)
    busy_at, notified = time.monotonic(), True
    try:
        while not stop.is_set():
            try:
                busy = await worker.step(notified=notified)
                if time.monotonic() - busy_at > IDLE_SECONDS:
                    # To start anew for each candle would take longer than to act on it.
                    busy = busy or bool(settings.candle_feeds) or await package_work.anybody_trades(pool)
                    if not busy:
                        return
            except (*ConnectionLost, PostgresError) as error:
                log.warning("work on packages failed, trying again", error=type(error).__name__)
                busy = True
            if busy:
                busy_at = time.monotonic()
            notified = await woken(changes, stop)
    finally:
        await worker.leave()


async def woken(changes: Wakeup, stop: asyncio.Event) -> bool:
    """Wait for a change, a moment or the end; True for a change."""
    waiting = [asyncio.ensure_future(changes.wait(LOOK_SECONDS)), asyncio.ensure_future(stop.wait())]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        return waiting[0].done() and waiting[0].result()
    finally:
        for task in waiting:
            task.cancel()


class _Worker:
    """Trades at once, and prepares packages beside that, one after the other."""

    def __init__(self, pool: Pool, settings: PredictionSettings) -> None:
        self._pool = pool
        self._settings = settings
        self._folder = settings.packages_folder
        self._instances = Instances()
        self._finder = Finder(pool)
        self._preparing: asyncio.Task[None] | None = None

    async def step(self, *, notified: bool) -> bool:
        """Do what there is; True while there was anything."""
        work = await self._finder.find(notified=notified)
        if notified and self._instances.ids:
            self._instances.keep(await package_work.active_ids(self._pool))
        if self._preparing is not None and self._preparing.done():
            done, self._preparing = self._preparing, None
            done.result()
        if self._preparing is None and (work.check or work.warm):
            self._preparing = asyncio.create_task(self._prepare(work), name="prepare packages")
        # An account whose package is about to be warm waits for it.
        prepared = {*work.check, *work.warm}
        ready = [account for account in work.trade if account.package_id not in prepared]
        await auto_trade.trade(self._pool, self._instances, self._folder, ready)
        return bool(work) or self._preparing is not None

    async def leave(self) -> None:
        """End what is being prepared; what does not end soon waits for the next process."""
        if self._preparing is not None:
            self._preparing.cancel()
            await asyncio.wait([self._preparing], timeout=LEAVING_SECONDS)

    async def _prepare(self, work: Work) -> None:
        for package_id in work.check:
            with _apart(package_id):
                await check_files(self._pool, self._settings, package_id)
        await recover(self._pool)
        # What was just checked need not wait for the next look at candles.
        for package_id in (*work.check, *work.warm):
            with _apart(package_id):
                await warm_up(self._pool, self._instances, self._folder, package_id)


@contextmanager
def _apart(package_id: str) -> Iterator[None]:
    """Keep what is wrong with one package from the others."""
    try:
        yield
    except TooFewCandles as error:
        log.info("warm-up waits", package_id=package_id, reason=error.message)
    except ConnectionLost:
        raise
    except Exception:
        log.exception("work on a package failed", package_id=package_id)


async def check_files(pool: Pool, settings: PredictionSettings, package_id: str) -> None:
    """Check the files of a package that was uploaded, unless somebody else does."""
    async with held(pool, package_id) as connection:
        if connection is None:
            return
        package = await packages.get(connection, package_id)
        if package is None or package.status != "UPLOADED" or package.warmup_status != "PENDING":
            return
        with following(package.request_id):
            await _check(connection, settings.packages_folder, package)


async def _check(connection: Connection, folder: Path, package: Package) -> None:
    try:
        manifest = await validate_files(folder / package.id, dict(package.manifest))
    except (PackageInvalid, Unavailable) as error:
        reason = error.message
    except Exception as error:
        # One package must not keep the others from being checked.
        log.exception("check of a package failed", package_id=package.id)
        reason = f"its files cannot be checked ({type(error).__name__}); the log of prediction-worker says more"
    else:
        log.info("package is in order", package_id=package.id)
        await packages.set_validated(connection, package, manifest.model_dump(mode="json"))
        return
    log.info("package refused", package_id=package.id, reason=reason)
    await packages.fail(connection, package, reason)
