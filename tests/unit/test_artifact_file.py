"""A model file as bytes: whatever is wrong with the zip or its signature is refused with a sentence."""

import hashlib
import warnings
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import artifact_zip
from shared.artifact import read_artifact, verify, write_artifact
from shared.contracts.artifact import Histogram
from shared.errors import ArtifactInvalid
from tests.support.model_files import changed, good_file, packed, parts_of


def keys() -> tuple[str, str]:
    private = Ed25519PrivateKey.generate()
    return private.private_bytes_raw().hex(), private.public_key().public_bytes_raw().hex()


def signed_file(folder: Path, private: str) -> bytes:
    read = read_artifact(good_file(folder))
    write_artifact(folder / "signed.zip", manifest=read.manifest, onnx=read.onnx, signing_key=private)
    return (folder / "signed.zip").read_bytes()


@pytest.fixture
def good(tmp_path: Path) -> bytes:
    return good_file(tmp_path)


def refusal(content: bytes, *, sha256: str | None = None, public_keys: tuple[str, ...] = ()) -> str:
    """Give the sentence with which a file is refused."""
    with pytest.raises(ArtifactInvalid) as caught:
        verify(read_artifact(content, sha256=sha256, public_keys=public_keys))
    return caught.value.message


def test_file_when_good_then_it_answers_and_the_same_content_gives_the_same_bytes(good: bytes, tmp_path: Path):
    read = read_artifact(good)
    verify(read)
    digest = write_artifact(tmp_path / "again.zip", manifest=read.manifest, onnx=read.onnx)
    assert digest == read.sha256
    assert (tmp_path / "again.zip").read_bytes() == good


def test_file_when_it_tells_of_its_probabilities_then_so_does_what_is_read_and_an_older_one_may_not(
    good: bytes, tmp_path: Path
):
    read = read_artifact(good)
    assert read.manifest.score_histogram is None
    spread = Histogram(edges=(0.01, 0.2, 0.9), counts=(90, 10), missing=0)
    write_artifact(
        tmp_path / "newer.zip", manifest=read.manifest.model_copy(update={"score_histogram": spread}), onnx=read.onnx
    )
    assert read_artifact((tmp_path / "newer.zip").read_bytes()).manifest.score_histogram == spread
    older = changed(good, lambda manifest: manifest.pop("score_histogram", None))
    verify(read_artifact(older))
    assert read_artifact(older).manifest.score_histogram is None


def test_file_when_its_digest_is_not_the_promised_one_then_refused(good: bytes):
    assert "was promised: it is damaged" in refusal(good, sha256="0" * 64)


def test_file_when_cut_short_then_refused_at_every_length(good: bytes):
    lengths = {0, 1, 21, 22, len(good) // 2, len(good) - 23, len(good) - 22, len(good) - 1}
    assert {refusal(good[:length]) for length in lengths} == {
        "the model file is not a readable zip: it is cut short or damaged"
    }


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_file_when_a_byte_is_changed_then_it_is_refused_or_means_the_same(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
):
    good = good_file(tmp_path_factory.mktemp("model"))
    at = data.draw(st.integers(0, len(good) - 1))
    value = data.draw(st.integers(1, 255))
    damaged = good[:at] + bytes([good[at] ^ value]) + good[at + 1 :]
    # Dates, versions and such in the zip's own tables mean nothing.
    with suppress(ArtifactInvalid):
        read, undamaged = read_artifact(damaged), read_artifact(good)
        assert (read.manifest, read.onnx) == (undamaged.manifest, undamaged.onnx)
    assert "it is damaged" in refusal(damaged, sha256=hashlib.sha256(good).hexdigest())


@pytest.mark.parametrize("before_or_after", ["before", "after", "a zip before", "comment"])
def test_file_when_bytes_stand_before_or_after_the_zip_then_refused(good: bytes, before_or_after: str):
    content = {
        "before": b"#!/bin/sh\n" + good,
        "after": good + b"rm -rf",
        "a zip before": good + good,
        "comment": good[:-2] + b"\x02\x00hi",
    }[before_or_after]
    assert refusal(content) == "the model file has bytes before or after its zip"


def test_file_when_an_entry_is_foreign_twice_or_missing_then_refused(good: bytes):
    parts = list(parts_of(good).items())
    foreign = "the model file holds an entry that does not belong there"
    assert refusal(packed([*parts, ("run.pkl", b"x")])) == foreign
    assert refusal(packed([*parts, ("../manifest.json", b"x")])) == foreign
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        assert refusal(packed([*parts, parts[0]])) == foreign
    for part in parts:
        assert refusal(packed([part])) == "the model file lacks manifest.json or model.onnx"


def test_file_when_an_entry_is_too_large_then_refused_before_it_is_unpacked(
    good: bytes, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(artifact_zip, "MAX_ONNX_BYTES", 1000)
    bomb = packed([("manifest.json", b"{}"), ("model.onnx", bytes(1001))])
    assert refusal(bomb) == "model.onnx in the model file is larger than 1000 bytes"
    assert refusal(packed([("manifest.json", bytes(artifact_zip.MAX_MANIFEST_BYTES + 1))])).startswith(
        "manifest.json in"
    )
    # A table of contents that lies about the size.
    lying = bomb.replace((1001).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    assert refusal(lying) == "the model file is not a readable zip: it is cut short or damaged"


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_file_when_packed_in_another_way_then_refused_even_when_damaged(good: bytes, compression: int):
    content = packed(list(parts_of(good).items()), compression=compression)
    damaged = content[:60] + bytes(30) + content[90:]
    told = "manifest.json in the model file is packed in a way that is not read here"
    assert {refusal(content), refusal(damaged)} == {told}


def test_file_when_a_key_is_asked_for_then_only_its_signature_passes(good: bytes, tmp_path: Path):
    private, public = keys()
    _, other = keys()
    signed = signed_file(tmp_path, private)

    verify(read_artifact(signed, public_keys=(public,)))
    assert refusal(good, public_keys=(public,)) == "the model file is not signed, and ARTIFACT_PUBLIC_KEY asks for it"
    assert refusal(signed, public_keys=(other,)) == "the model file is not signed with a key of ARTIFACT_PUBLIC_KEY"
    parts = parts_of(signed)
    altered = parts["manifest.json"].replace(b'"model 1"', b'"model 2"')
    for change in ({"manifest.json": altered}, {"signature": bytes(64)}, {"signature": b"short"}):
        content = packed(list((parts | change).items()))
        assert "is not signed with a key" in refusal(content, public_keys=(public,))


def test_file_when_signed_and_the_model_is_exchanged_then_refused(tmp_path: Path):
    private, public = keys()
    parts = parts_of(signed_file(tmp_path, private))
    content = packed(list((parts | {"model.onnx": parts["model.onnx"] + b"\0"}).items()))
    assert refusal(content, public_keys=(public,)) == "model.onnx is not the one its manifest names"
