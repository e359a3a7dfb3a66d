"""Which active models carry no signature that would pass today."""

import asyncio
from functools import lru_cache
from pathlib import Path

from prediction_service.settings import PredictionSettings
from prediction_service.store import active_models
from prediction_service.usecases.model_files import path_of
from shared.artifact import read_artifact
from shared.db import Pool
from shared.errors import ArtifactInvalid
from shared.signature import NotSigned

REMEMBERED = 1000
"""Files; more are read again."""


async def unsigned(pool: Pool, settings: PredictionSettings) -> list[int]:
    """Give the active models that were imported before a key was asked for, or under one that is no longer trusted."""
    if not settings.artifact_public_key:
        return []
    found = []
    for active in await active_models.list_active(pool):
        path, keys = path_of(settings, active), settings.artifact_public_key
        if not await asyncio.to_thread(_is_signed, path, active.model_file_sha256, keys):
            found.append(active.id)
    return found


def trouble(models: list[int]) -> str | None:
    """Give the sentence about them."""
    if not models:
        return None
    listed = ", ".join(map(str, models))
    return (
        f"no key of ARTIFACT_PUBLIC_KEY has signed the file of active model {listed}: "
        "it goes on as it was imported; remove it, or train it again and import that"
    )


def _is_signed(path: Path, sha256: str, public_keys: tuple[str, ...]) -> bool:
    try:
        return _read(path, sha256, public_keys)
    except (ArtifactInvalid, OSError):
        # A lost or damaged file is fetched again, and is told of elsewhere.
        return True


@lru_cache(maxsize=REMEMBERED)
def _read(path: Path, sha256: str, public_keys: tuple[str, ...]) -> bool:
    try:
        read_artifact(path.read_bytes(), sha256=sha256, public_keys=public_keys)
    except NotSigned:
        return False
    return True
