"""Predictions: the stream with its filters, and one coin with the move that was foretold."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.contracts.deliveries import Deliveries
from streamlit_ui.app_pages.coin_course import course, move_of, window
from streamlit_ui.charts.candles import candle_chart
from streamlit_ui.charts.price import has_candles, line_chart, volume_chart
from tests.support.fake_services import Problem
from tests.support.ui_overview import endpoint
from tests.support.ui_page import all_words
from tests.support.ui_predictions import (
    COIN,
    NOW,
    active_model,
    answered,
    delivery,
    history,
    phases,
    predicting,
    prediction,
    row,
)
from tests.ui.conftest import Fakes, Open

MANY = [prediction(id=n, is_alert=n % 10 == 0, probability=n / 200) for n in range(120, 0, -1)]


@pytest.fixture
def stream(fakes: Fakes) -> Fakes:
    """Let there be 120 predictions."""
    predicting(fakes.prediction, MANY)
    fakes.training.get("/phases", phases())
    return fakes


def test_stream_when_opened_then_it_shows_the_newest_with_names(stream: Fakes, open_page: Open):
    test = open_page("predictions")
    assert not test.exception
    shown = test.dataframe[0].value
    assert len(shown) == 50
    assert shown["probability"].iloc[0] == 0.6
    assert set(shown["model"]) == {"Pump model"}
    assert shown["answer"].iloc[0] == "▲ Alert"
    assert "50 predictions, 5 of them alerts" in all_words(test, "code")
    assert "live, every 2 seconds" in all_words(test, "code")


def test_stream_when_the_address_filters_then_the_service_is_asked_so(stream: Fakes, open_page: Open):
    query = {"alerts": "only", "model": 7, "outcome": "pending", "min": "0.3", "phase": 1}
    test = open_page("predictions", **query, **{"from": "2026-03-01T10:00:00+00:00"})
    assert not test.exception
    asked = [one for one in stream.prediction.asked if one.path == "/predictions"][-1].query
    del asked["limit"]
    assert asked == {
        "is_alert": "true", "active_model_id": "7", "outcome": "pending", "min_probability": "0.3", "phase_id": "1",
        "date_from": "2026-03-01T10:00:00+00:00",
    }  # fmt: skip
    assert test.dataframe[0].value["probability"].min() >= 0.3


def test_stream_when_the_address_holds_nonsense_then_it_is_passed_over(stream: Fakes, open_page: Open):
    test = open_page("predictions", model="x", min="much", phase="-", outcome="?", **{"from": "yesterday"})
    assert not test.exception
    assert len(test.dataframe[0].value) == 50


@pytest.mark.parametrize("far", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "0001-01-01", "1970-01-01"])
def test_stream_when_the_address_names_a_far_year_then_it_is_passed_over(stream: Fakes, open_page: Open, far: str):
    test = open_page("predictions", local="true", **{"from": far, "to": far})
    assert not test.exception
    assert len(test.dataframe[0].value) == 50


def test_stream_when_the_clock_is_switched_then_the_moment_stays(stream: Fakes, open_page: Open):
    test = open_page("predictions", **{"from": "2026-03-01T10:00:00+00:00"})
    test.toggle[0].set_value(True).run()
    assert not test.exception
    asked = [one for one in stream.prediction.asked if one.path == "/predictions"][-1].query
    assert datetime.fromisoformat(asked["date_from"]) == datetime(2026, 3, 1, 10, tzinfo=UTC)


def test_stream_when_a_filter_is_chosen_then_it_stands_in_the_address(stream: Fakes, open_page: Open):
    test = open_page("predictions")
    test.selectbox(key="pick_outcome").set_value("tp").run()
    assert test.query_params["outcome"] == "tp"
    assert "No prediction matches" in all_words(test, "code")
    test.button(key="clear").click().run()
    assert "outcome" not in test.query_params
    assert len(test.dataframe[0].value) == 50


def test_stream_when_older_ones_are_wanted_then_pages_follow_and_it_stands_still(stream: Fakes, open_page: Open):
    test = open_page("predictions")
    test.button(key="older").click().run()
    assert test.query_params["cursor"] == "50"
    assert test.dataframe[0].value["probability"].iloc[0] == 0.35
    assert "live, every 2 seconds" not in all_words(test, "code")
    test.selectbox(key="pick_outcome").set_value("pending").run()
    assert "cursor" not in test.query_params
    assert test.dataframe[0].value["probability"].iloc[0] == 0.6


def test_stream_when_paused_then_the_address_says_so(stream: Fakes, open_page: Open):
    test = open_page("predictions")
    test.button(key="pause").click().run()
    assert test.query_params["paused"] == "1"
    assert "paused" in all_words(test, "code")
    test.button(key="pause").click().run()
    assert "paused" not in test.query_params


def test_stream_when_a_row_is_clicked_then_the_row_that_was_shown_opens(stream: Fakes, open_page: Open):
    test = open_page("predictions")
    predicting(stream.prediction, [prediction(id=500), *MANY])
    test.session_state["predictions_table"] = {"selection": {"rows": [], "columns": [], "cells": [(0, "model")]}}
    test.run()
    assert not test.exception
    assert (test.query_params["coin"], test.query_params["prediction"]) == (COIN, "120")


def test_stream_when_there_is_nothing_then_it_shows_the_way(fakes: Fakes, open_page: Open):
    predicting(fakes.prediction, [], [])
    test = open_page("predictions")
    assert not test.exception
    assert "No prediction yet" in all_words(test, "code")
    assert [one.page for one in test.get("page_link")] == ["import"]


def test_stream_when_the_service_goes_in_the_middle_then_a_banner_stands_there(stream: Fakes, open_page: Open):
    test = open_page("predictions")
    stream.down("prediction")
    test.run()
    assert not test.exception
    assert "prediction service does not answer" in all_words(test, "code")


def test_stream_when_a_model_was_deleted_then_its_predictions_still_say_whose(fakes: Fakes, open_page: Open):
    predicting(fakes.prediction, [prediction(active_model_id=99)])
    assert list(open_page("predictions", lang="de").dataframe[0].value["model"]) == ["Aktives Modell 99 (gelöscht)"]


def test_coin_when_opened_then_outcome_messages_and_table_are_there(fakes: Fakes, open_page: Open):
    told = prediction(
        outcome="tp", actual_change_pct=66.7, highest_change_pct=66.7, lowest_change_pct=-1.0,
        evaluated_at=NOW + timedelta(minutes=11),
    )  # fmt: skip
    predicting(fakes.prediction, [told])
    fakes.training.get("/phases", phases())
    fakes.prediction.get("/webhooks", {"webhooks": [endpoint().model_dump(mode="json")], "total": 1})
    other = delivery(id=56, data_timestamp=NOW - timedelta(seconds=30))
    fakes.prediction.get("/webhook-deliveries", Deliveries(deliveries=[delivery(), other], next_cursor=None))
    test = open_page("predictions", coin=COIN, prediction=1)
    assert not test.exception
    words = all_words(test, "code")
    for expected in (COIN, "✅ came true", "72.0 % against 40.0 %", "+66.7 % / -1.0 %", "Baby Zone", "expired"):
        assert expected in words
    assert "`example.org/hook`" in words
    links = [one.query_string for one in test.get("page_link")]
    assert links == ["delivery=55"]
    asked = [one.query for one in fakes.prediction.asked if one.path.endswith("/history")][-1]
    assert asked["date_from"] < NOW.isoformat() < asked["date_to"]
    assert asked["active_model_id"] == "7"


def test_coin_when_rows_move_on_after_a_click_then_no_other_prediction_opens(fakes: Fakes, open_page: Open):
    shown = [prediction(id=n) for n in (1, 2, 3)]
    predicting(fakes.prediction, shown)
    fakes.training.get("/phases", phases())
    test = open_page("predictions", coin=COIN)
    marked = {"selection": {"rows": [], "columns": [], "cells": [(0, "model")]}}
    test.session_state["coin_table"] = marked
    test.run()
    assert test.query_params["prediction"] == "3"
    moved = [*shown, prediction(id=4)]
    predicting(fakes.prediction, moved)
    for _ in range(2):
        # The browser says at each draw which cell is marked.
        test.session_state["coin_table"] = marked
        test.run()
    assert not test.exception
    assert test.query_params["prediction"] == "3"


def test_coin_when_models_are_asked_then_each_stands_against_its_thresholds(fakes: Fakes, open_page: Open):
    predicting(fakes.prediction, [])
    fakes.prediction.on("POST", "/predict", answered())
    test = open_page("predictions", coin=COIN)
    assert fakes.prediction.changes() == []
    test.button(key="ask").click().run()
    assert not test.exception
    assert fakes.prediction.changes()[0].json == {"coin_id": COIN}
    shown = test.dataframe[-1].value
    assert list(shown.iloc[0]) == ["Pump model", "◆ Yes", 0.5, 0.4, 0.6]


def test_coin_when_unknown_then_it_says_so(fakes: Fakes, open_page: Open):
    predicting(fakes.prediction, [])
    fakes.prediction.get(f"/coins/{COIN}/history", history([], []))
    fakes.prediction.on("POST", "/predict", Problem(404, "no row of this coin"))
    test = open_page("predictions", coin=COIN, prediction=4)
    test.button(key="ask").click().run()
    assert not test.exception
    words = all_words(test, "code")
    assert "No rows of this coin" in words
    assert "no row of this coin" in words


def test_coin_when_left_then_the_filters_are_still_there(fakes: Fakes, open_page: Open):
    predicting(fakes.prediction, [prediction()])
    test = open_page("predictions", coin=COIN, prediction=1, alerts="only", view="candles")
    test.button(key="back").click().run()
    assert dict(test.query_params) == {"alerts": "only"}
    assert len(test.dataframe[0].value) == 1


def test_move_when_the_model_asks_for_a_fall_then_the_box_lies_below():
    model = active_model(target_direction="down", price_change_percent=20.0, future_minutes=5)
    move = move_of(prediction(highest_change_pct=1.0, lowest_change_pct=-50.0), model, 100.0)
    assert (move.threshold, move.highest, move.lowest, move.is_rise) == (80.0, 101.0, 50.0, False)
    assert move.end == NOW + timedelta(minutes=5)
    since, until = window(prediction(), model)
    assert since < NOW < NOW + timedelta(minutes=5) < until


def test_move_when_the_target_is_a_rule_then_there_is_no_horizon():
    rule = active_model(future_minutes=None, price_change_percent=None, target_operator=">", target_value=9.0)
    move = move_of(prediction(), rule, 100.0)
    assert (move.end, move.threshold) == (None, None)


def test_pictures_when_drawn_then_they_hold_price_marks_and_box():
    alert, plain = (
        prediction(),
        prediction(id=2, is_alert=False, prediction=0, data_timestamp=NOW - timedelta(minutes=1)),
    )
    drawn = course(history([plain, alert]), {7: active_model()}, alert)
    assert [mark.kind for mark in drawn.marks] == ["no", "alert"]
    layers = line_chart(drawn).to_dict()["layer"]
    kinds = [layer["mark"]["type"] for layer in layers]
    assert kinds.count("rect") == 1
    assert "line" in kinds
    assert "point" in kinds
    assert volume_chart(drawn).to_dict()["mark"]["type"] == "bar"
    figure = candle_chart(drawn)
    assert figure.data[0].type == "candlestick"
    (box,) = [shape for shape in figure.layout.shapes if shape.type == "rect"]
    assert (box.y0, round(box.y1 / box.y0, 6)) == (4e-8, 1.3)


def test_pictures_when_candles_are_missing_then_there_is_only_a_line():
    bare = [row(n, 4e-8, price_open=None, price_high=None, price_low=None) for n in range(3)]
    drawn = course(history([], bare), {}, None)
    assert not has_candles(drawn)
    assert line_chart(drawn).to_dict()["layer"][0]["mark"]["type"] == "line"


def test_course_when_the_target_is_another_column_then_that_is_drawn():
    model = active_model(target_variable="market_cap_close")
    assert course(history([prediction()]), {7: model}, prediction()).column == "market_cap_close"
    assert course(history([prediction()]), {7: model}, None).column == "price_close"


def test_coin_when_the_service_goes_and_models_are_asked_then_banners_stand_there(fakes: Fakes, open_page: Open):
    predicting(fakes.prediction, [prediction()])
    test = open_page("predictions", coin=COIN)
    fakes.down("prediction")
    test.button(key="ask").click().run()
    assert not test.exception
    assert len(test.error) == 2
