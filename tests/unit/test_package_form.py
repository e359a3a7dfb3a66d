"""The form of an upload, however it is cut into blocks."""

import hashlib
import itertools
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prediction_service.usecases.package_form import MIB, FormReader, Stored, boundary_of
from prediction_service.usecases.upload import slug_of
from shared.errors import Invalid
from tests.support.uploading import BOUNDARY, body, content_type, parts

# Bytes that look like the boundary until the last of them.
CONTENT = st.lists(
    st.sampled_from([b"\r", b"\n", b"--", b"\r\n--" + BOUNDARY.encode()[:-1], b"\r\n", b"\0", b"x", b"-" * 30]),
    min_size=1,
).map(b"".join)


def read(folder: Path, data: bytes, cuts: list[int]) -> tuple[object, ...]:
    most = {"forecast_model": MIB, "ppo_model": MIB}
    reader = FormReader(folder, boundary_of(content_type()["Content-Type"]), most=most, least_free=0)
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    try:
        for start, end in itertools.pairwise(edges):
            reader.feed(data[start:end])
        form = reader.finish()
    finally:
        reader.close()
    return form.name, form.forecast, form.ppo, dict(form.manifest)


@given(
    forecast=CONTENT,
    ppo=CONTENT,
    name=st.sampled_from(["a", " é\t", "模型"]),
    cuts=st.lists(st.integers(0, 10_000), max_size=30),
)
def test_form_when_cut_anywhere_then_every_byte_of_its_files_arrives(
    forecast: bytes, ppo: bytes, name: str, cuts: list[int]
):
    with TemporaryDirectory() as place:
        folder = Path(place)
        read_name, first, second, manifest = read(folder, body(parts(name, forecast, ppo, {"a": [1.5, None]})), cuts)
        assert (folder / "forecast_model.pt").read_bytes() == forecast
        assert (folder / "ppo_policy.zip").read_bytes() == ppo
    assert (read_name, manifest) == (name.strip(), {"a": [1.5, None]})
    assert (first, second) == tuple(
        Stored(sha256=hashlib.sha256(content).hexdigest(), size=len(content)) for content in (forecast, ppo)
    )


@pytest.mark.parametrize("name", ["a\u202eb", "\u2067abc", "\u200b", "\u00a0\u0301", "a\nb", "\x7f"])
def test_name_when_it_cannot_be_seen_or_turns_what_stands_behind_it_then_it_is_refused(tmp_path: Path, name: str):
    with pytest.raises(Invalid, match="name must "):
        read(tmp_path, body(parts(name, b"f", b"p", {})), [])


@given(
    name=st.one_of(
        st.text(min_size=1, max_size=200), st.lists(st.sampled_from(["Paper", " ", "_", "2", "İ"])).map("".join)
    )
)
def test_slug_when_made_of_any_name_then_it_is_an_id_that_no_account_has(name: str):
    for package_id in (slug_of(name), f"{slug_of(name)}_2"):
        assert re.fullmatch(r"[a-z0-9][a-z0-9_]{0,126}", package_id)
        assert not package_id.startswith("paper_")
