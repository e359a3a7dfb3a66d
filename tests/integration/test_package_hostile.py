"""Packages of strangers are uploaded: whatever is wrong with them, they are refused, nothing stays and nothing runs."""

import base64
import pickle
from pathlib import Path
from typing import Any

import pytest

from prediction_service.runtime.packages.validator import Task, judge
from prediction_service.settings import PredictionSettings
from shared.db import Connection
from tests.support.hostile_manifests import MANIFESTS, POLICIES, described
from tests.support.hostile_packages import CODE, PICKLES, STRUCTURE, TENSORS, Case, forecast
from tests.support.hostile_zips import executing
from tests.support.package_files import PackageFiles, probed, tiny_package
from tests.support.serving import Api
from tests.support.uploading import ROUTE, arriving, left, parts, upload

STRICT = f"{ROUTE}?strict=true"
PLACES = 20


def cut(place: int) -> Case:
    return forecast(lambda data, _: data[: len(data) * place // PLACES], "no complete zip file")


CUT = {f"forecaster cut off at {place} of {PLACES}": cut(place) for place in range(1, PLACES)}
# Each costs seconds, as torch is loaded for it: the other manifests are judged in this process.
WITH_TORCH = ("other context length", "other files", "nested deeply", "forecaster of another pair")
UPLOADED = {
    "structure": STRUCTURE, "cut off": CUT, "code": CODE, "pickles": PICKLES, "tensors": TENSORS, "policies": POLICIES,
    "manifests": {name: MANIFESTS[name] for name in WITH_TORCH},
}  # fmt: skip
ALL = STRUCTURE | CODE | PICKLES | TENSORS | POLICIES | MANIFESTS
OF_THE_SERVICE = {"nested deeply"}


@pytest.fixture(scope="module")
def good() -> PackageFiles:
    return tiny_package()


@pytest.mark.parametrize("kind", UPLOADED)
async def test_upload_when_hostile_then_refused_and_nothing_stays_or_runs(
    api: Api, configured: PredictionSettings, connection: Connection, good: PackageFiles, tmp_path: Path, kind: str
):
    before, marker, wrong = await left(connection, configured), tmp_path / "marker", dict[str, Any]()
    for name, (change, words) in UPLOADED[kind].items():
        pair = change(good, marker)
        status, problem = await upload(api, parts(name, pair.forecast, pair.ppo, pair.manifest), STRICT)
        sentence = problem.get("detail", "")
        is_told = (status, problem.get("code")) == (422, "package_invalid") and words in sentence
        if not is_told or not sentence.isprintable() or len(sentence) > 1000 or str(tmp_path) in sentence:
            wrong[name] = status, problem
        if await left(connection, configured) != before or arriving(configured):
            wrong[name] = "something stayed"
        if marker.exists():
            wrong[name] = "code has run"
    assert wrong == {}


@pytest.mark.parametrize("name", sorted(ALL.keys() - OF_THE_SERVICE))
def test_verdict_when_pair_is_hostile_then_refused_in_these_words_and_nothing_runs(
    good: PackageFiles, tmp_path: Path, name: str
):
    change, words = ALL[name]
    marker = tmp_path / "marker"
    pair = change(good, marker)
    verdict = judge(Task(folder=pair.write(tmp_path / "pair"), given=pair.manifest))
    sentence = verdict.refused or ""
    assert words in sentence, verdict
    assert sentence.isprintable()
    assert len(sentence) < 1000
    assert verdict.trace == ""
    assert not marker.exists()


async def test_upload_when_good_then_ready_and_what_nobody_reads_does_not_run(
    api: Api, good: PackageFiles, tmp_path: Path
):
    pair, marker = probed(good), tmp_path / "marker"
    code = base64.b64encode(pickle.dumps(executing(marker))).decode()

    def plant(told: dict[str, Any]) -> None:
        for part in ("policy_class", "observation_space", "action_space", "lr_schedule"):
            told[part][":serialized:"] = code

    policy = described(plant)(pair.ppo, marker)
    status, answer = await upload(api, parts("Good", pair.forecast, policy, pair.manifest), STRICT)
    assert (status, answer["status"]) == (201, "READY"), answer
    assert not marker.exists()
    _, shown = await api.get("/model-packages/good")
    assert shown["manifest"]["sha256"] == {"forecast_model": shown["forecast_sha256"], "ppo_model": shown["ppo_sha256"]}
    assert shown["validated_at"] is not None
