"""The page system: the state of every part, the books, the settings of both services."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from shared.contracts.candle_feeds import CandleFeeds
from shared.contracts.packages import Packages
from streamlit_ui.app_pages.service_health import missing_shards
from streamlit_ui.app_pages.system_states import Seen, Tile, tiles
from streamlit_ui.app_pages.system_workers import spans
from streamlit_ui.client.system import get_health
from streamlit_ui.client.transport import Refused, Service
from tests.support.fake_services import Problem
from tests.support.ui_page import all_words
from tests.support.ui_system import books, configuration, feed, health, package, serve, statistics, worker
from tests.ui.conftest import Fakes, Open

NOW = datetime.now(UTC)


def test_state_when_all_is_well_then_every_part_says_so(fakes: Fakes, open_page: Open):
    serve(fakes.prediction, fakes.training)
    test = open_page("system")
    shown = all_words(test)
    assert "every part works" in shown
    for part in ("Database", "Migrations", "Listener", "Training queue", "Disk", "Packages", "up for 2 hours"):
        assert part in shown
    assert "64.0 GiB free" in shown
    assert list(test.dataframe[0].value["shards"]) == ["0–7"]
    assert "jeder Teil läuft" in all_words(open_page("system", lang="de"))


def test_state_when_a_service_is_gone_then_the_other_is_still_shown(fakes: Fakes, open_page: Open):
    serve(fakes.prediction, fakes.training)
    fakes.down("training")
    shown = all_words(open_page("system"))
    assert "The training service does not answer" in shown
    assert "1 running" in shown
    assert "1 out of order" in shown
    fakes.down("prediction")
    test = open_page("system")
    assert [one.label for one in test.button] == ["Try again", "Try again"]
    assert "2 out of order" in all_words(test)
    for view in ("books", "configuration"):
        assert "does not answer" in all_words(open_page("system", view=view))


def test_state_when_the_database_is_gone_then_that_is_the_word_and_not_that_of_each_request(
    fakes: Fakes, open_page: Open
):
    serve(fakes.prediction, fakes.training)
    lost = {"db_connected": False, "status": "degraded", "migrations": "unknown", "last_error": "no database"}
    fakes.prediction.get("/health", health(**lost))
    fakes.prediction.get("/stats", Problem(503, "the database does not answer"))
    test = open_page("system")
    assert "Asked by: prediction service" in all_words(test)
    assert not test.error


def test_health_when_the_service_answers_503_then_its_report_is_read():
    answers = {
        "/api/health": httpx2.Response(503, text=health(db_connected=False).model_dump_json()),
        "/late/health": httpx2.Response(
            503, json={"status": 503, "detail": "busy"}, headers={"content-type": "application/problem+json"}
        ),
    }
    transport = httpx2.MockTransport(lambda request: answers[request.url.path])

    def service(url: str) -> Service:
        return Service(name="prediction", url=url, http=httpx2.Client(transport=transport), key="")

    assert get_health(service("http://x/api")).db_connected is False
    with pytest.raises(Refused, match="busy"):
        get_health(service("http://x/late"))


def one(part: str, **changed: Any) -> Tile:
    """Give the tile of a part."""
    values: dict[str, Any] = {
        "now": NOW, "health": {"prediction": health(), "training": health("training")}, "statistics": statistics(),
        "feeds": [], "packages": [package()],
    }  # fmt: skip
    return next(tile for tile in tiles(Seen(**{**values, **changed})) if tile.part == part)


def both(**changed: Any) -> dict[str, Any]:
    """Give both services in the same state."""
    return {"health": {name: health(name, **changed) for name in ("prediction", "training")}}


@pytest.mark.parametrize(
    ("part", "changed", "level", "said"),
    [
        ("Migrations", both(migrations="pending"), "bad", "pumpcast migrate"),
        ("Listener", both(listener="polling"), "warning", "late"),
        ("Prediction workers", {"statistics": statistics(workers=[])}, "bad", "start prediction-worker"),
        ("Prediction workers", {"statistics": statistics(workers=[worker(shards=[0, 1])])}, "bad", "6 of 8"),
        ("Prediction workers", {"statistics": statistics(workers=[worker(trouble="disk full")])}, "warning", "full"),
        ("Prediction workers", {"statistics": statistics(workers=[worker(lag_seconds=90.0)])}, "warning", "2 minutes"),
        ("Books", {"statistics": statistics(books=books(owed=1203, balanced=False))}, "bad", "Unaccounted for: 3"),
        ("Outcomes", {"statistics": statistics(outcomes_behind_seconds=7200.0)}, "warning", ""),
        ("Webhooks", {"statistics": statistics(deliveries={"pending": 9})}, "busy", ""),
        ("Training queue", both(details={"jobs_waiting": 3, "jobs_running": 0}), "warning", "training-worker"),
        ("Training queue", both(details={"jobs_waiting": 3, "jobs_running": 1}), "busy", "3 waiting, 1 running"),
        ("Model files, training", both(model_store="read_only"), "bad", ""),
        ("Disk", both(disk_free_bytes=1 << 30), "warning", "Free some space"),
        ("Disk", both(disk_free_bytes=1 << 20), "bad", "Free some space"),
        ("Candle feeds", {"feeds": [feed(), feed("x", error="418 banned")]}, "bad", "418 banned"),
        ("Candle feeds", {"feeds": [feed(updated_at=None)]}, "warning", ""),
        ("Candle feeds", {"feeds": [feed()]}, "good", ""),
        ("Packages", {"packages": [package(warmup_status="FAILED", warmup_error="gap")]}, "warning", "gap"),
        ("Packages", {"packages": None}, "off", "does not tell"),
    ],
)  # fmt: skip
def test_tile_when_a_part_is_not_well_then_its_level_and_its_words_say_so(
    fakes: Fakes, part: str, changed: dict[str, Any], level: str, said: str
):
    tile = one(part, **changed)
    assert (tile.level, said in tile.detail) == (level, True)


def test_shards_when_workers_are_silent_then_their_parts_are_missing():
    dead = worker(shards=[4, 5, 6, 7], beat=NOW - timedelta(minutes=2))
    assert missing_shards([worker(shards=[0, 1, 2, 3, 4]), dead], NOW) == [5, 6, 7]
    assert [spans([0, 1, 2, 5, 7]), spans([])] == ["0–2, 5, 7", "–"]


def test_workers_when_one_is_dead_then_the_table_and_the_feeds_say_so(fakes: Fakes, open_page: Open):
    dead = worker(shards=[4], beat=NOW - timedelta(minutes=2), listener="polling")
    serve(fakes.prediction, fakes.training, workers=[worker(shards=[0, 1, 2, 3]), dead])
    failing = feed(error="418 banned")
    fakes.prediction.get("/candles/feeds", CandleFeeds(feeds=[failing]))
    test = open_page("system")
    all_words(test)
    workers, feeds = (frame.value for frame in test.dataframe)
    assert list(workers["state"]) == ["✓ up to date", "✗ silent"]
    assert list(workers["listener"]) == ["✓ listens", "! polling"]
    assert list(feeds["said"]) == ["418 banned"]


def test_books_when_they_balance_or_not_then_the_sum_and_the_reasons_show(fakes: Fakes, open_page: Open):
    old = datetime(2025, 9, 7, 12, tzinfo=UTC)
    serve(fakes.prediction, fakes.training, recording_clock=old)
    shown = all_words(open_page("system", view="books"))
    assert "Owed: 1,200" in shown
    assert "= Predictions: 1,150" in shown
    assert "+ Left out: 50 4.17" in shown
    assert "Repeated row" in shown
    assert "CATCHUP_MAX_AGE_SECONDS" in shown
    assert "a replay or an old recording" in shown
    serve(fakes.prediction, fakes.training, books=books(owed=1203, balanced=False, skipped={"new reason": 50}))
    shown = all_words(open_page("system", view="books"))
    assert "Unaccounted for: 3" in shown
    assert "≠ Predictions" in shown
    serve(fakes.prediction, fakes.training, books=books(rows=0, owed=0, predictions=0, skipped={}))
    assert "Nothing is owed yet" in all_words(open_page("system", view="books"))


def test_settings_when_shown_then_secrets_are_hidden_and_changed_ones_are_found(fakes: Fakes, open_page: Open):
    serve(fakes.prediction, fakes.training)
    test = open_page("system", view="configuration")
    table = test.dataframe[0].value.set_index("name")
    assert table.loc["API_KEYS", "value"] == "set (hidden)"
    assert table.loc["N8N_WEBHOOK_URL", "value"] == "not set"
    assert table.loc["DB_DSN", "value"] == "postgresql://db.lan/coins"
    assert table.loc["ALLOWED_HOSTS", "value"] == "bot.lan, n8n"
    assert table.loc["WEBHOOK_ALLOW_PRIVATE", "value"] == "false"
    assert list(table[table["changed"] != ""].index) == ["ALLOWED_HOSTS", "API_KEYS", "DB_DSN"]
    test.toggle(key="settings_changed").set_value(True).run()
    test.text_input(key="settings_search").set_value("api_k").run()
    assert list(test.dataframe[0].value["name"]) == ["API_KEYS"]
    assert (test.query_params["changed"], test.query_params["search"]) == ("1", "api_k")
    test.text_input(key="settings_search").set_value("nothing like it").run()
    assert "No setting matches" in all_words(test)


def test_settings_when_versions_differ_or_one_service_is_gone_then_it_is_said(fakes: Fakes, open_page: Open):
    serve(fakes.prediction, fakes.training)
    fakes.training.get("/configuration", configuration("training", version="9.9"))
    test = open_page("system", view="configuration", service="training")
    assert "update both to the same" in all_words(test)
    fakes.training.get("/configuration", Problem(404, "There is no such path"))
    assert "There is no such path" in all_words(open_page("system", view="configuration", service="training"))


def test_packages_when_there_are_none_then_that_is_no_trouble(fakes: Fakes, open_page: Open):
    serve(fakes.prediction, fakes.training)
    fakes.prediction.get("/model-packages", Packages(packages=[], total=0))
    assert "every part works" in all_words(open_page("system"))
