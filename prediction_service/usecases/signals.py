"""What a package says about a market now. The first question warms it up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from prediction_service.runtime.packages.account import account_features
from prediction_service.runtime.packages.candles import Candles
from prediction_service.runtime.packages.instance import Answer, Instance
from prediction_service.runtime.packages.instances import Instances, Origin
from prediction_service.store.package_work import active_ids
from prediction_service.store.packages import Package
from prediction_service.usecases.candles import reached, without_trades, written
from prediction_service.usecases.package_market import View, candles, view
from prediction_service.usecases.packages import get_package
from prediction_service.usecases.paper_state import account_state
from prediction_service.usecases.warm_up import key_of, origin_of, scaler_words, warm_up
from shared.coin_metrics.read import moment
from shared.contracts.signals import ForecastValues, PackageSignal, ScalerDiagnostics, SignalDiagnostics, SignalFilter
from shared.db import Executor, Pool
from shared.errors import Conflict, PackageInvalid

PATIENCE_SECONDS = 20.0
LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A package, the market it was asked about, and what it said."""

    package: Package
    wanted: View
    rows: Candles
    answer: Answer
    scaler: dict[str, Any]

    @property
    def closed_at(self) -> datetime:
        """Give the moment of the signal."""
        return moment(int(self.rows.close_time[-1]))


async def get_signal(
    pool: Pool, instances: Instances, folder: Path, model_id: str, wanted: SignalFilter
) -> PackageSignal:
    """Ask a package, warmed up first where it is not."""
    package = await get_package(pool, model_id)
    refuse_unusable(package, instances)
    asked = view(package, symbol=wanted.symbol, at=wanted.at, source=wanted.source)
    if package.id not in instances.ids:
        # Those that were deleted elsewhere make room first.
        instances.keep(await active_ids(pool))
    package = await _warm(pool, instances, folder, package, asked)
    rows = await candles(pool, asked)
    latest = await reached(pool, asked.source)
    async with held(instances, folder, package) as instance:
        return shown(await ask(pool, instance, package, asked, rows), latest)


def refuse_unusable(package: Package, instances: Instances) -> None:
    """Refuse what cannot answer, with the reason and the way out."""
    retry = f"POST /model-packages/{package.id}/warmup tries again"
    if package.status == "ARCHIVED":
        instances.forget(package.id)
        raise Conflict(f"Package {package.id} is archived: POST /model-packages/{package.id}/restore brings it back")
    if package.warmup_status == "FAILED":
        what = "warm-up failed" if package.status == "READY" else "files were refused"
        raise Conflict(f"Package {package.id} cannot answer, its {what}: {package.warmup_error}; {retry}")
    if package.status == "UPLOADED":
        raise Conflict(
            f"The files of package {package.id} wait to be checked by the prediction worker, which takes seconds: ask "
            "again, and make sure that prediction-worker runs"
        )


@asynccontextmanager
async def held(instances: Instances, folder: Path, package: Package) -> AsyncIterator[Instance]:
    """Give a loaded package for one use; one that cannot be loaded or has no answer is a `Conflict`."""

    async def find() -> Origin:
        return origin_of(package, folder)

    try:
        async with instances.held(key_of(package), find) as instance:
            yield instance
    except PackageInvalid as error:
        raise Conflict(f"Package {package.id} has no answer: {error.message}") from error


async def ask(executor: Executor, instance: Instance, package: Package, wanted: View, rows: Candles) -> Asked:
    """Ask a loaded package with the state its account would have at these candles."""
    state = await account_state(
        executor, package.id, symbol=wanted.symbol, price=float(rows.close[-1]), at=moment(int(rows.close_time[-1]))
    )
    answer = await asyncio.to_thread(instance.answer, rows, account_features(state))
    return Asked(
        package=package, wanted=wanted, rows=rows, answer=answer,
        scaler=scaler_words(answer.scaled_from_warmup, instance.manifest),
    )  # fmt: skip


