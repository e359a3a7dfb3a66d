"""Warm-ups: PENDING → RUNNING → DONE or FAILED, by one forecast and one action on real candles.

Whoever warms a package up, or validates it, holds it with a lock that ends with the session. RUNNING without a holder
was left by a crash.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import structlog

from prediction_service.runtime.packages.account import EMPTY_ACCOUNT
from prediction_service.runtime.packages.candles import Candles
from prediction_service.runtime.packages.instance import Answer, Instance, refuse_unusable
from prediction_service.runtime.packages.instances import Instances, Key, Origin
from prediction_service.store import packages
from prediction_service.store.packages import Listed, Package
from prediction_service.usecases.package_market import View, candles, market_of, no_candles, view_to_warm_up
from shared.contracts.packages import Forecast, Manifest
from shared.db import Connection, Pool
from shared.errors import PackageInvalid, PumpcastError, TooFewCandles, Unavailable
from shared.request_ids import following

log = structlog.get_logger(__name__)

MOST_CUT_OFF = 3
"""Warm-ups in a row whose process ended; a package that brings that about is tried no more."""


def key_of(package: Listed) -> Key:
    """Give the state of a package that is loaded; a manifest changes with a validation alone."""
    return Key(
        package_id=package.id,
        forecast_sha256=package.forecast_sha256 or "",
        ppo_sha256=package.ppo_sha256 or "",
        manifest=f"{package.created_at} {package.validated_at}",
    )


def origin_of(package: Package, folder: Path) -> Origin:
    """Give where a package is loaded from; `folder` is that of all packages."""
    return Origin(folder=folder / package.id, manifest=Manifest.model_validate(package.manifest))


@asynccontextmanager
async def held(pool: Pool, package_id: str) -> AsyncIterator[Connection | None]:
    """Hold a package, on a connection of its own; None when somebody else does."""
    async with pool.acquire() as connection:
        if not await packages.try_hold(connection, package_id):
            yield None
            return
        try:
            yield connection
        finally:
            await packages.let_go(connection, package_id)


async def recover(pool: Pool) -> None:
    """Let packages wait again whose warm-up was cut off by a crash, unless that happens to them each time."""
    for package in await packages.running(pool):
        async with held(pool, package.id) as connection:
            if connection is not None:
                await _count_cut_off(connection, package)


async def _count_cut_off(connection: Connection, package: Listed) -> None:
    reason = (
        f"the process that warmed it up ended before that was done, {MOST_CUT_OFF} times in a row; it may need more "
        "memory than this machine has, the log says more"
    )
    if await packages.cut_off(connection, package, most=MOST_CUT_OFF, reason=reason):
        log.warning("warm-up was cut off", package_id=package.id)


async def warm_up(pool: Pool, instances: Instances, folder: Path, package_id: str, wanted: View | None = None) -> bool:
    """Warm a validated package up that waits for it; False when somebody else is doing so.

    `wanted` is the market of a request, otherwise one is chosen. Too few candles are raised, and those of its own
    market written down as what it waits for; whatever else is wrong ends it as FAILED.
    """
    async with held(pool, package_id) as connection:
        if connection is None:
            return False
        package = await packages.get(connection, package_id)
        if package is not None and package.warmup_status == "RUNNING":
            # Whoever did that held it no longer.
            await _count_cut_off(connection, package)
            package = await packages.get(connection, package_id)
        if package is None or package.status != "READY" or package.warmup_status != "PENDING":
            return True
        try:
            rows, chosen = await _candles(connection, package, wanted)
        except TooFewCandles as error:
            # What it waits for is its own market, whatever a reader asks about.
            if wanted is None or wanted == await view_to_warm_up(connection, package):
                await packages.wait_with(connection, package, error.message)
            raise
        claimed = await packages.claim_warmup(connection, package)
        if claimed is not None:
            with following(claimed.request_id):
                await _run(connection, instances, folder, claimed, rows, chosen)
    return True


async def _candles(connection: Connection, package: Package, wanted: View | None) -> tuple[Candles, View]:
    chosen = wanted or await view_to_warm_up(connection, package)
    if chosen is None:
        raise no_candles(market_of(package))
    rows = await candles(connection, chosen)
    # Before anything is loaded: the candles are to blame, not the package. Loading tells of a missing library.
    with suppress(ModuleNotFoundError):
        forecast = Forecast.model_validate(package.manifest["forecast"])
        await asyncio.to_thread(refuse_unusable, rows, forecast)
    return rows, chosen


async def _run(
    connection: Connection, instances: Instances, folder: Path, package: Package, rows: Candles, chosen: View
) -> None:
    try:
        diagnostics = await _try_out(instances, folder, package, rows)
    except asyncio.CancelledError:
        # The process ends; without this the next look would take it for a crash.
        await asyncio.shield(packages.hand_back(connection, package))
        raise
    except (PackageInvalid, Unavailable) as error:
        reason = error.message
    except MemoryError:
        reason = "the memory of this machine does not suffice to load the package: free some, then retry the warm-up"
    except Exception as error:
        log.exception("warm-up crashed", package_id=package.id)
        reason = _unexpected(error)
    else:
        done = await packages.finish_warmup(
            connection, package, diagnostics | {"symbol": chosen.symbol, "source": chosen.source}
        )
        log.info("warm-up done" if done else "warm-up was overtaken by another request", package_id=package.id)
        return
    await packages.fail(connection, package, reason)
    log.warning("warm-up failed", package_id=package.id, error=reason)


def _unexpected(error: Exception) -> str:
    if isinstance(error, PumpcastError):
        return error.message
    return f"the package fails unexpectedly ({type(error).__name__}); the log says more"


async def _try_out(instances: Instances, folder: Path, package: Package, rows: Candles) -> dict[str, Any]:
    async def find() -> Origin:
        return origin_of(package, folder)

    async with instances.held(key_of(package), find, afresh=True) as instance:
        answer, probe = await asyncio.to_thread(_answer_and_probe, instance, rows)
        manifest = instance.manifest
    return {
        "lookback_rows_used": answer.lookback_rows_used,
        "warmup_ready": True,
        "warmup_status": "DONE",
        "feature_dim": answer.feature_dim,
        "scaler": scaler_words(answer.scaled_from_warmup, manifest),
        "probe": probe,
    }


def _answer_and_probe(instance: Instance, rows: Candles) -> tuple[Answer, dict[str, Any] | None]:
    answer = instance.answer(rows, EMPTY_ACCOUNT)
    probe = instance.check_probe()
    if probe is None:
        return answer, None
    if not probe.passed:
        raise PackageInvalid(
            f"the probe of the manifest is missed: the forecast differs by {probe.forecast_error:.3g}, the action by "
            f"{probe.action_error:.3g}, {probe.tolerance:g} is allowed: files and manifest are not of one training"
        )
    return answer, {"passed": probe.passed, **asdict(probe)}


def scaler_words(from_warmup: tuple[str, ...], manifest: Manifest) -> dict[str, Any]:
    """Tell where the scales of the channels came from."""
    all_of_them = len(from_warmup) == len(manifest.forecast.channels)
    source = "manifest" if not from_warmup else "warmup_rows" if all_of_them else "both"
    return {"source": source, "from_warmup_rows": list(from_warmup)}
