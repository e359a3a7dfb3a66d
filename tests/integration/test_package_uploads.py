"""Packages are uploaded: whole, many at once, cut off, refused. What was not answered 201 left nothing."""

import asyncio
import hashlib

import pytest

from prediction_service.settings import PredictionSettings
from shared.db import Connection
from tests.support.serving import Api
from tests.support.upload_refusals import cases
from tests.support.uploading import MIB, PPO, ROUTE, arriving, files_below, left, parts, streamed, upload


@pytest.fixture
def configured(configured: PredictionSettings) -> PredictionSettings:
    """Allow a megabyte for each file."""
    return configured.model_copy(update={"model_package_max_forecast_mb": 1, "model_package_max_ppo_mb": 1})


async def test_upload_when_whole_then_files_row_and_answer_agree(
    api: Api, configured: PredictionSettings, connection: Connection
):
    forecast = bytes(range(256)) * 4096
    manifest = {"market": {"symbol": "BTCUSDT"}, "description": "größer"}
    notified = asyncio.Event()
    await connection.add_listener("packages_changed", lambda *_: notified.set())
    status, answer = await upload(api, parts("Größe 1, BTC", forecast, PPO, manifest))
    assert (status, answer) == (
        201,
        {
            "id": "gr_e_1_btc", "name": "Größe 1, BTC", "status": "UPLOADED", "warmup_required": True,
            "warmup_status": "PENDING",
        },
    )  # fmt: skip
    await asyncio.wait_for(notified.wait(), 10)
    folder = configured.packages_folder / "gr_e_1_btc"
    assert (folder / "forecast_model.pt").read_bytes() == forecast
    assert (folder / "ppo_policy.zip").read_bytes() == PPO
    assert files_below(configured.packages_folder) == [
        "gr_e_1_btc", "gr_e_1_btc/forecast_model.pt", "gr_e_1_btc/manifest.json", "gr_e_1_btc/ppo_policy.zip"
    ]  # fmt: skip
    _, shown = await api.get("/model-packages/gr_e_1_btc")
    assert shown["manifest"] == manifest
    assert (shown["forecast_rel_path"], shown["ppo_rel_path"]) == (
        "gr_e_1_btc/forecast_model.pt", "gr_e_1_btc/ppo_policy.zip"
    )  # fmt: skip
    assert (shown["forecast_sha256"], shown["forecast_bytes"]) == (hashlib.sha256(forecast).hexdigest(), MIB)
    assert (shown["ppo_sha256"], shown["ppo_bytes"]) == (hashlib.sha256(PPO).hexdigest(), len(PPO))


async def test_upload_when_names_are_unusual_then_ids_are_safe_and_differ(api: Api, configured: PredictionSettings):
    names = {
        "BTC 15m": "btc_15m", "btc-15M": "btc_15m_2", "BTC 15m 3": "btc_15m_3", "BTC/15m": "btc_15m_4", "..": "package",
        "模型": "package_2", "../../etc/passwd": "etc_passwd", "paper_x": "x", "X": "x_2", "a" * 200: "a" * 100,
        "é" * 200: "package_3", "  padded  ": "padded", ".incoming": "incoming", "<b>&\"'": "b",
    }  # fmt: skip
    given = {}
    for name in names:
        status, answer = await upload(api, parts(name))
        assert (status, answer["name"]) == (201, name.strip())
        given[name] = answer["id"]
    assert given == names
    assert sorted(path.name for path in configured.packages_folder.iterdir()) == sorted([*names.values(), ".incoming"])


async def test_upload_when_twenty_have_one_name_then_each_has_an_id_and_its_own_files(
    api: Api, configured: PredictionSettings, connection: Connection
):
    sent = [b"forecast %d" % number * 1000 for number in range(20)]
    answers = await asyncio.gather(*(upload(api, parts("Same", forecast)) for forecast in sent))
    assert [status for status, _ in answers] == [201] * 20
    assert {answer["id"] for _, answer in answers} == {"same", *(f"same_{number}" for number in range(2, 21))}
    for forecast, (_, answer) in zip(sent, answers, strict=True):
        row = await connection.fetchrow("SELECT * FROM model_packages WHERE id = $1", answer["id"])
        assert row["forecast_sha256"] == hashlib.sha256(forecast).hexdigest()
        assert (configured.packages_folder / row["forecast_rel_path"]).read_bytes() == forecast
    assert not list(configured.packages_folder.glob("*/.*"))
    assert arriving(configured) == []


async def test_upload_when_one_has_a_folder_without_a_row_then_the_next_number_is_given(
    api: Api, configured: PredictionSettings
):
    (configured.packages_folder / "my_model").mkdir(parents=True)
    (configured.packages_folder / "my_model_2").symlink_to("/nowhere")
    assert (await upload(api))[1]["id"] == "my_model_3"


async def test_upload_when_it_cannot_be_meant_then_it_is_refused_in_words_and_leaves_nothing(
    api: Api, configured: PredictionSettings, connection: Connection
):
    wrong = {}
    for case, (data, headers, status, words) in cases().items():
        found, answer = await api.call("POST", ROUTE, data=data if len(data) < MIB else streamed(data), headers=headers)
        if found != status or words not in answer["detail"] or answer["status"] != status:
            wrong[case] = found, answer["detail"]
    assert wrong == {}
    status, answer = await upload(api, path=f"{ROUTE}?stric=true")
    assert (status, answer["errors"][0]["pointer"]) == (422, "/query/stric")
    assert await left(connection, configured) == (0, [])
