"""What the demo asks of the two APIs."""

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp

from shared.errors import PumpcastError

LOOK_SECONDS = 0.5


class Services:
    """A session with both APIs."""

    def __init__(self, session: aiohttp.ClientSession, *, training: str, prediction: str) -> None:
        self._session = session
        self._training = training
        self._prediction = prediction

    async def train(self, requests: list[dict[str, Any]], on_progress: Callable[[str, float], None]) -> list[int]:
        """Train models and give their ids; a job that fails is the end of the story."""
        jobs = [(await self._ask("POST", f"{self._training}/models/create", request))["job_id"] for request in requests]
        while True:
            seen = [await self._ask("GET", f"{self._training}/queue/{job}") for job in jobs]
            for job in seen:
                if job["status"] in ("FAILED", "CANCELLED"):
                    raise PumpcastError(f"training {job['model_name']} ended as {job['status']}: {job['error_msg']}")
            told = "; ".join(f"{job['model_name']}: {job['progress_msg'] or job['status'].lower()}" for job in seen)
            on_progress(told, sum(job["progress"] for job in seen) / len(seen))
            if all(job["status"] == "COMPLETED" for job in seen):
                return [job["result_model_id"] for job in seen]
            await asyncio.sleep(LOOK_SECONDS)

    async def model(self, model_id: int) -> dict[str, Any]:
        """Give a model's metadata."""
        found: dict[str, Any] = await self._ask("GET", f"{self._training}/models/{model_id}")
        return found

    async def bring(self, model_id: int) -> int:
        """Import a model and give its active id."""
        imported = await self._ask("POST", f"{self._prediction}/models/import", {"model_id": model_id})
        return int(imported["active_model_id"])

    async def add_webhook(self, url: str) -> str:
        """Set up an endpoint and give its secret."""
        return str((await self._ask("POST", f"{self._prediction}/webhooks", {"url": url}))["secret"])

    async def listening(self) -> bool:
        """Tell whether the live worker is notified of new rows."""
        health = await self._ask("GET", f"{self._prediction}/health")
        return bool(health["listener"] == "listen")

    async def _ask(self, method: str, url: str, body: dict[str, Any] | None = None) -> Any:
        async with self._session.request(method, url, json=body) as answer:
            found = await answer.json(content_type=None)
            if answer.status >= 400:
                raise PumpcastError(f"{method} {url} answers {answer.status}: {found.get('detail')}")
            return found
