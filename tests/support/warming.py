"""Packages that were uploaded, and markets to warm them up on."""

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil

from prediction_service.runtime.packages.candles import Candles
from prediction_service.store import candles, packages
from prediction_service.store.packages import NewPackage
from shared.coin_metrics.read import moment
from shared.db import Pool, transaction
from tests.support.package_files import PackageFiles, random_candles, tiny_package
from tests.support.serving import Api

QUARTER = timedelta(minutes=15)


async def add_package(
    pool: Pool,
    folder: Path,
    package_id: str = "tiny",
    *,
    files: PackageFiles | None = None,
    checked: bool = True,
    **market: Any,
) -> Path:
    """Write a package as an upload does, or as its check leaves it."""
    from prediction_service.runtime.packages.infer import complete_manifest
    from prediction_service.runtime.packages.policy_file import read_policy_zip
    from prediction_service.runtime.packages.pt_file import read_pt

    files = files or tiny_package()
    place = files.write(folder / package_id)
    manifest = {**files.manifest, "market": {**files.manifest["market"], **market}}
    if checked:
        pair = read_pt(place / "forecast_model.pt"), read_policy_zip(place / "ppo_policy.zip")
        manifest = complete_manifest(manifest, *pair).model_dump(mode="json")
    new = NewPackage(
        id=package_id, name=f"package {package_id}", forecast_rel_path=f"{package_id}/forecast_model.pt",
        ppo_rel_path=f"{package_id}/ppo_policy.zip", forecast_sha256=hashlib.sha256(files.forecast).hexdigest(),
        ppo_sha256=hashlib.sha256(files.ppo).hexdigest(), forecast_bytes=len(files.forecast), ppo_bytes=len(files.ppo),
        manifest=manifest, uploaded_by="local", is_validated=checked,
    )  # fmt: skip
    async with transaction(pool) as connection:
        await packages.insert(connection, new)
        await packages.announce(connection)
    return place


def market(bars: int = 1500, *, seed: int = 7, ends: datetime | None = None) -> Candles:
    """Give candles whose newest has just closed, or closed at a moment."""
    last = int((ends or datetime.now(UTC)).timestamp()) // 900 * 900
    return random_candles(bars, seed=seed, start=last - 900 * bars)


def bars_of(rows: Candles, symbol: str = "BTCUSDT") -> list[candles.Bar]:
    """Give candles as the table has them."""
    columns = zip(rows.open, rows.high, rows.low, rows.close, rows.volume, strict=True)
    return [
        candles.Bar(
            symbol=symbol, interval="15m", open_time=moment(int(time)), open=float(o), high=float(h), low=float(low),
            close=float(c), volume=float(v),
        )
        for time, (o, h, low, c, v) in zip(rows.open_time, columns, strict=True)
    ]  # fmt: skip


async def put(pool: Pool, bars: Sequence[candles.Bar]) -> None:
    """Store candles and tell those who wait for some."""
    async with transaction(pool) as connection:
        await candles.put(connection, bars)
        await candles.announce(connection)


async def ask(api: Api, package_id: str = "tiny", **wanted: str) -> tuple[int, Any]:
    """Ask for a signal."""
    return await api.get(f"/api/paper/ml-signal/{package_id}", params=wanted)


async def state(pool: Pool, package_id: str = "tiny") -> tuple[str, str, str | None, bool]:
    """Give status, state and words of the warm-up, and whether a time of completion is set."""
    row = await packages.get(pool, package_id)
    assert row is not None
    return row.status, row.warmup_status, row.warmup_error, row.warmup_completed_at is not None


def child_of(process: int) -> psutil.Process | None:
    """Give the process of packages that a worker has started."""
    found = [one for one in psutil.Process(process).children() if "prediction_service.child" in one.cmdline()]
    assert len(found) < 2
    return found[0] if found else None


async def ended(process: psutil.Process) -> None:
    """Wait until a process is gone."""
    await asyncio.to_thread(psutil.wait_procs, [process], 20)
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
