"""The page of packages: which there are, how they stand, what they say, and bringing new ones."""

import pytest
from streamlit.testing.v1 import AppTest

from shared.contracts.candle_feeds import CandleFeed, CandleFeeds
from shared.contracts.packages import Packages, UploadedPackage
from shared.contracts.paper import SignalTaken
from streamlit_ui.formats import plain
from tests.support.fake_services import Asked, Problem
from tests.support.ui_packages import account, package, position, serve, signal
from tests.support.ui_page import all_words, press
from tests.ui.conftest import Fakes, Open

SIGNAL = "/paper/ml-signal/mine"
TOO_FEW = "have 85 of 1500 candles of SIMUSDT 15m: before them there is a gap"


def test_packages_when_there_are_none_then_it_says_how_to_get_one(fakes: Fakes, open_page: Open):
    fakes.prediction.get("/model-packages", Packages(packages=[], total=0))
    assert "No package yet" in all_words(open_page("packages"))


def test_packages_when_the_service_is_down_then_a_banner_offers_to_try_again(fakes: Fakes, open_page: Open):
    fakes.down("prediction")
    test = open_page("packages")
    assert "prediction service" in test.error[0].value
    assert test.button(key="retry_prediction")
    assert not test.exception


def test_packages_when_the_address_names_one_then_it_is_shown_with_its_state(fakes: Fakes, open_page: Open):
    serve(fakes.prediction, package("newest"), package("mine"), package("old", status="ARCHIVED"))
    test = open_page("packages", model="paper_mine")
    assert test.selectbox(key="pick_model").value == "mine"
    assert "warmed up" in all_words(test)
    assert "old · archived" in test.selectbox(key="pick_model").options[-1].lower()


def test_packages_when_the_address_names_none_there_is_then_it_says_so_and_what_there_is(fakes: Fakes, open_page: Open):
    serve(fakes.prediction, package("mine"))
    test = open_page("packages", model="../gone")
    assert "`../gone`" in test.error[0].value
    assert [one.path for one in fakes.prediction.asked] == ["/model-packages"]


def test_selector_when_another_is_chosen_then_the_address_says_it(fakes: Fakes, open_page: Open):
    serve(fakes.prediction, package("mine"), package("other"))
    test = open_page("packages")
    assert test.query_params["model"] == "mine"
    test.selectbox(key="pick_model").set_value("other").run()
    assert test.query_params["model"] == "other"
    assert fakes.prediction.asked[-3].path != SIGNAL
    assert "/paper/ml-signal/other" in {one.path for one in fakes.prediction.asked}


def test_demonstration_when_shown_then_it_is_called_one(fakes: Fakes, open_page: Open):
    serve(fakes.prediction, package("ppo_v1", is_builtin=True))
    assert "knows nothing of any real market" in all_words(open_page("packages"))


def test_warm_up_when_it_failed_then_the_reason_stands_in_full_and_a_button_tries_again(fakes: Fakes, open_page: Open):
    why = "torch is not installed: pip install 'pumpcast[packages]' brings it"
    mine = package("mine", warmup_status="FAILED", warmup_error=why)
    serve(fakes.prediction, mine)
    fakes.prediction.on("POST", "/model-packages/mine/warmup", mine)
    test = open_page("packages", model="mine")
    assert plain(why) in test.error[0].value
    assert SIGNAL not in {one.path for one in fakes.prediction.asked}
    test.button(key="package_warm_up").click().run()
    assert [one.path for one in fakes.prediction.changes()] == ["/model-packages/mine/warmup"]
    assert not test.exception


def test_files_when_they_were_refused_then_that_is_said_and_not_a_failed_warm_up(fakes: Fakes, open_page: Open):
    serve(fakes.prediction, package("mine", status="UPLOADED", warmup_status="FAILED", warmup_error="not a zip"))
    told = all_words(open_page("packages", model="mine"))
    assert "The files were refused" in told
    assert "files refused" in told
    assert "being checked" not in told
    assert "not a zip" in told


def test_state_when_it_changes_meanwhile_then_the_page_follows(fakes: Fakes, open_page: Open):
    serve(fakes.prediction, package("mine", warmup_status="PENDING", warmup_error=TOO_FEW))
    test = open_page("packages", model="mine", tab="files")
    assert TOO_FEW in all_words(test)
    serve(fakes.prediction, package("mine"), package("fresh"))
    test.run()
    assert TOO_FEW not in all_words(test)
    assert len(test.selectbox(key="pick_model").options) == 2


def test_archived_when_shown_then_it_can_be_restored_and_is_not_asked(fakes: Fakes, open_page: Open):
    old = package("mine", status="ARCHIVED")
    serve(fakes.prediction, old)
    fakes.prediction.on("POST", "/model-packages/mine/restore", old)
    test = open_page("packages", model="mine")
    assert SIGNAL not in {one.path for one in fakes.prediction.asked}
    test.button(key="package_restore").click().run()
    assert [one.path for one in fakes.prediction.changes()] == ["/model-packages/mine/restore"]


