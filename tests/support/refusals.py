"""Imports that must fail beside a model that runs, is asked and streamed to; what they may not leave behind."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prediction_service.settings import PredictionSettings
from shared.db import Connection, connect
from tests.support.books import check_books
from tests.support.database import insert_rows, row
from tests.support.live import running_worker, until_live
from tests.support.predictions import stored_files
from tests.support.serving import Api
from tests.support.training_stub import TrainingStub

GOOD, BAD = 1, 2


class Refusals:
    """Imports of model 2 that must fail, beside a model 1 that runs."""

    def __init__(self, api: Api, training: TrainingStub, connection: Connection, home: Path) -> None:
        self.training = training
        self.count = 0
        self._api = api
        self._connection = connection
        self._home = home
        self._before: Any = None

    async def state(self) -> tuple[list[str], list[Any], int]:
        """Give all that an import could leave behind."""
        rows = await self._connection.fetch("SELECT id, model_id, is_active, activation FROM prediction_active_models")
        logged = await self._connection.fetchval("SELECT count(*) FROM model_promotions")
        return stored_files(self._home), [dict(found) for found in rows], logged

    async def begin(self) -> None:
        """Import the model that is to stay."""
        status, body = await self._api.post("/api/models/import", {"model_id": GOOD})
        assert status == 200, body
        self._before = await self.state()

    async def refused(self, what: str, status: int, words: str) -> None:
        """Import the bad model: it is refused with this status and these words, and nothing of it stays."""
        found, problem = await self._api.post("/api/models/import", {"model_id": BAD})
        assert (found, words in problem.get("detail", "")) == (status, True), (what, found, problem)
        assert str(self._home) not in problem["detail"], what
        assert await self.state() == self._before, what
        self.count += 1

    async def refused_file(self, what: str, content: bytes, words: str, *, promised: bytes | None = None) -> None:
        """Serve a file with its own digest, or with the one of what was `promised`."""
        digest = hashlib.sha256(content if promised is None else promised).hexdigest()
        self.training.files[BAD] = content
        self.training.models[BAD]["model_file_sha256"] = digest
        await self.refused(what, 409, words)


@asynccontextmanager
async def answering(api: Api, connection: Connection) -> AsyncIterator[list[int]]:
    """Have rows stream and be asked about while the block runs; give how often the model was asked."""
    asked: list[int] = []

    async def go_on() -> None:
        for number in range(1_000_000):
            await insert_rows(connection, [row(f"coin {number % 7}", number)])
            status, body = await api.post("/api/predict", {"coin_id": "coin 0"})
            assert (status, body.get("total_models")) == (200, 1), body
            asked.append(number)
            await asyncio.sleep(0.02)

    streaming = asyncio.create_task(go_on())
    try:
        yield asked
    finally:
        streaming.cancel()
        await asyncio.gather(streaming, return_exceptions=True)
    assert streaming.cancelled()


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What a prediction service is made of."""

    api: Api
    training: TrainingStub
    configured: PredictionSettings
    database: str
    home: Path


@asynccontextmanager
async def opened(database: str) -> AsyncIterator[Connection]:
    connection = await connect(database, application="tests")
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def beside_a_running_model(around: Around) -> AsyncIterator[Refusals]:
    """Have a model run, asked and streamed to until the end, and see then that it answered every row."""
    for model_id in (GOOD, BAD):
        around.training.add(around.home, model_id=model_id)
    async with opened(around.database) as connection, opened(around.database) as writing:
        found = Refusals(around.api, around.training, connection, around.home)
        await found.begin()
        async with running_worker(around.configured):
            await until_live(connection)
            async with answering(around.api, writing) as asked:
                yield found
            assert len(asked) > 3
            assert (await check_books(connection)).predictions > 3
