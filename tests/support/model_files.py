"""Model files with one thing wrong: a good one taken apart, changed, and put together again by hand."""

import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from tests.support.models import make_model

Manifest = dict[str, Any]


def good_file(folder: Path) -> bytes:
    """Give a model file that passes every check."""
    path = folder / "good.zip"
    make_model(path)
    return path.read_bytes()


def parts_of(content: bytes) -> dict[str, bytes]:
    """Take a model file apart."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(entries: list[tuple[str, bytes]], *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Put entries together, names twice if need be."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, body in entries:
            archive.writestr(zipfile.ZipInfo(name), body, compress_type=compression)
    return buffer.getvalue()


def changed(content: bytes, change: Callable[[Manifest], object], *, onnx: bytes | None = None) -> bytes:
    """Give the file with another manifest, and with another model that the manifest owns up to."""
    parts = parts_of(content)
    manifest = orjson.loads(parts["manifest.json"])
    if onnx is not None:
        parts["model.onnx"] = onnx
        manifest["onnx_sha256"] = hashlib.sha256(onnx).hexdigest()
    change(manifest)
    parts["manifest.json"] = orjson.dumps(manifest)
    return packed(list(parts.items()))
