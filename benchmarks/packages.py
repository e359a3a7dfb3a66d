"""What packages cost the prediction API before the first is used, and how fast their signals are then."""

import asyncio
import io
import json
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import psutil

from benchmarks.market import fresh_database
from benchmarks.programs import free_port, installed, running
from benchmarks.stopwatch import ROOT
from pumpcast.market.candles import simulate_candles

SYMBOL = "SIMUSDT"
BARS = 1500
REQUESTS = 300
LARGE_REQUESTS = 30
PATIENCE_SECONDS = 120.0
P95_GOAL_MS = 50
_LIBRARIES = ("torch", "talib", "gymnasium", "stable_baselines3")
_IMPORTED = """
import json, sys, time
started = time.perf_counter()
import prediction_service.app
print(json.dumps({"seconds": time.perf_counter() - started, "loaded": [n for n in %r if n in sys.modules]}))
"""

Tell = Callable[[str], None]
Files = tuple[bytes, int, dict[str, Any]]
"""A forecaster's file, its parameters, and a manifest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How long warm signals took over HTTP, in milliseconds."""

    parameters: int
    """Of the forecaster."""
    first: float
    """The first one, which loads libraries and package and warms it up."""
    requests: int
    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All that was measured."""

    import_seconds: float
    """Of the API's modules."""
    before_megabytes: float
    """Resident memory of the API that has answered requests, before the first package is used."""
    after_megabytes: float
    """With the small packages loaded."""
    small: Latency
    standard: Latency
    large: Latency
    large_megabytes: float
    """Resident memory with the large one loaded too."""


def measure(tell: Tell) -> Figures:
    """Run an API on a server of its own."""
    imported = json.loads(subprocess.run(
        [sys.executable, "-c", _IMPORTED % (_LIBRARIES,)], stdout=subprocess.PIPE, check=True, cwd=ROOT
    ).stdout)  # fmt: skip
    if imported["loaded"]:
        raise RuntimeError(f"the API loads {imported['loaded']} at its start")
    with fresh_database() as (home, dsn):
        return asyncio.run(_measure(home, dsn, imported["seconds"], tell))


async def _measure(home: Path, dsn: str, import_seconds: float, tell: Tell) -> Figures:
    port = free_port()
    with running(
        installed("prediction-api"), cwd=home, PREDICTION_API_PORT=str(port), DB_DSN=dsn, PUMPCAST_HOME=str(home)
    ) as process:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            await _until_answers(session)
            await _send_candles(session)
            await asyncio.sleep(1)
            memory = psutil.Process(process.pid).memory_info
            before = memory().rss / 1e6
            tell("packages: small ones")
            small = await _latency(session, "small", lambda: _trainable("tiny"), REQUESTS)
            standard = await _latency(session, "standard", lambda: _trainable("standard"), REQUESTS)
            after = memory().rss / 1e6
            tell("packages: a large one")
            large = await _latency(session, "large", _bare, LARGE_REQUESTS)
            return Figures(
                import_seconds=import_seconds, before_megabytes=before, after_megabytes=after, small=small,
                standard=standard, large=large, large_megabytes=memory().rss / 1e6,
            )  # fmt: skip


async def _until_answers(session: aiohttp.ClientSession) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            async with session.get("/health/live") as answer:
                if answer.status == 200:
                    return
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(0.1)
    raise RuntimeError("the API does not answer")


async def _send_candles(session: aiohttp.ClientSession) -> None:
    now = int(datetime.now(UTC).timestamp())
    start = datetime.fromtimestamp(now - now % 900, UTC) - timedelta(seconds=900 * BARS)
    table = simulate_candles(1, start, BARS, symbol=SYMBOL)
    candles = [{**row, "open_time": row["open_time"].isoformat()} for row in table.to_pylist()]
    async with session.post("/candles", json={"candles": candles}) as answer:
        if not answer.ok:
            raise RuntimeError(f"candles are refused: {await answer.text()}")


async def _latency(session: aiohttp.ClientSession, name: str, make: Callable[[], Files], requests: int) -> Latency:
    # In a thread, so that it is noticed when the API closes a connection meanwhile.
    forecast, parameters, manifest = await asyncio.to_thread(make)
    form = aiohttp.FormData()
    form.add_field("name", name)
    form.add_field("forecast_model", forecast, filename="forecast_model.pt")
    form.add_field("ppo_model", _policy(), filename="ppo_policy.zip")
    form.add_field("manifest", json.dumps(manifest).encode(), filename="manifest.json")
    async with session.post("/model-packages/upload?strict=true", data=form) as answer:
        if not answer.ok:
            raise RuntimeError(f"{name} is refused: {await answer.text()}")
    first = await _ask(session, name)
    taken = [await _ask(session, name) for _ in range(requests)]
    p50, p95, p99 = np.percentile(taken, (50, 95, 99)).tolist()
    return Latency(parameters=parameters, first=first, requests=requests, p50=p50, p95=p95, p99=p99)


