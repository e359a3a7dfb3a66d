"""Model files of the prediction service: fetched, checked, put in place, fetched again when they are lost."""

import asyncio
import contextlib
import hashlib
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from prediction_service.clients.training import TrainingClient
from prediction_service.runtime.models import LoadedModel, load
from prediction_service.settings import PredictionSettings
from prediction_service.store import active_models
from prediction_service.store.active_models import ActiveModel
from shared.db import Pool
from shared.errors import ArtifactInvalid, NotFound, Unavailable, UpstreamFailed

log = structlog.get_logger(__name__)

SWEEP_AGE_SECONDS = 3600
"""Longer than any download: what is younger may belong to an import that is going on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A model file that was downloaded and has passed every check, not yet at its place."""

    temporary: Path
    sha256: str
    loaded: LoadedModel


def folder(settings: PredictionSettings) -> Path:
    """Give the folder of this service's model files."""
    return settings.model_folder("prediction")


def path_of(settings: PredictionSettings, active: ActiveModel) -> Path:
    """Give where a model's file lies: by its name, so that the folder may be moved."""
    return folder(settings) / Path(active.local_model_path).name


def file_name(model_id: int, sha256: str) -> str:
    """Give the name of a model's file."""
    return f"{model_id}-{sha256[:16]}.zip"


@asynccontextmanager
async def fetch(
    training: TrainingClient, settings: PredictionSettings, *, model_id: int, sha256: str, public_keys: Sequence[str]
) -> AsyncIterator[Fetched]:
    """Download a model's file and check it; at the end of the block nothing temporary is left."""
    temporary = folder(settings) / f".{model_id}-{uuid.uuid4().hex}.tmp"
    try:
        with writing():
            await asyncio.to_thread(temporary.parent.mkdir, parents=True, exist_ok=True)
        await training.download(model_id, temporary)
        loaded = await asyncio.to_thread(load, temporary, sha256=sha256, public_keys=public_keys)
        if loaded.manifest.model_id != model_id:
            raise ArtifactInvalid(
                f"the training service gave the file of model {loaded.manifest.model_id} for model {model_id}"
            )
        yield Fetched(temporary=temporary, sha256=sha256, loaded=loaded)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


@contextmanager
def writing() -> Iterator[None]:
    """Turn a refusal of the disk into a sentence."""
    try:
        yield
    except OSError as error:
        raise Unavailable(f"The model store cannot be written: {error.strerror}") from error


async def load_or_fetch(training: TrainingClient, settings: PredictionSettings, active: ActiveModel) -> LoadedModel:
    """Load a model; a file that is missing or damaged is fetched again.

    It is the file of the import, to the last bit, so that its signature was looked at then: a key that is asked for
    since, or was taken away, stops no model.
    """
    path, sha256 = path_of(settings, active), active.model_file_sha256
    try:
        return await asyncio.to_thread(load, path, sha256=sha256)
    except ArtifactInvalid as error:
        if await asyncio.to_thread(_is_intact, path, sha256):
            # The very file that was promised: another copy of it would be refused as well.
            raise
        trouble = error.message
    log.warning("model file fetched again", active_model_id=active.id, reason=trouble)
    try:
        async with fetch(training, settings, model_id=active.model_id, sha256=sha256, public_keys=()) as fetched:
            with writing():
                fetched.temporary.replace(path)
            return fetched.loaded
    except (UpstreamFailed, NotFound) as error:
        raise UpstreamFailed(
            f"The file of active model {active.id} is missing or damaged, and fetching it again failed: {error.message}"
        ) from error


def _is_intact(path: Path, sha256: str) -> bool:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    except OSError:
        return False


async def sweep(pool: Pool, settings: PredictionSettings) -> None:
    """Remove what a killed import or removal left behind."""
    kept = {Path(path).name for path in await active_models.list_paths(pool)}
    removed = await asyncio.to_thread(_sweep, folder(settings), kept)
    if removed:
        log.info("left-over model files removed", files=removed)


def _sweep(place: Path, kept: set[str]) -> list[str]:
    removed = []
    for path in [*place.glob(".*.tmp"), *place.glob("*.zip")]:
        if path.name not in kept and path.stat().st_mtime < time.time() - SWEEP_AGE_SECONDS:
            path.unlink(missing_ok=True)
            removed.append(path.name)
    return removed