async def _warm(pool: Pool, instances: Instances, folder: Path, package: Package, wanted: View) -> Package:
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while package.warmup_status != "DONE":
        if asyncio.get_running_loop().time() > deadline:
            raise Conflict(f"Package {package.id} is being warmed up by another process: ask again in a moment")
        if instances.warming.locked():
            # Nobody waits for a turn that could not be used.
            await candles(pool, wanted)
        async with _turn(instances, package, deadline):
            # Another question may have done it meanwhile.
            package = await get_package(pool, package.id)
            is_done = package.warmup_status == "DONE" or await warm_up(pool, instances, folder, package.id, wanted)
        if not is_done:
            await asyncio.sleep(LOOK_SECONDS)
        package = await get_package(pool, package.id)
        refuse_unusable(package, instances)
    return package


@asynccontextmanager
async def _turn(instances: Instances, package: Package, deadline: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout_at(deadline):
            await instances.warming.acquire()
    except TimeoutError:
        raise Conflict(f"Package {package.id} waits until others are warmed up: ask again in a moment") from None
    try:
        yield
    finally:
        instances.warming.release()


def shown(asked: Asked, latest: datetime) -> PackageSignal:
    """Give an answer as it is sent; candles may have closed up to `latest`."""
    answer, decision = asked.answer, asked.answer.decision
    return PackageSignal(
        model_id=asked.package.id,
        symbol=asked.wanted.symbol,
        signal=decision.signal,
        confidence=decision.confidence,
        sentiment=decision.sentiment,
        current_price=answer.price,
        action_raw=answer.action_raw.tolist(),
        forecast_values=_forecast(asked),
        diagnostics=_diagnostics(asked, latest),
    )


def _forecast(asked: Asked) -> ForecastValues:
    steps = np.arange(1, len(asked.answer.curves) + 1) * asked.wanted.interval_seconds
    closed_at = asked.closed_at
    curves, prices = asked.answer.curves.T.tolist(), asked.answer.price_path.T.tolist()
    return ForecastValues(
        times=[closed_at + timedelta(seconds=seconds) for seconds in steps.tolist()],
        lower=curves[0], median=curves[1], upper=curves[2],
        lower_price=prices[0], median_price=prices[1], upper_price=prices[2],
    )  # fmt: skip


def _diagnostics(asked: Asked, latest: datetime) -> SignalDiagnostics:
    package, wanted, answer = asked.package, asked.wanted, asked.answer
    age = max((min(wanted.at or latest, latest) - asked.closed_at).total_seconds(), 0.0)
    forecast, policy = package.manifest["forecast"], package.manifest["policy"]
    return SignalDiagnostics(
        lookback_rows_used=answer.lookback_rows_used,
        warmup_ready=True,
        warmup_status=package.warmup_status,
        feature_dim=answer.feature_dim,
        scaler=ScalerDiagnostics.model_validate(asked.scaler),
        probe=package.warmup_diagnostics.get("probe"),
        package_id=package.id,
        package_name=package.name,
        forecast_arch=forecast["arch"],
        policy_algorithm=policy["algorithm"],
        forecast_sha256=package.forecast_sha256 or "",
        ppo_sha256=package.ppo_sha256 or "",
        symbol=wanted.symbol,
        source=wanted.source,
        interval_seconds=wanted.interval_seconds,
        candles_used=len(asked.rows),
        candles_without_trades=without_trades(asked.rows) if wanted.source == "coin_metrics" else 0,
        candle_close_time=asked.closed_at,
        age_seconds=round(age, 3),
        age=_age_words(age, wanted, asked.closed_at),
    )


def _age_words(age: float, wanted: View, closed_at: datetime) -> str | None:
    """Say that candles lack between the newest one and the moment that was asked about."""
    missing = int(age // wanted.interval_seconds)
    if missing == 0:
        return None
    return f"the newest candle closed at {written(closed_at)}; {missing} that closed since have not arrived"
