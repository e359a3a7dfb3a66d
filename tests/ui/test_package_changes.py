"""Packages and paper trading: one wish is one change, and a refused one can be tried again; the forecast's picture."""

import pytest
import streamlit as st

from shared.contracts.paper import SignalTaken
from streamlit_ui.charts.forecast import Quantiles, forecast_chart
from tests.support.fake_services import Asked, Problem
from tests.support.ui_packages import account, candles, package, position, serve, signal
from tests.support.ui_page import press
from tests.ui.conftest import Fakes, Open

AT_ONCE = 3600.0
"""Seconds; however slow the machine is, the second click of a test comes within them."""


def test_signal_when_acted_on_twice_at_once_then_it_is_sent_once(
    fakes: Fakes, open_page: Open, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("streamlit_ui.states.REPEAT_SECONDS", AT_ONCE)
    serve(fakes.prediction, package("mine"))
    taken = SignalTaken(account_id="paper_mine", opened=None, closed=[], actions=[], reason="held", rule=None)
    fakes.prediction.on("POST", "/paper/signal", taken)
    button = open_page("packages", model="mine").button(key="signal_act")
    # The browser has not heard yet that it is disabled.
    for _ in range(2):
        button.click().run()
    assert len(fakes.prediction.changes()) == 1


def test_signal_when_refused_then_it_can_be_tried_again(fakes: Fakes, open_page: Open, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("streamlit_ui.states.REPEAT_SECONDS", 0.0)
    serve(fakes.prediction, package("mine"))
    fakes.prediction.on("POST", "/paper/signal", Problem(409, "the account is locked"))
    test = open_page("packages", model="mine")
    test.button(key="signal_act").click().run()
    assert "the account is locked" in test.error[0].value
    test.button(key="signal_act_again").click().run()
    assert len(fakes.prediction.changes()) == 2
    assert not test.exception


def test_position_when_opened_twice_at_once_then_there_is_one(
    fakes: Fakes, open_page: Open, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("streamlit_ui.states.REPEAT_SECONDS", AT_ONCE)
    serve(fakes.prediction, package("mine"))
    fakes.prediction.on("POST", "/paper/position/open", position(status="OPEN"))
    test = open_page("packages", model="mine", tab="paper")
    for _ in range(2):
        test.button(key="paper_open").click().run()
        press(test, "paper_open", "open_do")
    assert len(fakes.prediction.changes()) == 1


def test_rules_when_refused_then_the_form_can_be_sent_again(
    fakes: Fakes, open_page: Open, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("streamlit_ui.states.REPEAT_SECONDS", 0.0)
    serve(fakes.prediction, package("mine"))
    fakes.prediction.on("PATCH", "/paper/account/mine", Problem(409, "a position is open"))
    test = open_page("packages", model="mine", tab="paper")
    test.button(key="paper_edit").click().run()
    test.number_input(key="rule_leverage").set_value(3.0)
    press(test, "paper_edit", "rules_do")
    assert "a position is open" in test.error[0].value
    fakes.prediction.on("PATCH", "/paper/account/mine", account())
    press(test, "paper_edit", "rules_do_again")
    assert [one.json for one in fakes.prediction.changes()] == [{"leverage": 3.0}] * 2


def test_upload_when_another_click_ends_it_then_that_is_said(
    fakes: Fakes, open_page: Open, monkeypatch: pytest.MonkeyPatch
):
    def ended(*_: object, **__: object) -> None:
        # Just what another click does to a run.
        st.rerun()

    monkeypatch.setattr("streamlit_ui.app_pages.package_upload._upload", ended)
    test = open_page("packages", view="upload")
    test.text_input(key="upload_name").set_value("Mine")
    for part, name in (("forecaster", "a.pt"), ("policy", "b.zip")):
        test.file_uploader(key=f"upload_{part}").set_value((name, b"x", "application/octet-stream"))
    test.run()
    test.button(key="upload_send").click().run()
    assert "interrupted by another click" in test.toast[0].value


def test_history_when_nothing_is_chosen_then_it_is_as_long_as_the_forecast(fakes: Fakes, open_page: Open):
    serve(fakes.prediction, package("mine"))
    asked: list[str] = []

    def listed(request: Asked) -> object:
        asked.append(request.query["limit"])
        return candles()

    fakes.prediction.get("/candles", listed)
    test = open_page("packages", model="mine")
    steps = test.selectbox(key="pick_bars").value
    assert steps == package("mine").manifest["forecast"]["prediction_length"]
    assert asked == [str(steps + 1)]
    assert test.selectbox(key="pick_bars").options == ["2 days", "4 days", "8 days"]


@pytest.mark.parametrize("side", ["LONG", "SHORT"])
def test_words_of_a_position_when_its_lines_lie_close_then_they_do_not_lie_on_each_other(side: str):
    one = position(status="OPEN", side=side, entry_price=100.0, take_profit_price=100.1, stop_loss_price=99.9)
    figure = forecast_chart(candles().candles, signal(), band=Quantiles(lower=20.0, upper=80.0), held=[one])
    places = [(word["xanchor"], word["yanchor"]) for word in figure.layout.annotations]
    assert len(places) == len(set(places)) == 3
