"""Bad model files and servers that lie: refused by name, nothing left behind, the running model answers meanwhile."""

import asyncio
import gzip
import warnings
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prediction_service.settings import PredictionSettings
from tests.support.model_files import changed, packed, parts_of
from tests.support.models import FEATURES, sigmoid_onnx
from tests.support.refusals import BAD, GOOD, Around, beside_a_running_model
from tests.support.serving import Api
from tests.support.training_stub import TrainingStub

Lie = Callable[[bytes], AsyncIterator[bytes]]


@pytest.fixture
def around(api: Api, training: TrainingStub, configured: PredictionSettings, database: str, tmp_path: Path) -> Around:
    return Around(api=api, training=training, configured=configured, database=database, home=tmp_path)


def setting(**values: Any) -> Callable[[dict[str, Any]], object]:
    return lambda manifest: manifest.update(values)


def in_window(number: int, **values: Any) -> Callable[[dict[str, Any]], object]:
    return lambda manifest: manifest["golden"][number].update(values)


def broken_files(good: bytes) -> Iterator[tuple[str, bytes, str]]:
    """Give files that are whole and wrong: what is wrong, the file, the words of its refusal."""
    width = len(FEATURES)
    parts = list(parts_of(good).items())
    yield "newer format", changed(good, setting(format=2)), "has format 2, this service reads format 1"
    yield "older format", changed(good, setting(format=0)), "has format 0"
    yield "fingerprint", changed(good, setting(fingerprint="0" * 64)), "fingerprint of the model's features"
    yield "newer features", changed(good, setting(features_version=9)), "features of version 9"
    yield "unknown feature", changed(good, setting(features=["magic_5", *FEATURES[1:]])), "'magic_5'"
    yield "probability", changed(good, in_window(5, probability=0.9)), "golden window 5: probability"
    yield "golden features", changed(good, in_window(2, features=[7.0] * width)), "golden window 2: feature volume_sol"
    yield "no golden rows", changed(good, setting(golden=[])), "golden"
    yield "no number", changed(good, in_window(3, probability="NaN")), "golden.3.probability"
    yield "threshold", changed(good, setting(decision_threshold=7)), "decision_threshold"
    yield "other model", changed(good, setting(model_id=GOOD)), "the file of model 1 for model 2"
    yield "no ONNX", changed(good, setting(), onnx=b"not ONNX"), "model.onnx cannot be loaded"
    yield (
        "other column",
        changed(good, setting(), onnx=sigmoid_onnx(width, column=9, scale=1.0)),
        "cannot be proved here",
    )
    yield "other width", changed(good, setting(), onnx=sigmoid_onnx(9, column=1, scale=0.1)), "takes 9 features"
    yield "exchanged ONNX", packed([parts[0], ("model.onnx", b"x")]), "not the one its manifest names"
    yield "extra entry", packed([*parts, ("run.pkl", b"x")]), "entry that does not belong there"
    yield "entry outside", packed([*parts, ("../../run.py", b"x")]), "entry that does not belong there"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield "entry twice", packed([*parts, parts[0]]), "entry that does not belong there"
    yield (
        "huge entry",
        packed([("manifest.json", bytes(17 << 20)), parts[1]]),
        "manifest.json in the model file is larger",
    )
    yield "huge model", packed([parts[0], ("model.onnx", bytes(3 << 20))]), "model.onnx in the model file is larger"
    yield "bytes before", b"MZ" + good, "bytes before or after its zip"
    yield "bytes after", good + b"MZ", "bytes before or after its zip"
    yield "nothing", b"", "not a readable zip"
    yield "a page", b"<html>502 Bad Gateway</html>", "not a readable zip"


