"""The load of a soak: readers of every list and figure, an operator who changes things, jobs that never end."""

import asyncio
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pumpcast.market.candles import SYMBOL as CANDLES_OF
from tests.support.soak_client import Client, pause
from tests.support.soak_rows import COINS, Market
from tests.support.training import MINUTES, body

READ_PAUSE_SECONDS: Final = (0.1, 0.5)
CANCELLED_SHARE: Final = 0.01
"""Of the looks at a full queue, so many end in a cancelled job."""
CHANGE_PAUSE_SECONDS: Final = (0.2, 1.0)
TRAIN_MINUTES: Final = 90
PACKAGE: Final = "ppo_v1"
SYMBOL: Final = "SOAKUSDT"
ENDED: Final = frozenset({"COMPLETED", "FAILED", "CANCELLED"})
_T, _P = "training", "prediction"
READS: Final = (
    (_T, "/models"), (_T, "/models/{model}"), (_T, "/models/{model}/card"), (_T, "/models/{model}/download"),
    (_T, "/queue"), (_T, "/queue/{job}"), (_T, "/queue/{job}/log"), (_T, "/test-results"), (_T, "/comparisons"),
    (_T, "/features"), (_T, "/phases"), (_T, "/model-types"), (_T, "/data-availability"), (_T, "/health"),
    (_T, "/metrics"), (_T, "/configuration"),
    (_P, "/models/available"), (_P, "/models/active"), (_P, "/models/{active}"), (_P, "/models/{active}/statistics"),
    (_P, "/promotions"), (_P, "/predictions"), (_P, "/predictions?is_alert=true&limit=100"),
    (_P, "/predictions?active_model_id={active}&limit=1000"), (_P, "/predictions?coin_id={coin}"),
    (_P, "/predictions/latest/{coin}"), (_P, "/coins/{coin}/history"), (_P, "/stats"), (_P, "/webhooks"),
    (_P, "/webhook-deliveries"), (_P, "/webhook-deliveries?status=delivered"), (_P, "/model-packages"),
    (_P, "/model-packages/{package}"), (_P, "/candles?symbol={symbol}"), (_P, "/candles/coverage?symbol={symbol}"),
    (_P, "/candles/symbols"), (_P, "/paper/account/{package}"), (_P, "/paper/account/{package}/performance"),
    (_P, "/paper/positions/{package}"), (_P, "/paper/dashboard/{package}"), (_P, "/paper/equity/{package}"),
    (_P, "/health"), (_P, "/metrics"), (_P, "/configuration"),
)  # fmt: skip

SIGNALS: Final = ((_P, f"/paper/ml-signal/{{package}}?symbol={CANDLES_OF}"),)


