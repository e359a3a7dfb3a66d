"""The paper account of a package: what it shows, and what its buttons send."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from shared.contracts.paper import Positions, PriceTaken, SkippedAccount
from streamlit_ui.charts.equity import drawdowns
from tests.support.fake_services import Asked, Problem
from tests.support.ui_packages import account, dashboard, equity, held, package, position, serve
from tests.support.ui_page import all_words, figures, press
from tests.ui.conftest import Fakes, Open

DASHBOARD = "/paper/dashboard/mine"


@pytest.fixture
def paper(fakes: Fakes, open_page: Open) -> Callable[..., AppTest]:
    """Give a function that draws the tab of an account."""
    serve(fakes.prediction, package("mine"))
    return lambda tab="paper", **query: open_page("packages", model="mine", tab=tab, **query)


def sent(fakes: Fakes) -> list[tuple[str, str, object]]:
    """Give what was changed."""
    return [(one.method, one.path, one.json if one.body else None) for one in fakes.prediction.changes()]


def test_account_when_shown_then_its_figures_and_positions_are_there(paper: Callable[..., AppTest]):
    test = paper()
    shown = figures(test)
    assert shown["Equity, USDT"] == "10,123.50"
    assert shown["Win rate"] == "50.0 %"
    assert shown["Profit factor"] == "1.75"
    assert shown["Max drawdown"] == "0.40 %"
    open_row, closed_row = test.dataframe[0].value.iloc[0], test.dataframe[-1].value.iloc[0]
    assert (open_row["side"], open_row["left"], open_row["sl"]) == ("▼ SHORT", "24 hours", 99.57)
    assert (closed_row["reason"], closed_row["pnl"]) == ("Stop loss", -2.4)
    assert "may open" in all_words(test)
    assert "Few trades (2)" in all_words(test)


def test_account_when_new_then_it_says_what_would_fill_it(fakes: Fakes, paper: Callable[..., AppTest]):
    found = dashboard(positions=[], closed=[])
    found.performance.trades = 0
    fakes.prediction.get(DASHBOARD, found)
    told = all_words(paper())
    assert "No open position" in told
    assert "No closed position yet" in told
    assert "Nothing was closed yet" in told


def test_account_when_it_is_in_trouble_then_that_is_seen(fakes: Fakes, paper: Callable[..., AppTest]):
    of = account(auto_trade=True, symbol="SIMUSDT", trouble="needs a reset first")
    fakes.prediction.get(DASHBOARD, dashboard(of, opens=False, reason="nothing opens before its warm-up is DONE"))
    told = all_words(paper())
    assert "trades SIMUSDT by itself" in told
    assert "needs a reset first" in told
    assert "nothing opens before its warm-up is DONE" in told


def test_auto_trade_when_started_then_the_market_is_sent_with_it(fakes: Fakes, paper: Callable[..., AppTest]):
    fakes.prediction.on("PATCH", "/paper/account/mine", account(auto_trade=True))
    test = paper()
    test.button(key="paper_start").click().run()
    assert sent(fakes) == []
    press(test, "paper_start", "start_do")
    assert sent(fakes) == [("PATCH", "/paper/account/mine", {"auto_trade": True, "symbol": "SIMUSDT"})]
    assert not test.exception


def test_auto_trade_when_stopped_then_only_that_is_sent(fakes: Fakes, paper: Callable[..., AppTest]):
    fakes.prediction.get(DASHBOARD, dashboard(account(auto_trade=True, symbol="SIMUSDT")))
    fakes.prediction.on("PATCH", "/paper/account/mine", account())
    paper().button(key="paper_stop").click().run()
    assert sent(fakes) == [("PATCH", "/paper/account/mine", {"auto_trade": False})]


def test_rules_when_one_is_changed_then_only_that_is_sent(fakes: Fakes, paper: Callable[..., AppTest]):
    fakes.prediction.on("PATCH", "/paper/account/mine", account())
    test = paper()
    test.button(key="paper_edit").click().run()
    test.number_input(key="rule_leverage").set_value(3.0)
    test.button(key="paper_edit").click()
    next(one for one in test.button if one.label == "Save rules").click().run()
    assert sent(fakes) == [("PATCH", "/paper/account/mine", {"leverage": 3.0})]


def test_open_when_refused_then_the_sentence_stands_in_the_dialog(fakes: Fakes, paper: Callable[..., AppTest]):
    said = Problem(409, "5 positions are open: no more than 5 at once")
    fakes.prediction.on("POST", "/paper/position/open", said)
    test = paper()
    test.button(key="paper_open").click().run()
    assert test.number_input(key="open_price").value == pytest.approx(101.0)
    test.segmented_control(key="open_side").set_value("SHORT")
    press(test, "paper_open", "open_do")
    wanted = {"model_id": "mine", "symbol": "SIMUSDT", "side": "SHORT", "price": 101.0}
    assert sent(fakes) == [("POST", "/paper/position/open", wanted)]
    assert said.detail in all_words(test)


def test_price_when_told_then_it_is_sent(fakes: Fakes, paper: Callable[..., AppTest]):
    skipped = [SkippedAccount(account_id="paper_other", reason="was told of later already")]
    done = PriceTaken(symbol="SIMUSDT", price=98.0, marked=1, closed=[position()], skipped=skipped)
    fakes.prediction.on("POST", "/paper/price-update", done)
    test = paper()
    test.button(key="paper_tell").click().run()
    test.number_input(key="tell_price").set_value(98.0)
    press(test, "paper_tell", "tell_do")
    assert sent(fakes) == [("POST", "/paper/price-update", {"symbol": "SIMUSDT", "price": 98.0})]
    assert [one.value for one in test.toast][-1] == "paper_other: was told of later already"


def test_close_when_a_row_is_selected_then_it_asks_and_sends(fakes: Fakes, paper: Callable[..., AppTest]):
    fakes.prediction.on("POST", "/paper/position/9/close", position(id=9))
    test = paper()
    test.session_state["paper_selected_9"] = {"selection": {"rows": [0], "columns": [], "cells": []}}
    test.run()
    test.button(key="paper_close").click().run()
    assert sent(fakes) == []
    press(test, "paper_close", "confirm_do")
    assert [one[:2] for one in sent(fakes)] == [("POST", "/paper/position/9/close")]


def test_reset_when_the_account_is_typed_then_it_is_sent(fakes: Fakes, paper: Callable[..., AppTest]):
    fakes.prediction.on("POST", "/paper/account/mine/reset", account(round=1))
    test = paper()
    test.button(key="paper_reset").click().run()
    assert test.button(key="reset_do").disabled
    test.toggle(key="reset_keep").set_value(False)
    test.text_input(key="reset_typed").set_value("paper_mine")
    test.button(key="paper_reset").click().run()
    press(test, "paper_reset", "reset_do")
    assert [(one.path, one.query) for one in fakes.prediction.changes()] == [
        ("/paper/account/mine/reset", {"keep_history": "false"})
    ]


def test_closed_when_all_are_wanted_then_the_address_says_so(fakes: Fakes, paper: Callable[..., AppTest]):
    found = dashboard()
    found.performance.trades = 300
    fakes.prediction.get(DASHBOARD, found)

    def listed(asked: Asked) -> Positions:
        assert asked.query == {"status": "CLOSED", "limit": "1000"}
        return Positions(positions=[position(id=place) for place in range(300)], next_cursor=None)

    fakes.prediction.get("/paper/positions/mine", listed)
    test = paper()
    assert "The newest 1; 300 in this round" in all_words(test)
    test.button(key="paper_all").click().run()
    assert test.query_params["closed"] == "all"
    assert len(test.dataframe[-1].value) == 300


def test_account_when_the_service_goes_down_then_a_banner_stands_there(fakes: Fakes, paper: Callable[..., AppTest]):
    test = paper()
    fakes.down("prediction")
    test.run()
    assert "prediction service" in test.error[0].value
    assert not test.exception


def test_equity_when_shown_then_it_stands_beside_holding(paper: Callable[..., AppTest]):
    test = paper("equity")
    shown = figures(test)
    assert shown["Equity, USDT"] == "10,123.50"
    assert shown["Holding, USDT"] == "10,150.00"
    assert shown["Lead, USDT"] == "-26.50"
    assert shown["Max drawdown"] == "2.94 %"
    assert len(test.get("vega_lite_chart") + test.get("arrow_vega_lite_chart")) == 2


def test_equity_when_nothing_happened_then_it_says_so(fakes: Fakes, paper: Callable[..., AppTest]):
    fakes.prediction.get("/paper/equity/mine", equity(points=equity().points[:1], total=1))
    assert "Nothing has happened" in all_words(paper("equity"))


def test_equity_when_an_earlier_round_is_asked_for_then_that_is_shown(fakes: Fakes, paper: Callable[..., AppTest]):
    fakes.prediction.get("/paper/account/mine", account(round=2))
    test = paper("equity", round=1)
    assert not test.exception
    assert test.selectbox(key="pick_round").value == 1
    assert [one.query["round"] for one in fakes.prediction.asked if one.path == "/paper/equity/mine"] == ["1"]


def test_drawdowns_when_equity_falls_and_recovers_then_they_are_of_the_peak_so_far():
    points = equity().points
    assert drawdowns(points) == pytest.approx([0, 0, 9_900 / 10_200 - 1, 10_123.5 / 10_200 - 1])
    assert held().status == "OPEN"
