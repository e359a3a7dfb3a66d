"""The form of an upload, read while it arrives: files go to the disk as they come, hashed on their way."""

import hashlib
import os
import shutil
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar

import orjson
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from prediction_service.usecases.package_files import FORECAST_FILE, POLICY_FILE, writing
from shared.errors import Invalid, Malformed, NoRoom, TooLarge

MIB = 1 << 20
LONGEST_NAME = 200
LARGEST_MANIFEST = 4 * MIB
SLACK = MIB
"""For boundaries, headers, the name, and what some clients send behind the last boundary."""
_FILES = {"forecast_model": FORECAST_FILE, "ppo_model": POLICY_FILE}
_PARTS = ("name", *_FILES, "manifest")
_SUFFIXES = {"forecast_model": ".pt", "ppo_model": ".zip", "manifest": ".json"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A file that arrived whole."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What was sent."""

    name: str
    forecast: Stored
    ppo: Stored
    manifest: Mapping[str, Any]
    """As given; empty when none was."""


def boundary_of(content_type: str | None) -> bytes:
    """Give the boundary of a multipart body, by its Content-Type."""
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise Malformed(
            "The body must be multipart/form-data with the parts name, forecast_model, ppo_model and maybe manifest"
        )
    return options[b"boundary"]


class _Text:
    """A part that is small enough for memory."""

    def __init__(self, part: str, most: int) -> None:
        self._part, self._most = part, most
        self.data = bytearray()

    def write(self, piece: memoryview) -> None:
        self.data += piece
        if len(self.data) > self._most:
            if self._part == "name":
                raise _wrong_name()
            raise TooLarge(f"{self._part} has more than {self._most / MIB:g} MiB")

    def end(self) -> None:
        """Nothing to do: it is all there."""

    def close(self) -> None:
        """Nothing to do: no file is open."""


class _File:
    """A part that is written to the disk and hashed on its way."""

    _SETTINGS: ClassVar = {
        "forecast_model": "MODEL_PACKAGE_MAX_FORECAST_MB", "ppo_model": "MODEL_PACKAGE_MAX_PPO_MB"
    }  # fmt: skip

    def __init__(self, part: str, path: Path, most: int) -> None:
        self._part, self._most = part, most
        self._digest = hashlib.sha256()
        self._size = 0
        with writing():
            self._file: IO[bytes] = path.open("xb", buffering=0)

    def write(self, piece: memoryview) -> None:
        self._size += len(piece)
        if self._size > self._most:
            raise TooLarge(f"{self._part} has more than {self._most / MIB:g} MiB ({self._SETTINGS[self._part]})")
        self._digest.update(piece)
        with writing():
            while piece:
                piece = piece[self._file.write(piece) :]

    def end(self) -> None:
        if not self._size:
            raise Malformed(f"{self._part} is empty")
        with writing():
            os.fsync(self._file.fileno())
            self._file.close()

    def close(self) -> None:
        self._file.close()

    @property
    def stored(self) -> Stored:
        return Stored(sha256=self._digest.hexdigest(), size=self._size)


class FormReader:
    """Takes the bytes of a form in blocks of any size. Every refusal is an error with a sentence."""

    def __init__(self, folder: Path, boundary: bytes, *, most: Mapping[str, int], least_free: int) -> None:
        self._folder, self._most, self._least_free = folder, most, least_free
        self._left = sum(most.values()) + LARGEST_MANIFEST + SLACK
        self._texts: dict[str, _Text] = {}
        self._files: dict[str, _File] = {}
        self._open: _Text | _File | None = None
        self._header, self._value = bytearray(), bytearray()
        self._headers: dict[bytes, str] = {}
        self._ended = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._headers.clear,
                    "on_header_field": self._on_header,
                    "on_header_value": self._on_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._begin,
                    "on_part_data": self._on_data,
                    "on_part_end": self._on_part_end,
                    "on_end": self._on_end,
                },
            )
        except FormParserError as error:
            raise Malformed(f"The body cannot be read as multipart/form-data: {error}") from error

    def feed(self, block: bytes) -> None:
        """Take the next bytes."""
        self._left -= len(block)
        if self._left < 0:
            raise TooLarge("The body has more bytes than both files and a manifest may have together")
        with writing():
            free = shutil.disk_usage(self._folder).free
        if free - len(block) < self._least_free:
            raise NoRoom("The disk that holds the packages is nearly full: free some space")
        try:
            self._parser.write(block)
        except FormParserError as error:
            raise Malformed(f"The body cannot be read as multipart/form-data: {error}") from error

    def finish(self) -> Form:
        """Give what was sent, all of it on the disk."""
        if not self._ended:
            raise Malformed("The body ends before its last boundary: send it again")
        for part in _PARTS[:3]:
            if part not in self._texts and part not in self._files:
                raise Invalid(f"{part} is missing", pointer=f"/{part}")
        manifest = self._texts.get("manifest")
        return Form(
            name=_read_name(self._texts["name"].data),
            forecast=self._files["forecast_model"].stored,
            ppo=self._files["ppo_model"].stored,
            manifest=read_manifest(manifest.data) if manifest and manifest.data.strip() else {},
        )

    def close(self) -> None:
        """Close what is open."""
        for file in self._files.values():
            file.close()

    def _on_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[bytes(self._header).lower()] = self._value.decode("latin-1")
        self._header.clear()
        self._value.clear()

    def _begin(self) -> None:
        kind, options = parse_options_header(self._headers.get(b"content-disposition"))
        part = options.get(b"name", b"").decode("utf-8", "replace")
        if kind != b"form-data" or part not in _PARTS:
            raise Invalid(f"The form has a part {part[:50]!r}; known are {', '.join(_PARTS)}")
        if self._headers.get(b"content-transfer-encoding", "binary").lower() not in ("binary", "8bit", "7bit"):
            raise Malformed(f"{part} is sent in an encoding: send the bytes as they are")
        if part in self._texts or part in self._files:
            raise Invalid(f"{part} is given twice", pointer=f"/{part}")
        file_name = options.get(b"filename")
        if file_name == b"":
            # What browsers send for a file field that was left empty.
            self._open = None
            return
        self._check_suffix(part, file_name)
        if part in _FILES:
            opened = self._files[part] = _File(part, self._folder / _FILES[part], self._most[part])
            self._open = opened
        else:
            most = LARGEST_MANIFEST if part == "manifest" else LONGEST_NAME * 8
            self._open = self._texts[part] = _Text(part, most)

    def _check_suffix(self, part: str, file_name: bytes | None) -> None:
        suffix = _SUFFIXES.get(part)
        if file_name is None:
            if part in _FILES:
                raise Malformed(f"{part} must be sent as a file whose name ends in {suffix}")
        elif suffix is None:
            raise Malformed(f"{part} must be a text, not a file")
        elif not file_name.lower().endswith(suffix.encode()):
            raise Malformed(f"{part} must be a file whose name ends in {suffix}")

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._open is None:
            raise Malformed("A file without a name was sent: its name must say what it is")
        self._open.write(memoryview(data)[start:end])

    def _on_part_end(self) -> None:
        if self._open is not None:
            self._open.end()

    def _on_end(self) -> None:
        self._ended = True


