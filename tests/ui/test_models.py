"""The page models: the list, its search, and the ways from it."""

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from shared.contracts.results import ComparisonList
from shared.contracts.results import TestResultList as TestList
from streamlit_ui.app_pages import card_tests, comparison, models
from tests.support.ui_models import compared, listed, model, queued, result, types
from tests.ui.conftest import Fakes, Open


@pytest.fixture(autouse=True)
def answers(fakes: Fakes) -> None:
    fakes.training.get("/model-types", types())
    fakes.training.get("/models", listed(model(7), model(8, name="Dump 20", target_direction="down", cv_scores=None)))


def _select(test: AppTest, key: str, **selection: Any) -> AppTest:
    test.session_state[key] = {"selection": {"rows": [], "columns": [], "cells": []} | selection}
    return test.run()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Give where somebody is sent by clicks."""
    found: list[dict[str, Any]] = []
    for one in (models, card_tests, comparison):
        monkeypatch.setattr(one, "go", lambda name, **query: found.append({"name": name, **query}))
    return found


def test_list_when_there_are_models_then_each_stands_with_its_question_and_figures(open_page: Open):
    test = open_page("models")
    assert not test.exception
    table = test.dataframe[0].value
    assert list(table["name"]) == ["Pump 7", "Dump 20"]
    first, second = table.iloc[0], table.iloc[1]
    assert first["question"] == "price_close +30 % after 10 min"
    assert (first["average_precision"], first["base_rate"], first["warnings"]) == (pytest.approx(0.35), 16.0, 1)
    assert (first["precision"], first["recall"], first["expected_value"]) == (60.0, 37.5, 3.25)
    assert second["question"] == "price_close -30 % after 10 min"
    assert second.isna()["average_precision"]


def test_list_when_searched_and_filtered_then_the_service_does_it_and_the_address_says_so(
    fakes: Fakes, open_page: Open
):
    test = open_page("models", type="random_forest")
    test.text_input(key="search_models").set_value("pump").run()
    asked = [one.query for one in fakes.training.asked if one.path == "/models"][-1]
    assert (asked["search"], asked["model_type"], asked["limit"]) == ("pump", "random_forest", "1000")
    assert test.query_params["search"] == "pump"


def test_list_when_nothing_matches_and_when_there_is_nothing_then_it_says_what_to_do(fakes: Fakes, open_page: Open):
    fakes.training.get("/models", listed())
    assert "No model yet" in open_page("models").info[0].value
    assert "No model matches" in open_page("models", search="zz").info[0].value


def test_list_when_there_are_more_than_shown_then_it_says_so(fakes: Fakes, open_page: Open):
    fakes.training.get("/models", listed(model(7), total=1500))
    assert "The newest 1 of 1,500 models" in open_page("models").caption[0].value


def test_list_when_two_rows_are_ticked_then_they_are_compared_on_rows_after_training(fakes: Fakes, open_page: Open):
    fakes.training.on("POST", "/models/compare", queued(12))
    test = open_page("models")
    assert test.button(key="compare_chosen").disabled
    _select(test, "models_table", rows=[0])
    assert test.button(key="compare_chosen").disabled
    _select(test, "models_table", rows=[0, 1])
    test.button(key="compare_chosen").click().run()
    assert any("different questions" in one.value for one in test.info)
    test.button(key="compare_chosen").click()
    test.button(key="compare_do").click().run()
    sent = fakes.training.changes()[-1].json
    assert sent["model_ids"] == [7, 8]
    assert sent["test_start"].startswith("2026-03-01T12:11:00")


@pytest.mark.parametrize("name", ["id", "test", "comparison"])
def test_list_when_an_id_is_none_then_the_app_says_so(open_page: Open, name: str):
    test = open_page("models", **{name: "![x](http://a.b)"})
    assert not test.exception
    assert test.info[0].value.startswith("There is no")
    assert "![x](" not in test.info[0].value
    assert len(test.dataframe[0].value) == 2


def test_list_when_the_service_is_down_then_there_is_a_banner_and_no_traceback(fakes: Fakes, open_page: Open):
    fakes.down("training")
    test = open_page("models")
    assert not test.exception
    assert "does not answer" in test.error[0].value


def test_tests_when_listed_then_models_are_named_and_gone_ones_told(fakes: Fakes, open_page: Open):
    fakes.training.get(
        "/test-results",
        {
            "test_results": [result(5).model_dump(mode="json"), result(6, model_id=99).model_dump(mode="json")],
            "total": 2,
        },
    )
    test = open_page("models", view="tests")
    assert not test.exception
    table = test.dataframe[0].value
    assert list(table["model"]) == ["Pump 7", "Model 99 (deleted)"]
    assert table.iloc[0]["f1_change"] == pytest.approx(-0.1015)


def test_comparisons_when_listed_then_winners_are_named(fakes: Fakes, open_page: Open):
    found = [compared(4), compared(3, winner_id=None)]
    fakes.training.get("/comparisons", {"comparisons": [one.model_dump(mode="json") for one in found], "total": 2})
    test = open_page("models", view="comparisons")
    assert not test.exception
    table = test.dataframe[0].value
    assert list(table["winner"]) == ["★ Dump 20", "No winner"]
    assert list(table["models"]) == ["Pump 7 · Dump 20"] * 2


@pytest.mark.parametrize("view", ["tests", "comparisons"])
def test_lists_when_empty_then_they_say_how_to_begin(fakes: Fakes, open_page: Open, view: str):
    fakes.training.get("/test-results", {"test_results": [], "total": 0})
    fakes.training.get("/comparisons", {"comparisons": [], "total": 0})
    assert "yet" in open_page("models", view=view).info[0].value


def test_list_when_german_then_the_words_are_german(open_page: Open):
    test = open_page("models", lang="de")
    assert not test.exception
    assert test.title[0].value == "Modelle"
    assert "2 Modelle, neueste zuerst" in [one.value for one in test.caption]


def test_list_when_there_are_a_thousand_models_then_each_question_is_worded_once(
    fakes: Fakes, open_page: Open, monkeypatch: pytest.MonkeyPatch
):
    page = listed(*(model(each) for each in range(1, 1001))).model_dump_json().encode()
    fakes.training.get("/models", page)
    asked: list[int] = []
    monkeypatch.setattr(models, "question", lambda one: asked.append(one.id) or "the same")
    test = open_page("models")
    assert len(test.dataframe[0].value) == 1000
    # All of them ask the same: it is put into words once. Nothing is asked for one by one.
    assert asked == [1]
    assert [one.path for one in fakes.training.asked] == ["/model-types", "/models"]


def test_list_when_a_fold_has_no_score_then_the_list_is_there_with_the_mean_of_the_others(
    fakes: Fakes, open_page: Open
):
    some = model(7, cv_scores={"test_average_precision": [None, 0.3, 0.4]})
    none = model(8, cv_scores={"test_average_precision": [None, None]})
    fakes.training.get("/models", listed(some, none))
    test = open_page("models")
    assert not test.exception
    scores = test.dataframe[0].value["average_precision"]
    assert scores[0] == pytest.approx(0.35)
    assert scores.isna()[1]


def test_list_when_it_changed_then_a_click_means_the_row_that_was_seen_and_ticks_are_gone(
    fakes: Fakes, open_page: Open, opened: list[dict[str, Any]]
):
    test = open_page("models")
    fakes.training.get("/models", listed(model(9)))
    _select(test, "models_table", cells=[(1, "name")])
    assert opened == [{"name": "models", "id": 8}]
    test = open_page("models")
    fakes.training.get("/models", listed(model(1), model(2), model(3)))
    _select(test, "models_table", rows=[0])
    assert test.button(key="compare_chosen").label == "Compare"
    _select(test, "models_table_1", rows=[2])
    assert test.button(key="compare_chosen").label != "Compare"


@pytest.mark.parametrize(("view", "name"), [("tests", "test"), ("comparisons", "comparison")])
def test_lists_when_they_changed_then_a_click_means_the_row_that_was_seen(
    fakes: Fakes, open_page: Open, opened: list[dict[str, Any]], view: str, name: str
):
    def answer(*ids: int) -> None:
        tests, pairs = [result(one) for one in ids], [compared(one) for one in ids]
        fakes.training.get("/test-results", TestList(test_results=tests, total=len(tests)))
        fakes.training.get("/comparisons", ComparisonList(comparisons=pairs, total=len(pairs)))

    answer(5, 6)
    test = open_page("models", view=view)
    answer(7)
    _select(test, f"{view}_table", cells=[(1, "start")])
    assert not test.exception
    assert opened == [{"name": "models", name: 6}]
