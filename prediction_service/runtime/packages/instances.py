"""Loaded packages: a few at a time, each loaded once, the one unused for longest makes room."""

import asyncio
import hashlib
from collections import OrderedDict, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from prediction_service.runtime.packages.instance import FORECAST_FILE, POLICY_FILE, Instance
from shared.contracts.packages import Manifest
from shared.errors import PackageInvalid, Unavailable

MOST_INSTANCES = 4
MOST_WARMING = 2
MEMORY_PER_FILE_BYTE = 2
"""The file as it is read, and the numbers that are made of it."""
LEAST_FREE_BYTES = 256 << 20
"""Memory that is left to everything else, the libraries included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """Which package, and which state of it."""

    package_id: str
    """Ids are given away again once a package is deleted."""
    forecast_sha256: str
    """What the forecaster's file must be."""
    ppo_sha256: str
    """What the policy's file must be."""
    manifest: str
    """Version of the manifest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where to load a package from."""

    folder: Path
    """Holds both files."""
    manifest: Manifest
    """Complete."""


FindOrigin = Callable[[], Awaitable[Origin]]


class Instances:
    """At most `most` loaded packages. Each is used and loaded by one caller at a time."""

    def __init__(self, *, most: int = MOST_INSTANCES) -> None:
        self._most = most
        self._loaded: OrderedDict[str, tuple[Key, Instance]] = OrderedDict()
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        # Two large ones that are loaded at once would need the memory of both beside what is loaded.
        self._loading = asyncio.Lock()
        self.warming = asyncio.Semaphore(MOST_WARMING)
        """Taken by questions that warm up: each holds a connection to the database meanwhile."""

    @property
    def ids(self) -> tuple[str, ...]:
        """Give the packages that are loaded, the one unused for longest first."""
        return tuple(self._loaded)

    @asynccontextmanager
    async def held(self, key: Key, find: FindOrigin, *, afresh: bool = False) -> AsyncIterator[Instance]:
        """Give a package for one caller's use, loaded where it is not yet, or in any case when `afresh`.

        What is loaded stays until its successor is: a package that cannot be loaded again goes on as it was.
        """
        async with self._turns[key.package_id]:
            known, instance = self._loaded.get(key.package_id, (None, None))
            if instance is None or known != key or afresh:
                instance = await self._load(key, await find())
            self._loaded[key.package_id] = (key, instance)
            self._loaded.move_to_end(key.package_id)
            while len(self._loaded) > self._most:
                self._loaded.popitem(last=False)
            yield instance

    def forget(self, package_id: str) -> None:
        """Let go of a package that is archived or deleted."""
        self._loaded.pop(package_id, None)

    def keep(self, package_ids: frozenset[str]) -> None:
        """Let go of all others."""
        for package_id in self._loaded.keys() - package_ids:
            self.forget(package_id)

    async def _load(self, key: Key, origin: Origin) -> Instance:
        async with self._loading:
            return await asyncio.to_thread(load_checked, key, origin)


def load_checked(key: Key, origin: Origin) -> Instance:
    """Load a package whose files are still those that were uploaded, unless the memory would not suffice."""
    for name, digest in ((FORECAST_FILE, key.forecast_sha256), (POLICY_FILE, key.ppo_sha256)):
        try:
            with (origin.folder / name).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise PackageInvalid(
                f"{name} of package {key.package_id} cannot be read ({error.strerror}): restore it, or upload it again"
            ) from error
        if found != digest:
            raise PackageInvalid(
                f"{name} of package {key.package_id} is not the file that was uploaded (its SHA-256 is {found}, not "
                f"{digest}): restore it, or upload it again"
            )
    _refuse_too_large(origin.folder)
    return Instance.load(origin.folder, origin.manifest)


def _refuse_too_large(folder: Path) -> None:
    import psutil  # not before the first package is used

    size = sum((folder / name).stat().st_size for name in (FORECAST_FILE, POLICY_FILE))
    wanted, free = MEMORY_PER_FILE_BYTE * size + LEAST_FREE_BYTES, psutil.virtual_memory().available
    if free < wanted:
        raise Unavailable(
            f"to load the package takes {wanted >> 20} MiB of memory, and this machine has {free >> 20} MiB left: free "
            "some, then try again"
        )