_TURNING = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})
"""What turns the text behind it around, that of other columns too."""


def _wrong_name() -> Invalid:
    return Invalid(f"name must have 1 to {LONGEST_NAME} characters", pointer="/name")


def _read_name(data: bytearray) -> str:
    try:
        name = data.decode().strip()
    except UnicodeDecodeError:
        raise Invalid("name must be UTF-8", pointer="/name") from None
    if not name or len(name) > LONGEST_NAME:
        raise _wrong_name()
    kinds = [unicodedata.category(character) for character in name]
    if "Cc" in kinds or any(unicodedata.bidirectional(character) in _TURNING for character in name):
        raise Invalid("name must be one line without control characters", pointer="/name")
    if all(kind[0] in "CZM" for kind in kinds):
        raise Invalid("name must have a character that can be seen", pointer="/name")
    return name


def read_manifest(data: bytes | bytearray) -> dict[str, Any]:
    """Give a manifest as it was written; `Invalid` when it is no JSON object that can be kept."""
    try:
        found = orjson.loads(data)
        # Whatever is kept has to be written again.
        orjson.dumps(found)
    except orjson.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise Invalid(f"manifest is no JSON: {error.msg} at {place}", pointer="/manifest") from error
    except orjson.JSONEncodeError as error:
        raise Invalid("manifest is nested too deeply", pointer="/manifest") from error
    if not isinstance(found, dict):
        raise Invalid("manifest must be a JSON object", pointer="/manifest")
    if _holds_nul(found):
        raise Invalid("manifest holds a NUL character", pointer="/manifest")
    return found


def _holds_nul(found: Any) -> bool:
    """Tell whether a text anywhere in it holds a NUL, which the database keeps out of its JSON."""
    waiting = [found]
    while waiting:
        match waiting.pop():
            case str(text) if "\0" in text:
                return True
            case dict(fields):
                waiting += [*fields.keys(), *fields.values()]
            case list(items):
                waiting += items
    return False
