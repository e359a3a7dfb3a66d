"""The registry of packages: listed, shown, warmed up again, put away, taken back, removed."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from prediction_service.settings import PredictionSettings
from prediction_service.store import packages
from shared.db import Connection, connect
from tests.support.serving import Api
from tests.support.uploading import files_below, parts, upload

POSITION = """
INSERT INTO paper_positions (account_id, symbol, side, size_usdt, margin, leverage, entry_price, current_price,
                             take_profit_pct, stop_loss_pct, expires_at)
VALUES ('paper_my_model', 'BTCUSDT', 'LONG', 100, 14, 7, 1, 1, 5, 3, now() + interval '2 days')
"""
WARM = """
UPDATE model_packages
SET status = 'READY', validated_at = now(), manifest = $1, warmup_status = 'DONE', warmup_completed_at = now(),
    warmup_diagnostics = '{"warmup_ready": true}'
WHERE id = 'my_model'
"""
MARKET = {"market": {"symbol": "BTCUSDT", "interval_seconds": 900, "warmup_bars": 4, "source": "candles"}}


async def fill(connection: Connection, *, candles: int, newest: datetime | None = None) -> None:
    """Store closed candles of BTCUSDT."""
    last = (newest or datetime.now(UTC)).timestamp() // 900 * 900
    opened = [datetime.fromtimestamp(last - 900 * number, UTC) for number in range(1, candles + 1)]
    await connection.executemany(
        "INSERT INTO candles (symbol, interval, open_time, open, high, low, close, volume)"
        " VALUES ('BTCUSDT', '15m', $1, 1, 1, 1, 1, 1)",
        [(moment,) for moment in opened],
    )


async def shown(api: Api, package_id: str = "my_model") -> dict[str, Any]:
    """Give one package as the registry shows it."""
    status, found = await api.get(f"/model-packages/{package_id}")
    assert status == 200
    return found


async def test_registry_when_asked_then_it_lists_the_newest_first_at_both_places(api: Api):
    for name in ("First", "Second"):
        assert (await upload(api, parts(name)))[0] == 201
    status, listed = await api.get("/api/model-packages")
    assert (status, await api.get("/model-packages")) == (200, (200, listed))
    assert listed["total"] == 2
    assert [(package["id"], package["name"], package["warmup_status"]) for package in listed["packages"]] == [
        ("second", "Second", "PENDING"), ("first", "First", "PENDING")
    ]  # fmt: skip
    assert "manifest" not in listed["packages"][0]


async def test_package_when_called_by_its_account_then_it_is_the_same(api: Api):
    await upload(api)
    assert await shown(api, "paper_my_model") == await shown(api)


UNKNOWN = [
    ("GET", ""), ("DELETE", ""), ("POST", "/warmup"), ("POST", "/archive"), ("POST", "/restore"),
]  # fmt: skip


async def test_package_when_unknown_then_every_route_says_404(api: Api):
    await upload(api)
    for package_id in ("none", "MY_MODEL", "my_model_2", "paper_none", "%00", "..", "x" * 3000, "my%5Fmodel%20"):
        for method, path in UNKNOWN:
            status, answer = await api.call(method, f"/api/model-packages/{package_id}{path}")
            assert (status, answer["status"]) == (404, 404), (package_id, method, path)
    assert (await api.get("/model-packages"))[1]["total"] == 1


async def test_archive_when_done_and_undone_then_the_package_is_as_before(api: Api, connection: Connection):
    await upload(api)
    await connection.execute(WARM, MARKET)
    before = await shown(api)
    for _ in range(2):
        status, archived = await api.post("/api/model-packages/my_model/archive")
        assert (status, archived["status"], archived["warmup_status"]) == (200, "ARCHIVED", "DONE")
        assert archived["archived_at"] is not None
    status, refused = await api.post("/model-packages/my_model/warmup")
    assert (status, "is archived" in refused["detail"]) == (409, True)
    for _ in range(2):
        status, restored = await api.post("/api/model-packages/my_model/restore")
        assert (status, restored | {"updated_at": 0}) == (200, before | {"updated_at": 0})


async def test_restore_when_it_was_never_validated_then_it_is_uploaded_not_ready(api: Api):
    await upload(api)
    await api.post("/model-packages/my_model/archive")
    assert (await api.post("/model-packages/my_model/restore"))[1]["status"] == "UPLOADED"


async def test_warmup_when_asked_for_then_it_waits_again_without_a_trace_and_workers_are_told(
    api: Api, connection: Connection
):
    await upload(api)
    await connection.execute(WARM, MARKET)
    await connection.execute(
        "UPDATE model_packages SET warmup_status = 'FAILED', warmup_error = 'x', warmup_completed_at = NULL"
    )
    await fill(connection, candles=4)
    told = asyncio.Event()
    await connection.add_listener(packages.CHANNEL, lambda *_: told.set())
    status, package = await api.post("/api/model-packages/my_model/warmup")
    assert (status, package["warmup_status"], package["warmup_error"]) == (200, "PENDING", None)
    await asyncio.wait_for(told.wait(), 10)
    await connection.execute("UPDATE model_packages SET warmup_status = 'DONE', warmup_completed_at = now()")
    _, package = await api.post("/api/model-packages/my_model/warmup")
    assert (package["status"], package["warmup_status"], package["warmup_completed_at"]) == ("READY", "PENDING", None)


async def test_warmup_when_candles_are_missing_then_it_says_how_many_and_changes_nothing(
    api: Api, connection: Connection
):
    await upload(api)
    await connection.execute(WARM, MARKET)
    before = await shown(api)
    status, refused = await api.post("/model-packages/my_model/warmup")
    assert (status, "have 0 of 4 candles of BTCUSDT" in refused["detail"]) == (409, True)
    await fill(connection, candles=3)
    status, refused = await api.post("/model-packages/my_model/warmup")
    assert (status, "have 3 of 4 candles of BTCUSDT" in refused["detail"]) == (409, True)
    await fill(connection, candles=2, newest=datetime.now(UTC) - timedelta(hours=1))
    status, refused = await api.post("/model-packages/my_model/warmup")
    assert (status, "have 3 of 4 candles" in refused["detail"], "gap" in refused["detail"]) == (409, True, True)
    assert await shown(api) == before


async def test_delete_when_nothing_is_open_then_row_and_files_go_and_the_account_stays(
    api: Api, configured: PredictionSettings, connection: Connection
):
    await upload(api)
    await connection.execute("INSERT INTO paper_accounts (id, package_id) VALUES ('paper_my_model', 'my_model')")
    await connection.execute(POSITION)
    status, refused = await api.call("DELETE", "/api/model-packages/my_model")
    assert (status, refused["detail"]) == (
        409, "Package my_model has 1 open position: close them first, or archive it"
    )  # fmt: skip
    assert (configured.packages_folder / "my_model" / "forecast_model.pt").is_file()
    await connection.execute(
        "UPDATE paper_positions SET status = 'CLOSED', exit_price = 1, pnl = 0, close_reason = 'TP', closed_at = now()"
    )
    assert (await api.call("DELETE", "/api/model-packages/my_model"))[0] == 204
    assert files_below(configured.packages_folder) == []
    assert (await api.get("/model-packages"))[1] == {"packages": [], "total": 0}
    assert await connection.fetchval("SELECT count(*) FROM paper_positions") == 1
    # The history is that of another model: one of the same name begins its own.
    assert (await upload(api))[1]["id"] == "my_model_2"
    await connection.execute("DELETE FROM paper_positions")
    await connection.execute("DELETE FROM paper_accounts")
    assert (await upload(api))[1]["id"] == "my_model"


async def test_delete_when_it_is_being_warmed_up_then_it_waits_for_the_end(
    api: Api, configured: PredictionSettings, database: str
):
    await upload(api)
    holder = await connect(database)
    assert await packages.try_hold(holder, "my_model")
    status, refused = await api.call("DELETE", "/model-packages/my_model")
    assert (status, "being validated or warmed up" in refused["detail"]) == (409, True)
    assert not list(configured.packages_folder.glob("*/.*"))
    await holder.close()
    assert (await api.call("DELETE", "/model-packages/my_model"))[0] == 204


async def test_delete_when_ten_ask_at_once_then_one_removes_it(api: Api, configured: PredictionSettings):
    await upload(api)
    answers = await asyncio.gather(*(api.call("DELETE", "/model-packages/my_model") for _ in range(10)))
    assert sorted(status for status, _ in answers) == [204] + [404] * 9
    assert files_below(configured.packages_folder) == []


async def test_delete_when_its_files_are_gone_already_then_it_works(api: Api, configured: PredictionSettings):
    await upload(api)
    for path in (configured.packages_folder / "my_model").iterdir():
        path.unlink()
    (configured.packages_folder / "my_model").rmdir()
    assert (await api.call("DELETE", "/model-packages/my_model"))[0] == 204


async def test_warm_up_writes_when_the_package_was_made_anew_then_they_change_nothing(api: Api, connection: Connection):
    await upload(api)
    old = await packages.get(connection, "my_model")
    assert old is not None
    await api.call("DELETE", "/model-packages/my_model")
    await upload(api)
    assert await packages.claim_warmup(connection, old) is None
    assert not await packages.set_validated(connection, old, {})
    assert not await packages.fail(connection, old, "of the old one")
    assert not await packages.wait_with(connection, old, "of the old one")
    new = await shown(api)
    assert (new["status"], new["warmup_status"], new["warmup_error"]) == ("UPLOADED", "PENDING", None)


async def test_openapi_when_read_then_each_route_of_packages_is_there_once_with_its_form(api: Api):
    _, document = await api.get("/openapi.json")
    routes = {path: sorted(operations) for path, operations in document["paths"].items() if "model-packages" in path}
    assert routes == {
        "/api/model-packages": ["get"],
        "/api/model-packages/upload": ["post"],
        "/api/model-packages/{package_id}": ["delete", "get"],
        "/api/model-packages/{package_id}/warmup": ["post"],
        "/api/model-packages/{package_id}/archive": ["post"],
        "/api/model-packages/{package_id}/restore": ["post"],
    }
    content = document["paths"]["/api/model-packages/upload"]["post"]["requestBody"]["content"]
    schema = content["multipart/form-data"]["schema"]
    assert schema["required"] == ["name", "forecast_model", "ppo_model"]
    assert sorted(schema["properties"]) == ["forecast_model", "manifest", "name", "ppo_model"]