async def test_import_when_the_file_is_wrong_cut_short_or_damaged_then_it_is_refused_by_name_and_nothing_stays(
    around: Around, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("shared.artifact_zip.MAX_ONNX_BYTES", 2 << 20)
    async with beside_a_running_model(around) as refusals:
        good = refusals.training.files[BAD]
        for what, content, words in broken_files(good):
            await refusals.refused_file(what, content, words)
        for length in [*range(0, len(good), len(good) // 25), len(good) - 1, len(good) - 22]:
            await refusals.refused_file(f"{length} bytes", good[:length], "cut short or damaged")
            await refusals.refused_file(f"{length} bytes", good[:length], "it is damaged", promised=good)
        rng = np.random.default_rng(8)
        for at in rng.integers(0, len(good), 40).tolist():
            damaged = good[:at] + bytes([good[at] ^ int(rng.integers(1, 256))]) + good[at + 1 :]
            await refusals.refused_file(f"byte {at}", damaged, "it is damaged", promised=good)
        assert refusals.count > 100


def head(status: str = "200 OK", **headers: object) -> bytes:
    fields = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status}\r\n{fields}\r\n".encode()


def saying(*pieces: bytes | Callable[[bytes], bytes]) -> Lie:
    """Send these pieces and close; a function makes its piece of the file."""

    async def lie(content: bytes) -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece if isinstance(piece, bytes) else piece(content)

    return lie


def forever(beginning: bytes, piece: bytes, *, pause: float = 0.0) -> Lie:
    """Send the same piece again and again until nobody listens."""

    async def lie(_content: bytes) -> AsyncIterator[bytes]:
        yield beginning
        while True:
            await asyncio.sleep(pause)
            yield piece

    return lie


def page(body: bytes, **headers: object) -> Lie:
    return saying(head(Content_Length=len(body), **headers), body)


def chunk(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(body), body)


def shorter(content: bytes) -> bytes:
    return head(Content_Length=len(content) - 100) + content[:-100]


def longer(content: bytes) -> bytes:
    return head(Content_Length=len(content) + 100) + content


def half(content: bytes) -> bytes:
    return head(Content_Length=len(content)) + content[: len(content) // 2]


CHUNKED = head(Transfer_Encoding="chunked")
PACKED = head(Transfer_Encoding="chunked", Content_Encoding="gzip")
LIES: dict[str, tuple[Lie, int, str]] = {
    "length too small": (saying(shorter), 409, "it is damaged"),
    "length too large": (saying(longer), 502, "does not answer"),
    "length of no number": (saying(head(Content_Length="much")), 502, "does not answer"),
    "two lengths": (saying(head(Content_Length="3\r\nContent-Length: 9"), b"abc"), 502, "does not answer"),
    "cut in the middle": (saying(half), 502, "does not answer"),
    "cut before the answer": (saying(), 502, "does not answer"),
    "cut in the header": (saying(b"HTTP/1.1 200 OK\r\nContent-Le"), 502, "does not answer"),
    "cut between chunks": (saying(CHUNKED, chunk(b"PK"), b"5\r\nab"), 502, "does not answer"),
    "chunk of no size": (saying(CHUNKED, b"some\r\nPK\r\n"), 502, "when asked for the file of model 2"),
    "endless body": (forever(CHUNKED, chunk(bytes(100_000))), 502, "more than 1000000 bytes"),
    "endless body without chunks": (forever(head(), bytes(100_000)), 502, "more than 1000000 bytes"),
    "endless header": (forever(b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"x" * 4000 + b"\r\n"), 502, "does not answer"),
    "no HTTP": (saying(b"SSH-2.0-OpenSSH_9.9\r\n"), 502, "does not answer"),
    "page for a file": (page(b"<html>It works!</html>", Content_Type="text/html"), 409, "it is damaged"),
    "error with 200": (page(b'{"error": "no such model"}', Content_Type="application/json"), 409, "it is damaged"),
    "empty file": (page(b""), 409, "it is damaged"),
    "part of it": (saying(head("206 Partial Content", Content_Length=2), b"PK"), 502, "answered 206"),
    "no content": (saying(head("204 No Content")), 502, "answered 204"),
    "elsewhere": (saying(head("302 Found", Location="http://169.254.169.254/", Content_Length=0)), 502, "answered 302"),
    "busy": (saying(head("503 Service Unavailable", Content_Length=0)), 502, "answered 503"),
    "gone": (saying(head("404 Not Found", Content_Length=0)), 404, "no file of model 2"),
    "packed and not": (saying(head(Content_Encoding="gzip", Content_Length=4), b"PK\3\4"), 502, "does not answer"),
    "bomb": (saying(PACKED, chunk(gzip.compress(bytes(9_000_000))), b"0\r\n\r\n"), 502, "more than 1000000 bytes"),
    "packed and cut": (saying(PACKED, chunk(zlib.compress(b"abc")[:-3]), b"0\r\n\r\n"), 502, "does not answer"),
    "silence": (forever(b"", b"", pause=0.1), 502, "took too long"),
    "silence after the header": (forever(head(Content_Length=99), b"", pause=0.1), 502, "took too long"),
    "one byte at a time": (forever(head(Content_Length=99_999), b"P", pause=0.05), 502, "took too long"),
}  # fmt: skip


async def test_import_when_the_server_lies_about_the_file_or_is_slow_then_it_is_refused_by_name_and_nothing_stays(
    around: Around, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("prediction_service.clients.training.MOST_FILE_BYTES", 1_000_000)
    monkeypatch.setattr("prediction_service.clients.training.SILENT_SECONDS", 0.5)
    monkeypatch.setattr("prediction_service.clients.training.DOWNLOAD_SECONDS", 1.5)
    async with beside_a_running_model(around) as refusals:
        for what, (lie, status, words) in LIES.items():
            refusals.training.lie = lie
            await refusals.refused(what, status, words)
        refusals.training.lie = None
        # What is said of a model may be a lie as well.
        honest = dict(refusals.training.models[BAD])
        for what, lies, status, words in (
            ("another model", {"id": GOOD}, 502, "model 1 when asked for model 2"),
            ("digest of another", {"model_file_sha256": "0" * 64}, 409, "it is damaged"),
            ("digest that is a path", {"model_file_sha256": "../../../../../x"}, 409, "it is damaged"),
            ("digest in capitals", {"model_file_sha256": honest["model_file_sha256"].upper()}, 409, "it is damaged"),
            ("no digest", {"model_file_sha256": None}, 409, "has no file"),
            ("not ready", {"status": "TRAINING"}, 409, "only READY"),
            ("deleted", {"is_deleted": True}, 409, "deleted"),
            ("no name", {"name": "nul \x00"}, 502, "what no model can be"),
        ):
            refusals.training.models[BAD] = honest | lies
            await refusals.refused(what, status, words)