async def _ask(session: aiohttp.ClientSession, name: str) -> float:
    started = time.perf_counter()
    async with session.get(f"/paper/ml-signal/{name}") as answer:
        body = await answer.read()
        if not answer.ok:
            raise RuntimeError(f"{name} gives no signal: {body.decode()}")
    return (time.perf_counter() - started) * 1000


def _trainable(size: str) -> Files:
    """Give a forecaster as the trainer makes it, with weights as they begin."""
    import torch

    from prediction_service.runtime.packages.forecaster import build_forecaster
    from pumpcast.packages.recipes import RECIPES

    recipe = RECIPES[size]
    forecast = recipe.forecast(dict.fromkeys(recipe.channels, (0.0, 1.0)))
    torch.manual_seed(1)
    network = build_forecaster(forecast, recipe.config())
    content = {"format": "patchtst/1", "config": recipe.config(), "state_dict": network.state_dict()}
    return _saved(content), _count(network), _manifest(forecast.model_dump(mode="json"))


def _bare() -> Files:
    """Give one in the layout of bare state_dicts at its full size: 28 channels of 512 candles."""
    import torch

    from prediction_service.runtime.packages.bare import BarePatchTst
    from prediction_service.runtime.packages.bare_sizes import BareSizes

    torch.manual_seed(1)
    sizes = BareSizes(
        channels=28, patches=63, patch_length=16, d_model=128, ffn_dim=512, layers=3, hidden=512, columns=576
    )
    network = BarePatchTst(sizes)
    return _saved(network.state_dict()), _count(network), _manifest({})


def _count(network: Any) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _manifest(forecast: dict[str, Any]) -> dict[str, Any]:
    box = {"kind": "box", "low": [-1.0] * 5, "high": [1.0] * 5}
    policy = {"net_arch": [64, 64], "activation": "tanh", "action_space": box}
    return {"market": {"symbol": SYMBOL}, "forecast": forecast, "policy": policy}


def _policy() -> bytes:
    """Give a policy zip with nothing but what is read of one."""
    import torch

    torch.manual_seed(1)
    sizes = {"action_net": (5, 64), "value_net": (1, 64)}
    for net in ("policy_net", "value_net"):
        sizes |= {f"mlp_extractor.{net}.0": (64, 72), f"mlp_extractor.{net}.2": (64, 64)}
    tensors = {f"{name}.weight": torch.randn(shape) / shape[1] ** 0.5 for name, shape in sizes.items()}
    tensors |= {f"{name}.bias": torch.zeros(shape[0]) for name, shape in sizes.items()} | {"log_std": torch.zeros(5)}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as folder:
        folder.writestr("policy.pth", _saved(tensors))
    return file.getvalue()


def _saved(content: Any) -> bytes:
    import torch

    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def describe(found: Figures) -> str:
    """Say it in words."""
    rows = [
        f"| {name} | {latency.parameters:,} | {latency.first:,.0f} | {latency.p50:.1f} | {latency.p95:.1f} |"
        f" {latency.p99:.1f} | {latency.requests} |"
        for name, latency in (
            ("smallest of the trainer", found.small), ("standard of the trainer", found.standard),
            ("bare layout at its full size", found.large),
        )
    ]  # fmt: skip
    met = "met" if max(found.small.p95, found.standard.p95) < P95_GOAL_MS else "missed"
    lines = "\n".join(rows)
    return f"""
The prediction API imports its modules in {found.import_seconds:.2f} s and holds {found.before_megabytes:.0f} MB before
the first package is used: none of {", ".join(_LIBRARIES)} is loaded until then. With both small packages loaded it
holds {found.after_megabytes:.0f} MB, most of it torch; with the large one too, {found.large_megabytes:.0f} MB.

| forecaster | parameters | first signal, ms | warm p50, ms | p95, ms | p99, ms | requests |
|---|---|---|---|---|---|---|
{lines}

Signals over HTTP, one after the other, on {BARS} candles from the database: features, forecast, action, the state of
the paper account. The first one loads libraries and package, checks its files' digests and warms it up. Networks run
on one thread. Goal: a warm p95 below {P95_GOAL_MS} ms for packages of the trainer, {met}.
"""


if __name__ == "__main__":
    print(describe(measure(lambda text: print(text, file=sys.stderr))))
