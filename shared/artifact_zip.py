"""The zip around a model file: written the same way every time, and read only when there is nothing odd about it."""

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping

from shared.errors import ArtifactInvalid

MAX_MANIFEST_BYTES = 16 << 20
MAX_ONNX_BYTES = 1 << 30
_SIGNATURE_BYTES = 64
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same model gives the same bytes
_END_OF_ZIP = 22  # bytes of the last record of a zip without a comment
_DAMAGED = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
    struct.error,
    ValueError,
    zlib.error,
)


def pack(parts: Mapping[str, bytes]) -> bytes:
    """Put the parts of a model file together."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, content in parts.items():
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return buffer.getvalue()


def unpack(content: bytes) -> dict[str, bytes]:
    """Take a model file apart; whatever does not belong in one is an `ArtifactInvalid`."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            _check_entries(entries)
            end = content[-_END_OF_ZIP:]
            alone = end.startswith(b"PK\x05\x06") and end.endswith(b"\0\0")
            if not alone or min((info.header_offset for info in entries), default=0) != 0:
                raise ArtifactInvalid("the model file has bytes before or after its zip")
            parts = {info.filename: archive.read(info) for info in entries}
    except _DAMAGED as error:
        raise ArtifactInvalid("the model file is not a readable zip: it is cut short or damaged") from error
    if not {"manifest.json", "model.onnx"} <= set(parts):
        raise ArtifactInvalid("the model file lacks manifest.json or model.onnx")
    return parts


def _check_entries(entries: list[zipfile.ZipInfo]) -> None:
    limits = {"manifest.json": MAX_MANIFEST_BYTES, "model.onnx": MAX_ONNX_BYTES, "signature": _SIGNATURE_BYTES}
    seen: set[str] = set()
    for info in entries:
        limit = limits.get(info.filename)
        if limit is None or info.filename in seen:
            raise ArtifactInvalid("the model file holds an entry that does not belong there")
        if info.file_size > limit:
            raise ArtifactInvalid(f"{info.filename} in the model file is larger than {limit} bytes")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ArtifactInvalid(f"{info.filename} in the model file is packed in a way that is not read here")
        seen.add(info.filename)
