"""The checklist of packages, row by row: `test_plan_<row>` of its first table, `test_plan_summary_<row>` of its second.

Rows about pages are tested at what a page needs of the API: the list behind a choice, the detail of `?model=<id>`, and
the very form a browser sends.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import pytest

from prediction_service.settings import PredictionSettings
from prediction_service.usecases.package_work import work_on_packages
from shared.db import Connection, Pool
from shared.wakeup import Wakeup
from tests.support.package_files import PackageFiles, tiny_package
from tests.support.serving import Api
from tests.support.uploading import ROUTE, Part, files_below, parts, upload
from tests.support.warming import add_package, ask, bars_of, market, put, state

STRICT = f"{ROUTE}?strict=true"


@pytest.fixture(scope="module")
def package() -> PackageFiles:
    """Give the files of a package."""
    return tiny_package(symbol="BTCUSDT")


@pytest.fixture(scope="module")
def pair(package: PackageFiles) -> list[Part]:
    """Give the form of its upload."""
    return parts("Smoke Test Model", package.forecast, package.ppo, package.manifest)


@asynccontextmanager
async def working(pool: Pool, settings: PredictionSettings) -> AsyncIterator[None]:
    """Do what the process of packages does, in this one."""
    stop = asyncio.Event()
    async with Wakeup(settings.db_dsn, "packages_changed") as changes:
        task = asyncio.create_task(work_on_packages(pool, settings, changes, stop))
        try:
            yield
        finally:
            stop.set()
            await task


async def detail(api: Api, package_id: str = "smoke_test_model") -> dict[str, Any]:
    """Give what a page shows of `?model=<id>`."""
    status, shown = await api.get(f"/model-packages/{package_id}")
    assert status == 200
    return shown


async def until_warmup(api: Api, expected: str, package_id: str = "smoke_test_model") -> dict[str, Any]:
    """Wait for a state of the warm-up, as a page does; every other state on the way is given back in `seen`."""
    seen: list[str] = []
    for _ in range(3000):
        shown = await detail(api, package_id)
        if shown["warmup_status"] not in seen[-1:]:
            seen.append(shown["warmup_status"])
        if shown["warmup_status"] == expected:
            return shown | {"seen": seen}
        await asyncio.sleep(0.01)
    pytest.fail(f"warm-up went {seen}, never {expected}")


async def test_plan_1_upload_when_a_pair_is_sent_then_it_is_taken_and_stored_under_its_id(
    api: Api, configured: PredictionSettings, pair: list[Part], package: PackageFiles
):
    assert await upload(api, pair, "/model-packages/upload") == (
        201,
        {
            "id": "smoke_test_model", "name": "Smoke Test Model", "status": "UPLOADED", "warmup_required": True,
            "warmup_status": "PENDING",
        },
    )  # fmt: skip
    folder = configured.packages_folder / "smoke_test_model"
    assert (folder / "forecast_model.pt").read_bytes() == package.forecast
    assert (folder / "ppo_policy.zip").read_bytes() == package.ppo


@pytest.mark.parametrize(
    ("forecast", "ppo"), [("model.onnx", "policy.zip"), ("model.pt", "policy.pkl"), ("a.zip", "b.pt")]
)
async def test_plan_2_upload_when_a_file_is_of_another_type_then_400_and_nothing_is_kept(
    api: Api, configured: PredictionSettings, forecast: str, ppo: str, pair: list[Part], package: PackageFiles
):
    files = [
        Part(name="forecast_model", content=package.forecast, file_name=forecast),
        Part(name="ppo_model", content=package.ppo, file_name=ppo),
    ]
    status, refused = await upload(api, [pair[0], *files])
    assert (status, "must be a file whose name ends in" in refused["detail"]) == (400, True)
    assert (await api.get("/model-packages"))[1]["total"] == 0
    assert files_below(configured.packages_folder) == []


async def test_plan_3_registry_when_a_pair_was_uploaded_then_its_row_holds_paths_and_state(
    api: Api, connection: Connection, pair: list[Part]
):
    await upload(api, pair)
    row = await connection.fetchrow("SELECT * FROM model_packages WHERE id = 'smoke_test_model'")
    assert (row["name"], row["status"], row["warmup_required"], row["warmup_status"]) == (
        "Smoke Test Model", "UPLOADED", True, "PENDING"
    )  # fmt: skip
    assert row["forecast_rel_path"] == "smoke_test_model/forecast_model.pt"
    assert row["ppo_rel_path"] == "smoke_test_model/ppo_policy.zip"
    assert (row["warmup_completed_at"], row["warmup_error"]) == (None, None)


async def test_plan_4_list_when_several_are_there_then_all_are_listed(api: Api):
    for name in ("One", "Two", "Two"):
        await upload(api, parts(name))
    _, listed = await api.get("/model-packages")
    assert (listed["total"], {one["id"] for one in listed["packages"]}) == (3, {"one", "two", "two_2"})


async def test_plan_5_warm_up_when_fewer_than_1500_candles_are_there_then_nothing_is_answered_before_they_are(
    api: Api, pool: Pool, configured: PredictionSettings
):
    await add_package(pool, configured.packages_folder, symbol="BTCUSDT")
    rows = bars_of(market())
    await put(pool, rows[1:])
    status, refused = await ask(api)
    assert (status, "have 1499 of 1500 candles of BTCUSDT" in refused["detail"]) == (409, True)
    assert await state(pool) == ("READY", "PENDING", refused["detail"], False)
    await put(pool, rows[:1])
    status, signal = await ask(api)
    assert (status, signal["diagnostics"]["candles_used"]) == (200, 1500)
    shown = signal["diagnostics"]
    assert (shown["lookback_rows_used"], shown["warmup_ready"], shown["warmup_status"]) == (828, True, "DONE")


async def test_plan_6_dropdown_when_a_page_fills_it_then_the_list_has_name_id_and_state(api: Api, pair: list[Part]):
    await upload(api, pair)
    await upload(api, parts("Put Away"))
    await api.post("/model-packages/put_away/archive")
    _, listed = await api.get("/model-packages")
    assert [(one["id"], one["name"], one["status"], one["warmup_status"]) for one in listed["packages"]] == [
        ("put_away", "Put Away", "ARCHIVED", "PENDING"),
        ("smoke_test_model", "Smoke Test Model", "UPLOADED", "PENDING"),
    ]


async def test_plan_7_form_when_a_browser_sends_it_then_it_is_taken(api: Api, package: PackageFiles):
    # As a browser writes it: types of its own choice, an optional file that was left empty, no length of its parts.
    boundary = b"----WebKitFormBoundary7MA4YWxkTrZu0gW"
    data = b"".join(
        b"--" + boundary + b'\r\nContent-Disposition: form-data; name="' + head + b"\r\n\r\n" + content + b"\r\n"
        for head, content in (
            (b'name"', "Größe & Mut".encode()),
            (b'forecast_model"; filename="model (1).PT"\r\nContent-Type: application/octet-stream', package.forecast),
            (b'ppo_model"; filename="ppo_policy_final.zip"\r\nContent-Type: application/x-zip-compressed', package.ppo),
            (b'manifest"; filename=""\r\nContent-Type: application/octet-stream', b""),
        )
    )  # fmt: skip
    headers = {
        "Content-Type": f"multipart/form-data; boundary={boundary.decode()}", "Origin": "http://localhost:8501",
        "User-Agent": "Mozilla/5.0",
    }  # fmt: skip
    status, answer = await api.call("POST", ROUTE, data=data + b"--" + boundary + b"--\r\n", headers=headers)
    assert (status, answer["id"], answer["name"]) == (201, "gr_e_mut", "Größe & Mut")
    assert (await detail(api, "gr_e_mut"))["manifest"] == {}


async def test_plan_8_inference_when_another_package_is_chosen_then_that_one_answers_and_none_steps_in(
    api: Api, pool: Pool, configured: PredictionSettings
):
    for name, seed in (("one", 1), ("two", 2)):
        await add_package(pool, configured.packages_folder, name, files=tiny_package(seed), symbol="BTCUSDT")
    await put(pool, bars_of(market()))
    answers = {name: (await ask(api, name))[1] for name in ("one", "two", "paper_one")}
    assert answers["one"]["action_raw"] == answers["paper_one"]["action_raw"] != answers["two"]["action_raw"]
    assert (await ask(api, "three"))[0] == 404
    assert (await ask(api, "ppo_v1"))[0] == 404


async def test_plan_summary_1_dropdown_when_a_package_was_uploaded_then_it_is_there_at_once(api: Api, pair: list[Part]):
    before = (await api.get("/model-packages"))[1]["packages"]
    _, uploaded = await upload(api, pair)
    after = (await api.get("/model-packages"))[1]["packages"]
    assert [one["id"] for one in after if one not in before] == [uploaded["id"]]


async def test_plan_summary_2_upload_when_it_is_to_be_validated_at_once_then_a_wrong_pair_leaves_nothing(
    api: Api, configured: PredictionSettings, pair: list[Part], package: PackageFiles
):
    for wrong in (
        parts("Smoke Test Model", package.ppo, package.forecast, package.manifest),
        parts("Smoke Test Model", b"no tensors", package.ppo),
        parts("Smoke Test Model", package.forecast, package.ppo, {**package.manifest, "layout": "other/1"}),
    ):
        status, refused = await upload(api, wrong, STRICT)
        assert (status, refused["code"]) == (422, "package_invalid"), refused
        assert (await api.get("/model-packages"))[1]["total"] == 0
        assert files_below(configured.packages_folder) == []
    status, answer = await upload(api, pair, STRICT)
    assert (status, answer["id"], answer["status"]) == (201, "smoke_test_model", "READY"), answer
    shown = await detail(api)
    assert (shown["validated_at"] is not None, shown["warmup_status"]) == (True, "PENDING")
    assert shown["manifest"]["forecast"]["arch"] == "patchtst/1"


async def test_plan_summary_3_registry_when_a_pair_was_uploaded_then_row_list_and_detail_say_the_same(
    api: Api, connection: Connection, pair: list[Part]
):
    await upload(api, pair)
    shown = await detail(api)
    [listed] = (await api.get("/model-packages"))[1]["packages"]
    row = dict(await connection.fetchrow("SELECT * FROM model_packages"))
    assert listed.items() <= shown.items()
    for name, value in shown.items():
        found = row[name].isoformat().replace("+00:00", "Z") if isinstance(row[name], datetime) else row[name]
        assert found == value, name


async def test_plan_summary_4_choice_when_a_package_is_chosen_then_its_detail_has_all_a_page_shows(
    api: Api, pair: list[Part]
):
    await upload(api, pair)
    shown = await detail(api)
    assert shown["manifest"]["market"] == {"interval_seconds": 900, "warmup_bars": 1500, "symbol": "BTCUSDT"}
    assert shown["warmup_diagnostics"] == {}
    assert (await api.get("/model-packages/unknown"))[0] == 404
    status, account = await api.get("/paper/account/paper_smoke_test_model")
    assert (status, account["account_id"]) == (200, "paper_smoke_test_model")


async def test_plan_summary_5_warm_up_when_a_package_is_uploaded_then_the_worker_validates_and_warms_it_up(
    api: Api, pool: Pool, configured: PredictionSettings, pair: list[Part]
):
    await put(pool, bars_of(market()))
    await upload(api, pair)
    async with working(pool, configured):
        shown = await until_warmup(api, "DONE")
    assert shown["seen"] == ["PENDING", "RUNNING", "DONE"]
    assert (shown["status"], shown["warmup_completed_at"] is not None, shown["warmup_error"]) == ("READY", True, None)
    found = shown["warmup_diagnostics"]
    assert (found["lookback_rows_used"], found["warmup_ready"], found["warmup_status"]) == (828, True, "DONE")


async def test_plan_summary_6_inference_when_two_packages_are_asked_at_once_then_each_has_its_own_instance(
    api: Api, pool: Pool, configured: PredictionSettings
):
    for name, seed in (("one", 1), ("two", 2)):
        await add_package(pool, configured.packages_folder, name, files=tiny_package(seed), symbol="BTCUSDT")
    await put(pool, bars_of(market()))
    apart = {name: (await ask(api, name))[1]["action_raw"] for name in ("one", "two")}
    answers = await asyncio.gather(*(ask(api, name) for name in ("one", "two") * 10))
    assert [answer["action_raw"] for _, answer in answers] == [apart["one"], apart["two"]] * 10
    assert apart["one"] != apart["two"]


async def test_plan_summary_7_warm_up_when_it_fails_and_is_retried_then_each_state_is_kept_with_what_belongs_to_it(
    api: Api, pool: Pool, configured: PredictionSettings
):
    place = await add_package(pool, configured.packages_folder, symbol="BTCUSDT")
    await put(pool, bars_of(market()))
    good = (place / "ppo_policy.zip").read_bytes()
    (place / "ppo_policy.zip").write_bytes(good[:-1])
    assert (await ask(api))[0] == 409
    shown = await detail(api, "tiny")
    assert (shown["warmup_status"], shown["warmup_completed_at"]) == ("FAILED", None)
    assert "ppo_policy.zip" in shown["warmup_error"]
    (place / "ppo_policy.zip").write_bytes(good)
    status, shown = await api.post("/model-packages/tiny/warmup")
    assert (status, shown["warmup_status"], shown["warmup_error"], shown["warmup_completed_at"]) == (
        200, "PENDING", None, None
    )  # fmt: skip
    assert (await ask(api))[0] == 200
    shown = await detail(api, "tiny")
    assert (shown["warmup_status"], shown["warmup_error"]) == ("DONE", None)
    assert shown["warmup_completed_at"] is not None
    _, shown = await api.post("/model-packages/tiny/warmup")
    assert (shown["warmup_status"], shown["warmup_completed_at"]) == ("PENDING", None)


async def test_plan_summary_8_inference_when_a_package_is_chosen_then_its_files_answer(
    api: Api, pool: Pool, configured: PredictionSettings
):
    for name, seed in (("one", 1), ("two", 2)):
        await add_package(pool, configured.packages_folder, name, files=tiny_package(seed), symbol="BTCUSDT")
    await put(pool, bars_of(market()))
    for name in ("one", "two", "one"):
        _, signal = await ask(api, name)
        shown, found = await detail(api, name), signal["diagnostics"]
        assert (signal["model_id"], found["package_id"]) == (name, name)
        assert (found["forecast_sha256"], found["ppo_sha256"]) == (shown["forecast_sha256"], shown["ppo_sha256"])
    assert (await detail(api, "one"))["forecast_sha256"] != (await detail(api, "two"))["forecast_sha256"]
