"""Model files written by earlier versions still load, prove themselves, and say what they said."""

import json

import numpy as np
import pytest

from shared.artifact import read_artifact, verify
from shared.contracts.artifact import FORMAT
from shared.errors import ArtifactInvalid
from tests.support.model_files import changed
from tests.support.old_artifacts import EXPECTED, FOLDER, KINDS, answers

KEPT = json.loads((FOLDER / EXPECTED).read_text())


def test_model_files_when_the_format_is_the_present_one_then_one_of_each_kind_is_kept():
    assert {f"format{FORMAT}-{name}.zip" for name in KINDS} <= KEPT.keys()
    assert {path.name for path in FOLDER.glob("*.zip")} == KEPT.keys()


@pytest.mark.parametrize("file", sorted(KEPT))
def test_model_file_of_an_earlier_version_says_what_it_said(file: str):
    rows = np.array([[np.nan if cell is None else cell for cell in row] for row in KEPT[file]["rows"]], np.float32)
    said = answers((FOLDER / file).read_bytes(), rows)
    assert said == pytest.approx(KEPT[file]["probabilities"], abs=1e-6)
    assert len(set(said)) > 1


@pytest.mark.parametrize("file", sorted(KEPT))
def test_model_file_of_a_later_version_is_refused_with_both_numbers(file: str):
    later = changed((FOLDER / file).read_bytes(), lambda manifest: manifest.update(format=FORMAT + 1))
    with pytest.raises(ArtifactInvalid, match=f"has format {FORMAT + 1}, this service reads format {FORMAT}"):
        verify(read_artifact(later))
