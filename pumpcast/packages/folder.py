"""The folder of a package: both files and the manifest, written as a whole or not at all."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from prediction_service.runtime.packages.instance import FORECAST_FILE, POLICY_FILE
from prediction_service.usecases.package_form import LARGEST_MANIFEST, read_manifest
from shared.contracts.packages import Manifest
from shared.errors import Invalid

MANIFEST_FILE: Final = "manifest.json"
FILES: Final = (FORECAST_FILE, POLICY_FILE, MANIFEST_FILE)


def check_place(folder: Path, *, force: bool) -> None:
    """Refuse a place where a package cannot be written, before hours of training."""
    if folder.exists():
        if not folder.is_dir():
            raise Invalid(f"{folder} is a file: give another --out")
        found = sorted(path.name for path in folder.iterdir())
        if found and not set(found) <= set(FILES):
            raise Invalid(f"{folder} holds {found[0]}, which is of no package: give another --out")
        if found and not force:
            raise Invalid(f"{folder} holds a package already: give another --out, or --force to replace it")
    parent = next(above for above in folder.absolute().parents if above.exists())
    try:
        with tempfile.TemporaryDirectory(dir=parent):
            pass
    except OSError as error:
        raise Invalid(f"{parent} cannot be written: {error.strerror or error}") from error


@contextmanager
def written(folder: Path, *, force: bool) -> Iterator[Path]:
    """Give a new folder to fill, which takes its place when everything went well."""
    check_place(folder, force=force)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as waiting:
        fresh = Path(waiting) / "new"
        fresh.mkdir()
        yield fresh
        for path in (*fresh.iterdir(), fresh):
            _sync(path)
        if folder.exists():
            folder.rename(Path(waiting) / "old")
        fresh.rename(folder)
    _sync(folder.parent)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, a list of numbers in one line."""
    plain = manifest.model_dump(mode="json")
    probe = plain.pop("probe")
    head = json.dumps(plain, indent=1, ensure_ascii=False)
    text = head if probe is None else f'{head[:-2]},\n "probe": {json.dumps(probe, separators=(",", ":"))}\n}}'
    (folder / MANIFEST_FILE).write_text(text + "\n", encoding="utf-8")


def read_given(folder: Path) -> dict[str, Any]:
    """Give the manifest of a folder as an upload reads it; an empty one where there is none."""
    if not folder.is_dir():
        raise Invalid(f"There is no folder {folder}")
    missing = [name for name in (FORECAST_FILE, POLICY_FILE) if not (folder / name).is_file()]
    if missing:
        raise Invalid(
            f"{folder} lacks {' and '.join(missing)}: a package is a folder with both, and maybe {MANIFEST_FILE}"
        )
    path = folder / MANIFEST_FILE
    if not path.exists():
        return {}
    try:
        written = path.read_bytes()
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}") from error
    if len(written) > LARGEST_MANIFEST:
        raise Invalid(f"{path} has more than {LARGEST_MANIFEST >> 20} MiB")
    try:
        return read_manifest(written)
    except Invalid as error:
        raise Invalid(f"{path}: {error.message}") from error


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