def test_archive_when_pressed_then_it_asks_first(fakes: Fakes, open_page: Open):
    mine = package("mine")
    serve(fakes.prediction, mine)
    fakes.prediction.on("POST", "/model-packages/mine/archive", mine)
    test = open_page("packages", model="mine", tab="files")
    test.button(key="package_archive").click().run()
    assert fakes.prediction.changes() == []
    press(test, "package_archive", "confirm_do")
    assert [one.path for one in fakes.prediction.changes()] == ["/model-packages/mine/archive"]


def test_delete_when_its_id_is_typed_then_it_is_sent_and_a_refusal_is_shown(fakes: Fakes, open_page: Open):
    serve(fakes.prediction, package("mine"))
    said = Problem(409, "Package mine has 1 open position: close them first, or archive it")
    fakes.prediction.on("DELETE", "/model-packages/mine", said)
    test = open_page("packages", model="mine", tab="files")
    test.button(key="package_delete").click().run()
    assert test.button(key="confirm_do").disabled
    test.text_input(key="confirm_typed").set_value("mine")
    test.button(key="package_delete").click().run()
    press(test, "package_delete", "confirm_do")
    assert [one.method for one in fakes.prediction.changes()] == ["DELETE"]
    assert said.detail in all_words(test)


def test_signal_when_asked_then_figures_forecast_and_diagnostics_are_there(fakes: Fakes, open_page: Open):
    serve(fakes.prediction, package("mine"))
    test = open_page("packages", model="mine")
    shown = {one.label: (one.value, one.delta) for one in test.metric}
    assert shown["Signal"] == ("LONG", "bullish")
    assert shown["Confidence"][0] == "87"
    assert shown["Price"][0] == "100.0"
    assert shown["Age"][0] == "2 minutes"
    assert len(test.get("plotly_chart")) == 1
    table = test.dataframe[0].value
    assert list(table.iloc[-1]) == ["48 h", "101.0000 (+1.00 %)", "98.0000 (-2.00 %)", "104.0000 (+4.00 %)"]
    facts = str(test.table[0].value)
    assert "828" in facts
    assert "vol_16" in facts


def test_signal_when_another_market_is_chosen_then_it_is_asked_of_that(fakes: Fakes, open_page: Open):
    serve(fakes.prediction, package("mine"))
    test = open_page("packages", model="mine", symbol="BTCUSDT")
    assert test.selectbox(key="pick_symbol").value == "BTCUSDT"
    assert [one.query for one in fakes.prediction.asked if one.path == SIGNAL] == [{"symbol": "BTCUSDT"}]


def test_signal_when_candles_lack_then_it_shows_how_many_and_where_the_gap_is(fakes: Fakes, open_page: Open):
    serve(fakes.prediction, package("mine"))
    fakes.prediction.get(SIGNAL, Problem(409, TOO_FEW, code="too_few_candles"))
    test = open_page("packages", model="mine")
    told = all_words(test)
    assert TOO_FEW in told
    assert "Missing: 4 gaps: 1" in told
    assert list(test.dataframe[0].value["missing"]) == [4]


def test_signal_when_acted_on_then_it_is_sent_as_shown_and_what_came_of_it_stays(fakes: Fakes, open_page: Open):
    serve(fakes.prediction, package("mine"))
    taken = SignalTaken(
        account_id="paper_mine", opened=position(status="OPEN"), closed=[], actions=["OPEN 7 LONG"],
        reason="LONG of 200.00 USDT SIMUSDT opened at 100.", rule=None,
    )  # fmt: skip
    fakes.prediction.on("POST", "/paper/signal", taken)
    test = open_page("packages", model="mine")
    test.button(key="signal_act").click().run()
    sent = fakes.prediction.changes()[0].json
    wanted = {"model_id": "mine", "symbol": "SIMUSDT", "signal": "LONG", "confidence": 87.0, "current_price": 100.0}
    assert sent == wanted
    assert taken.reason in test.success[0].value
    assert "OPEN 7 LONG" in test.success[0].value


def test_signal_when_candles_are_old_then_it_warns(fakes: Fakes, open_page: Open):
    serve(fakes.prediction, package("mine"))
    said = signal()
    said.diagnostics.age = "no candle for 3 hours"
    fakes.prediction.get(SIGNAL, said)
    assert "no candle for 3 hours" in open_page("packages", model="mine").warning[0].value


