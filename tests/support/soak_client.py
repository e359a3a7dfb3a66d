"""The client of a soak: every request with its route, its answer and its time."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import orjson

ANSWER_SECONDS: Final = 60.0
# Shorter than the server keeps an idle connection: it is the client that lets go of it.
KEEP_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request and what came of it."""

    service: str
    route: str
    began: float
    """Monotonic seconds, as the next."""
    ended: float
    status: int
    """0: no answer."""
    detail: str
    """What went wrong."""

    @property
    def program(self) -> str:
        return f"{self.service}-api"


@dataclass(slots=True)
class Client:
    """Asks both APIs and keeps count."""

    session: aiohttp.ClientSession
    urls: dict[str, str]
    asked: list[Asked] = field(default_factory=list)

    async def ask(
        self, service: str, method: str, path: str, body: Any = None, *, route: str = "", **query: Any
    ) -> tuple[int, Any]:
        """Ask, and give status and answer: None when it is no JSON, status 0 when there was none."""
        status, detail, found = 0, "", None
        began = time.monotonic()
        try:
            url = f"{self.urls[service]}{path}"
            async with self.session.request(method, url, json=body, params=query or None) as answer:
                content = await answer.read()
            status = answer.status
            if content and answer.content_type.endswith("json"):
                found = orjson.loads(content)
            if status >= 400:
                told = found if isinstance(found, dict) else {}
                detail = str(told.get("detail") or content[:200].decode(errors="replace"))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            detail = f"{type(error).__name__}: {error}"
        self.asked.append(
            Asked(
                service=service, route=f"{method} {route or path}", began=began, ended=time.monotonic(),
                status=status, detail=detail,
            )
        )  # fmt: skip
        return status, found

    async def insist(self, service: str, method: str, path: str, body: Any = None) -> Any:
        """Ask until it is done; for what must be there before the rest begins."""
        status, found = await self.ask(service, method, path, body)
        assert 200 <= status < 300, f"{method} {path} answers {status}: {self.asked[-1].detail}"
        return found


def session() -> aiohttp.ClientSession:
    """Give a session that never sends a request a second time by itself."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_SECONDS)
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    return aiohttp.ClientSession(
        connector=connector, timeout=timeout, json_serialize=lambda o: orjson.dumps(o).decode()
    )


async def pause(over: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until it is over."""
    try:
        await asyncio.wait_for(over.wait(), seconds)
    except TimeoutError:
        return
