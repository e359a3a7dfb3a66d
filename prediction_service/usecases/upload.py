"""Take a package in: received out of sight, put in place whole, then written into the registry."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from prediction_service.settings import PredictionSettings
from prediction_service.store import package_seeds, packages
from prediction_service.store.packages import NewPackage, Package
from prediction_service.usecases import package_files
from prediction_service.usecases.package_body import Body, receive, to_end
from prediction_service.usecases.package_checks import validate_files
from prediction_service.usecases.package_files import FORECAST_FILE, POLICY_FILE, Entry
from prediction_service.usecases.package_form import LARGEST_MANIFEST, MIB, SLACK, Form, FormReader, Stored, boundary_of
from shared.db import Connection, ConnectionLost, Pool, PostgresError, transaction
from shared.errors import NoRoom, TooLarge, TooMany
from shared.request_ids import current_request_id

log = structlog.get_logger(__name__)

LEAST_FREE_BYTES = 256 * MIB
"""Room on the disk that uploads leave for everything else."""
MOST_AT_ONCE = 32
NAMELESS = "package"
"""Id of a package whose name has no letter or digit that an id may have."""
LONGEST_SLUG = 100


@dataclass(slots=True)
class Uploads:
    """What the uploads of one process share."""

    under_way: int = 0
    placing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while waiting for the registry, so that twenty uploads do not take all connections to do so."""
    validating: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One validation may take gigabytes."""

    @contextmanager
    def one(self) -> Iterator[None]:
        """Count an upload while it is under way; refuse it where there are too many."""
        if self.under_way >= MOST_AT_ONCE:
            raise TooMany(f"{MOST_AT_ONCE} uploads are under way: try again when one has ended")
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A package whose files lie in an entry."""

    name: str
    forecast: Stored
    ppo: Stored
    manifest: Mapping[str, Any]
    uploaded_by: str
    is_validated: bool = False
    seed: str | None = None
    """The id of a package that comes with the project, which is added once; None: an id by its name."""


async def upload_package(
    pool: Pool, settings: PredictionSettings, uploads: Uploads, body: Body, *, strict: bool, by: str
) -> Package:
    """Receive a package and write it into the registry; or leave nothing behind.

    `strict` waits for the validation of its files, which the worker does otherwise.
    """
    boundary = boundary_of(body.content_type)
    most = {
        "forecast_model": settings.model_package_max_forecast_mb * MIB,
        "ppo_model": settings.model_package_max_ppo_mb * MIB,
    }
    with uploads.one():
        if (body.content_length or 0) > sum(most.values()) + LARGEST_MANIFEST + SLACK:
            raise TooLarge(
                f"The body has {body.content_length} bytes; forecast_model may have "
                f"{most['forecast_model'] // MIB} MiB, ppo_model {most['ppo_model'] // MIB} MiB"
            )
        async with arriving(settings) as entry:
            await to_end(_check_room, entry.path, body.content_length or 0)
            reader = FormReader(entry.path, boundary, most=most, least_free=LEAST_FREE_BYTES)
            form = await receive(body, reader)
            await to_end(package_files.write_manifest, entry.path, dict(form.manifest))
            manifest = await _validate(uploads, entry, form) if strict else form.manifest
            draft = Draft(
                name=form.name,
                forecast=form.forecast,
                ppo=form.ppo,
                manifest=manifest,
                uploaded_by=by,
                is_validated=strict,
            )
            added = await add(pool, settings, uploads, entry, draft)
    assert added is not None
    log.info("package uploaded", package_id=added.id, bytes=form.forecast.size + form.ppo.size, strict=strict)
    return added


async def add(pool: Pool, settings: PredictionSettings, uploads: Uploads, entry: Entry, draft: Draft) -> Package | None:
    """Give a package an id, its place and its row; None for a seed that had its chance before."""
    root = settings.packages_folder
    package_id: str | None = None
    try:
        async with uploads.placing, transaction(pool) as connection:
            await packages.lock_registry(connection)
            package_id = await _choose_id(connection, root, draft)
            if package_id is None:
                return None
            await to_end(entry.place, root / package_id)
            await packages.insert(connection, _new(package_id, draft))
            await packages.announce(connection)
            added = await packages.get(connection, package_id)
    except BaseException:
        if package_id is not None:
            await asyncio.shield(_settle_doubt(pool, entry, package_id, draft))
        raise
    await to_end(entry.settle)
    return added