@dataclass(slots=True, kw_only=True)
class Load:
    """Everybody who uses the stack."""

    client: Client
    market: Market
    dice: random.Random
    models: list[int]
    """Trained first and imported: they stay."""
    steady: list[int]
    """Their active ids."""
    readers: int
    with_packages: bool
    """Whether packages are asked for signals, too."""
    open_jobs: int
    """So many wait or run at a time."""
    endpoint: int = 0
    """The good receiver's."""
    accepted: dict[int, str] = field(default_factory=dict)
    """Jobs that were answered with a 201, and what they are."""
    started: int = 0

    async def run(self, over: asyncio.Event) -> None:
        """Use everything until it is over."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self.readers):
                group.create_task(self._read(over))
            for work in (self._predict, self._change_models, self._send_again, self._trade, self._have_jobs_done):
                group.create_task(self._again(work, over))

    async def _read(self, over: asyncio.Event) -> None:
        while not over.is_set():
            service, path = self.dice.choice((*READS, *SIGNALS) if self.with_packages else READS)
            await self.client.ask(service, "GET", self._filled(path), route=path)
            await pause(over, self.dice.uniform(*READ_PAUSE_SECONDS))

    async def _again(self, work: Any, over: asyncio.Event) -> None:
        while not over.is_set():
            await work(over)
            await pause(over, self.dice.uniform(*CHANGE_PAUSE_SECONDS))

    def _filled(self, path: str) -> str:
        return path.format(
            model=self.dice.choice(self.models), active=self.dice.choice(self.steady), coin=self._coin(),
            job=self.dice.choice(list(self.accepted)), package=PACKAGE, symbol=SYMBOL,
        )  # fmt: skip

    def _coin(self) -> str:
        return f"coin{self.dice.randrange(COINS):03d}"

    async def _predict(self, _: asyncio.Event) -> None:
        await self.client.ask(_P, "POST", "/predict", {"coin_id": self._coin()})
        found = (await self.client.ask(_P, "GET", "/predictions?limit=1"))[1]
        if found and found.get("predictions"):
            path = f"/predictions/{found['predictions'][0]['id']}"
            await self.client.ask(_P, "GET", path, route="/predictions/{id}")

    async def _change_models(self, over: asyncio.Event) -> None:
        """Bring a model here, change it, let it rest, wake it, and delete it."""
        found = (await self.client.ask(_P, "GET", "/models/available"))[1]
        left = [one for one in (found or {}).get("models", ()) if one["id"] not in self.models]
        if not left:
            return
        model = self.dice.choice(left)["id"]
        active = ((await self.client.ask(_P, "POST", "/models/import", {"model_id": model}))[1] or {}).get(
            "active_model_id"
        )
        if active is None:
            return
        await pause(over, 1)
        settings = {"alert_threshold": round(self.dice.random(), 3), "send_modes": ["alerts_only", "positive_only"]}
        for method, verb, sent in (
            ("PATCH", "settings", settings), ("PATCH", "rename", {"name": f"shadow of {model}"}),
            ("GET", "challenge", None), ("POST", "deactivate", None), ("POST", "activate", None),
        ):  # fmt: skip
            await self.client.ask(_P, method, f"/models/{active}/{verb}", sent, route=f"/models/{{active}}/{verb}")
            await pause(over, 0.3)
        await self.client.ask(_P, "DELETE", f"/models/{active}", route="/models/{active}")
        await self.client.ask(_T, "PATCH", f"/models/{model}", {"description": "served"}, route="/models/{model}")
        await self.client.ask(_T, "DELETE", f"/models/{model}", route="/models/{model}")

    async def _send_again(self, over: asyncio.Event) -> None:
        await pause(over, 2)
        found = (await self.client.ask(_P, "GET", "/webhook-deliveries?status=expired&limit=1"))[1]
        for one in (found or {}).get("deliveries", ()):
            path = f"/webhook-deliveries/{one['id']}"
            await self.client.ask(_P, "GET", path, route="/webhook-deliveries/{id}")
            await self.client.ask(_P, "POST", f"{path}/resend", route="/webhook-deliveries/{id}/resend")
        path = f"/webhooks/{self.endpoint}"
        await self.client.ask(_P, "GET", path, route="/webhooks/{id}")
        await self.client.ask(_P, "PATCH", path, {"max_concurrency": self.dice.randint(4, 16)}, route="/webhooks/{id}")

    async def _trade(self, _: asyncio.Event) -> None:
        price = round(100 * (1 + self.dice.uniform(-0.02, 0.02)), 4)
        told: dict[str, Any] = {"model_id": PACKAGE, "symbol": SYMBOL}
        side = self.dice.choice(["LONG", "SHORT"])
        at = datetime.now(UTC).replace(second=0, microsecond=0)
        candle = {"open_time": at - timedelta(minutes=at.minute % 15 + 15), "open": price, "close": price, "volume": 1}
        candle |= {"high": price * 1.01, "low": price * 0.99, "symbol": SYMBOL, "interval": "15m"}
        await self.client.ask(_P, "POST", "/candles", {"candles": [candle]})
        await self.client.ask(_P, "POST", "/paper/price-update", {"symbol": SYMBOL, "price": price})
        found = (await self.client.ask(_P, "POST", "/paper/position/open", {**told, "side": side, "price": price}))[1]
        signal = {**told, "signal": side, "confidence": 80, "current_price": price}
        await self.client.ask(_P, "POST", "/paper/signal", signal)
        if found and "id" in found and self.dice.random() < 0.7:
            path = f"/paper/position/{found['id']}/close"
            await self.client.ask(_P, "POST", path, {"price": price * 1.001}, route="/paper/position/{id}/close")

    async def _have_jobs_done(self, _: asyncio.Event) -> None:
        found = (await self.client.ask(_T, "GET", "/queue?limit=50"))[1]
        running = [one for one in (found or {}).get("jobs", ()) if one["status"] not in ENDED]
        if found is None or len(running) >= self.open_jobs:
            if running and self.dice.random() < CANCELLED_SHARE:
                path = f"/queue/{self.dice.choice(running)['id']}/cancel"
                await self.client.ask(_T, "POST", path, route="/queue/{job}/cancel")
            return
        kinds = {"train": 6, "tune": 1, "test": 3, "compare": len(self.models) - 1}
        kind = self.dice.choices(list(kinds), list(kinds.values()))[0]
        await self.job(kind)

    async def job(self, kind: str) -> int | None:
        """Ask for a job; its id when it was accepted."""
        self.started += 1
        path, sent = self._request(kind, self.started)
        route = "/models/{model}/test" if kind == "test" else path
        status, found = await self.client.ask(_T, "POST", path, sent, route=route)
        if status != 201:
            return None
        self.accepted[found["job_id"]] = kind
        return int(found["job_id"])

    def _request(self, kind: str, number: int) -> tuple[str, dict[str, Any]]:
        start = self.market.start
        window = {
            "test_start": (start + timedelta(minutes=TRAIN_MINUTES + 10, seconds=number)).isoformat(),
            "test_end": (start + timedelta(minutes=MINUTES - 5)).isoformat(),
        }
        if kind == "test":
            return f"/models/{self.models[0]}/test", window
        if kind == "compare":
            return "/models/compare", {"model_ids": self.models[:2], **window}
        wanted = train_request(start, number, model_type=self.dice.choice(["xgboost", "random_forest"]))
        if kind == "tune":
            return "/models/tune", {**wanted, "trials": 3}
        return "/models/create", wanted


def train_request(start: datetime, number: int, **changes: Any) -> dict[str, Any]:
    """Give a request for another model than all others."""
    return body(
        name=f"soak {number}", random_state=number, train_start=start.isoformat(),
        train_end=(start + timedelta(minutes=TRAIN_MINUTES)).isoformat(), future_minutes=1, **changes,
    )  # fmt: skip
