"""The package that comes with the project: a demonstration that is added once."""

import hashlib
import shutil
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson
import structlog

from prediction_service.runtime.packages import demo
from prediction_service.settings import PredictionSettings
from prediction_service.store import package_seeds
from prediction_service.usecases.package_body import to_end
from prediction_service.usecases.package_files import FORECAST_FILE, MANIFEST_FILE, POLICY_FILE, write_manifest, writing
from prediction_service.usecases.package_form import Stored
from prediction_service.usecases.upload import Draft, Uploads, add, arriving, sweep
from shared.db import Pool
from shared.errors import NoRoom, Unavailable

log = structlog.get_logger(__name__)

SEED_ID = "ppo_v1"
SEED_NAME = "PPO v1 (demonstration)"


async def prepare(pool: Pool, settings: PredictionSettings, uploads: Uploads) -> None:
    """Make the folder of packages ready at the start; one that cannot be written is said, and all else works."""
    try:
        await sweep(pool, settings)
        await seed(pool, settings, uploads)
    except (NoRoom, Unavailable) as error:
        log.warning("packages cannot be prepared", reason=error.message)


async def seed(pool: Pool, settings: PredictionSettings, uploads: Uploads, folder: Path | None = None) -> None:
    """Add the demonstration, unless that was done before: one that was deleted stays away."""
    source = Path(str(files(demo))) if folder is None else folder
    names = (FORECAST_FILE, POLICY_FILE, MANIFEST_FILE)
    if not all((source / name).is_file() for name in names) or await package_seeds.is_seeded(pool, SEED_ID):
        return
    async with arriving(settings) as entry:
        draft = await to_end(_copy, source, entry.path)
        added = await add(pool, settings, uploads, entry, draft)
    if added is not None:
        log.info("demonstration package added", package_id=added.id)


def _copy(source: Path, target: Path) -> Draft:
    manifest: dict[str, Any] = orjson.loads((source / MANIFEST_FILE).read_bytes())
    write_manifest(target, manifest)
    forecast, ppo = (_copy_file(source / name, target / name) for name in (FORECAST_FILE, POLICY_FILE))
    return Draft(
        name=SEED_NAME, forecast=forecast, ppo=ppo, manifest=manifest, uploaded_by="local", seed=SEED_ID
    )  # fmt: skip


def _copy_file(source: Path, target: Path) -> Stored:
    with writing():
        shutil.copyfile(source, target)
    content = target.read_bytes()
    return Stored(sha256=hashlib.sha256(content).hexdigest(), size=len(content))