@asynccontextmanager
async def arriving(settings: PredictionSettings) -> AsyncIterator[Entry]:
    """Give a folder for files on their way; at the end it is in its place, or gone."""
    entry = await to_end(package_files.open_entry, settings.packages_folder)
    try:
        yield entry
    finally:
        await to_end(entry.close)


async def sweep(pool: Pool, settings: PredictionSettings) -> None:
    """Remove what killed uploads and removals left behind."""
    root = settings.packages_folder
    entries = await to_end(package_files.sweep_incoming, root)
    async with transaction(pool) as connection:
        # Under this lock no folder waits for its row.
        await packages.lock_registry(connection)
        ids = await packages.list_ids(connection)
        folders = await to_end(package_files.sweep_marked, root, ids)
    if entries or folders:
        log.info("left-over packages removed", uploads=entries, packages=folders)


def slug_of(name: str) -> str:
    """Give the id that a name asks for.

    >>> slug_of("My Model (v2)"), slug_of("..."), slug_of("Paper: BTC")
    ('my_model_v2', 'package', 'btc')
    """
    slug = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    # Both <id> and paper_<id> mean a package, so that none may be called by the second form.
    slug = re.sub(r"^(paper(_|$))+", "", slug)
    return slug[:LONGEST_SLUG].strip("_") or NAMELESS


def _check_room(folder: Path, size: int) -> None:
    with package_files.writing():
        free = shutil.disk_usage(folder).free
    if free - size < LEAST_FREE_BYTES:
        raise NoRoom(f"The disk that holds the packages has {free // MIB} MiB left: too little for this upload")


async def _validate(uploads: Uploads, entry: Entry, form: Form) -> Mapping[str, Any]:
    async with uploads.validating:
        manifest = await validate_files(entry.path, dict(form.manifest))
    return manifest.model_dump(mode="json")


async def _choose_id(connection: Connection, root: Path, draft: Draft) -> str | None:
    if draft.seed is not None:
        is_first = await package_seeds.insert(connection, draft.seed)
        # Who gave an own package this id keeps it.
        if not is_first or await packages.get(connection, draft.seed) is not None:
            return None
    slug = draft.seed or slug_of(draft.name)
    taken_ids = await packages.list_ids(connection, slug)
    return await to_end(_free_id, root, slug, taken_ids)


def _free_id(root: Path, slug: str, taken: Collection[str]) -> str:
    number = 1
    while True:
        package_id = slug if number == 1 else f"{slug}_{number}"
        if package_id not in taken and not _exists(root / package_id):
            return package_id
        number += 1


def _exists(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _new(package_id: str, draft: Draft) -> NewPackage:
    return NewPackage(
        id=package_id,
        name=draft.name,
        forecast_rel_path=f"{package_id}/{FORECAST_FILE}",
        ppo_rel_path=f"{package_id}/{POLICY_FILE}",
        forecast_sha256=draft.forecast.sha256,
        ppo_sha256=draft.ppo.sha256,
        forecast_bytes=draft.forecast.size,
        ppo_bytes=draft.ppo.size,
        manifest=draft.manifest,
        uploaded_by=draft.uploaded_by,
        is_builtin=draft.seed is not None,
        is_validated=draft.is_validated,
        request_id=current_request_id(),
    )


async def _settle_doubt(pool: Pool, entry: Entry, package_id: str, draft: Draft) -> None:
    """Keep the folder when its row was committed although the answer was lost; unknown: the next start sees."""
    try:
        async with transaction(pool) as connection:
            # Waits until a commit that may still be under way has ended.
            await packages.lock_registry(connection)
            found = await packages.get(connection, package_id)
    except (*ConnectionLost, PostgresError):
        entry.leave()
        return
    if found is not None and found.forecast_sha256 == draft.forecast.sha256:
        entry.settle()