def test_tabs_when_one_is_open_then_the_others_ask_for_nothing(fakes: Fakes, open_page: Open):
    serve(fakes.prediction, package("mine"))
    test = open_page("packages", model="mine", tab="manifest")
    assert [one.path for one in fakes.prediction.asked] == ["/model-packages", "/model-packages/mine"]
    told = all_words(test) + "".join(str(one.value) for one in test.table)
    assert "policy.activation" in told
    assert "does not beat the naive one" in told
    assert "1,500 candles (2 weeks)" in told
    assert "passed" in told


def test_manifest_when_given_in_part_then_it_waits_for_the_check(fakes: Fakes, open_page: Open):
    serve(fakes.prediction, package("mine", status="UPLOADED", manifest={"market": {"symbol": "X"}}))
    assert "completed from the files" in all_words(open_page("packages", model="mine", tab="manifest"))


def test_files_when_one_is_other_than_the_manifest_says_then_that_is_seen(fakes: Fakes, open_page: Open):
    serve(fakes.prediction, package("mine"))
    test = open_page("packages", model="mine", tab="files")
    told = all_words(test)
    assert "61.4 KiB" in told
    assert told.count("as the manifest says") == 1
    assert told.count("other than the manifest says") == 1
    assert "anna" in str(test.table[0].value)


def _fill(test: AppTest) -> AppTest:
    test.text_input(key="upload_name").set_value("Mine")
    test.file_uploader(key="upload_forecaster").set_value(("a.pt", b"forecaster", "application/octet-stream"))
    test.file_uploader(key="upload_policy").set_value(("b.zip", b"policy", "application/zip"))
    return test.run()


def test_upload_when_parts_lack_then_it_says_which_and_cannot_be_sent(fakes: Fakes, open_page: Open):
    test = open_page("packages", view="upload")
    assert test.button(key="upload_send").disabled
    assert "Still missing: name, forecaster, policy" in all_words(test)
    assert "At most 512 MiB" in all_words(test)


@pytest.mark.parametrize("strict", [True, False])
def test_upload_when_sent_then_the_files_go_out_and_the_new_one_is_selected(
    fakes: Fakes, open_page: Open, strict: bool
):
    serve(fakes.prediction, package("mine"), package("other"))
    made = UploadedPackage(id="other", name="Mine", status="READY", warmup_required=True, warmup_status="PENDING")
    fakes.prediction.on("POST", "/model-packages/upload", made)
    fakes.prediction.on("POST", "/paper/account/create", account())
    test = _fill(open_page("packages", view="upload"))
    test.toggle(key="upload_strict").set_value(strict)
    test.number_input(key="upload_balance").set_value(500.0)
    test.button(key="upload_send").click().run()
    sent, opened = fakes.prediction.changes()
    assert sent.query == {"strict": str(strict).lower()}
    assert b'name="ppo_model"; filename="ppo_policy.zip"' in sent.body
    assert b"forecaster" in sent.body
    assert opened.json == {"model_id": "other", "initial_balance": 500.0}
    assert not test.exception
    assert test.query_params["model"] == "other"


def test_upload_when_refused_then_the_sentence_is_shown_and_the_form_stays(fakes: Fakes, open_page: Open):
    said = Problem(422, "forecast_model is no torch file: it must begin like a zip")
    fakes.prediction.on("POST", "/model-packages/upload", said)
    test = _fill(open_page("packages", view="upload"))
    test.button(key="upload_send").click().run()
    assert said.detail in test.error[0].value
    assert test.text_input(key="upload_name").value == "Mine"
    assert not test.exception


def test_candles_when_a_feed_fails_then_it_says_why(fakes: Fakes, open_page: Open):
    serve(fakes.prediction, package("mine"))
    feed = CandleFeed(feed="binance:BTC/USDT:15m", symbol="BTCUSDT", interval="15m", error="no such market")
    fakes.prediction.get("/candles/feeds", CandleFeeds(feeds=[feed]))
    test = open_page("packages", view="candles", market="SIMUSDT 15m")
    assert "no such market" in test.error[0].value
    asked = [one.query for one in fakes.prediction.asked if one.path == "/candles/coverage"]
    assert asked == [{"symbol": "SIMUSDT", "interval": "15m"}]


def test_candles_when_markets_cannot_be_read_then_the_feeds_are_still_there(fakes: Fakes, open_page: Open):
    def broken(_: Asked) -> Problem:
        return Problem(503, "The database does not answer")

    serve(fakes.prediction, package("mine"))
    fakes.prediction.get("/candles/symbols", broken)
    told = all_words(open_page("packages", view="candles"))
    assert "The database does not answer" in told
    assert "No feed is set" in told


@pytest.mark.parametrize("tab", ["signal", "paper", "equity", "manifest", "files"])
def test_tabs_when_drawn_in_german_then_they_are_german(fakes: Fakes, open_page: Open, tab: str):
    serve(fakes.prediction, package("mine"))
    told = all_words(open_page("packages", model="mine", tab=tab, lang="de"))
    assert "Pakete" in told
    assert "aufgewärmt" in told
