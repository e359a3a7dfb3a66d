"""The training service, as the prediction service sees it: models and their files."""

import asyncio
import os
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, TypeVar

import aiohttp
from pydantic import BaseModel, ValidationError

from shared.contracts.training import Model, ModelList
from shared.errors import NotFound, Unavailable, UpstreamFailed
from shared.request_ids import request_headers

MOST_ANSWER_BYTES = 64 << 20
MOST_FILE_BYTES = 1 << 30
PAGE = 100
MOST_PAGES = 100
ANSWER_SECONDS = 20
DOWNLOAD_SECONDS = 900
SILENT_SECONDS = 30
"""A download that brings nothing for so long is given up."""
_CHUNK = 1 << 20
# A body that breaks off between two pieces is a bare RuntimeError of the library.
_BROKEN_OFF = (aiohttp.ClientError, TimeoutError, RuntimeError)
M = TypeVar("M", bound=BaseModel)


class TrainingClient:
    """One session with the training API; whatever it does wrong is an `UpstreamFailed` that says so."""

    def __init__(self, base_url: str, *, api_key: str = "") -> None:
        self._base = base_url.rstrip("/")
        self._headers = {"Accept-Encoding": "identity"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            headers=self._headers,
            timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS, sock_connect=5),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def model(self, model_id: int) -> Model:
        """Give one model; an unknown one is a `NotFound`."""
        found = await self._get(f"/models/{model_id}", Model, what=f"model {model_id}")
        if found.id != model_id:
            raise UpstreamFailed(f"The training service gave model {found.id} when asked for model {model_id}")
        return found

    async def ready_models(self) -> list[Model]:
        """Give all models that are READY and not deleted, newest first."""
        found: dict[int, Model] = {}
        for page in range(MOST_PAGES):
            query = {"status": "READY", "is_deleted": "false", "limit": str(PAGE), "offset": str(page * PAGE)}
            listed = await self._get("/models", ModelList, what="the list of models", query=query)
            # By id, since a model that is made between two pages moves the others along.
            found.update({model.id: model for model in listed.models})
            if len(listed.models) < PAGE:
                break
        return [model for model in found.values() if model.status == "READY" and not model.is_deleted]

    async def download(self, model_id: int, target: Path) -> None:
        """Write a model's file to `target`, durably; an incomplete one is left to the caller to remove."""
        timeout = aiohttp.ClientTimeout(total=DOWNLOAD_SECONDS, sock_connect=5, sock_read=SILENT_SECONDS)
        what = f"the file of model {model_id}"
        try:
            async with self._session.get(
                f"{self._base}/models/{model_id}/download",
                timeout=timeout,
                headers=request_headers(),
                allow_redirects=False,
            ) as answer:
                _check_status(answer, what)
                await _write(answer, target, what=what)
        except _BROKEN_OFF as error:
            raise _gone(error, what) from error

    async def _get(self, path: str, kind: type[M], *, what: str, query: dict[str, str] | None = None) -> M:
        try:
            async with self._session.get(
                self._base + path, params=query, headers=request_headers(), allow_redirects=False
            ) as answer:
                _check_status(answer, what)
                content = await _read(answer, what)
        except (*_BROKEN_OFF, ValueError) as error:
            raise _gone(error, what) from error
        try:
            return kind.model_validate_json(content)
        except ValidationError as error:
            problem = error.errors()[0]
            where = ".".join(str(part) for part in problem["loc"])
            raise UpstreamFailed(
                f"The training service answered something else than {what} ({where or 'body'}: {problem['msg']})"
            ) from error


def _check_status(answer: aiohttp.ClientResponse, what: str) -> None:
    match answer.status:
        case 200:
            return
        case 404:
            raise NotFound(f"The training service has no {what.removeprefix('the ')}")
        case 401 | 403:
            raise UpstreamFailed(
                f"The training service refused to give {what}: TRAINING_SERVICE_API_KEY needs a key of scope service"
            )
        case status:
            raise UpstreamFailed(f"The training service answered {status} when asked for {what}")


async def _read(answer: aiohttp.ClientResponse, what: str) -> bytes:
    content = bytearray()
    async for chunk in answer.content.iter_chunked(_CHUNK):
        content += chunk
        if len(content) > MOST_ANSWER_BYTES:
            raise UpstreamFailed(f"The training service answered more than {MOST_ANSWER_BYTES} bytes for {what}")
    return bytes(content)


async def _write(answer: aiohttp.ClientResponse, target: Path, *, what: str) -> None:
    try:
        file = await asyncio.to_thread(target.open, "xb")
        try:
            written = 0
            async for chunk in answer.content.iter_chunked(_CHUNK):
                written += len(chunk)
                if written > MOST_FILE_BYTES:
                    raise UpstreamFailed(f"The training service sends more than {MOST_FILE_BYTES} bytes for {what}")
                await asyncio.to_thread(file.write, chunk)
            await asyncio.to_thread(_sync, file)
        finally:
            file.close()
    except aiohttp.ClientError:
        # Some of them are OSErrors too, but the disk is not to blame.
        raise
    except TimeoutError:
        raise
    except OSError as error:
        raise Unavailable(f"The model store cannot be written: {error.strerror}") from error


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _gone(error: Exception, what: str) -> UpstreamFailed:
    reason = "took too long" if isinstance(error, TimeoutError) else f"does not answer ({type(error).__name__})"
    return UpstreamFailed(
        f"The training service {reason} when asked for {what}: check that it runs and TRAINING_SERVICE_API_URL"
    )
