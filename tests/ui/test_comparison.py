"""A test beside its training, and models compared."""

import pytest

from tests.support.fake_services import Problem
from tests.support.ui_models import bare_card, compared, full_card, model, result
from tests.support.ui_page import all_words
from tests.ui.conftest import Fakes, Open


@pytest.fixture(autouse=True)
def answers(fakes: Fakes) -> None:
    fakes.training.get("/models/7/card", full_card(7)).get("/models/7", model(7))
    fakes.training.get("/models/8", model(8, features=["num_buys"], params={"max_depth": 4}))
    fakes.training.get("/test-results/5", result()).get("/comparisons/4", compared())


@pytest.mark.parametrize("language", ["en", "de"])
def test_test_when_worse_than_training_then_the_fall_stands_first(open_page: Open, language: str):
    test = open_page("models", test=5, lang=language)
    assert not test.exception
    assert not test.error
    unit = "pp" if language == "en" else "Pp."
    figures = {one.label: (one.value, one.delta) for one in test.metric[:8]}
    assert figures["F1"] == (("0.360", "-0.102") if language == "en" else ("0,360", "-0,102"))
    assert figures["Recall" if language == "en" else "Trefferquote"][1].endswith(unit)
    assert "red-badge" in all_words(test)


def test_test_when_the_window_overlaps_training_then_it_says_so_once(fakes: Fakes, open_page: Open):
    note = "half of the rows were learnt"
    warned = {"code": "overlap", "message": note}
    fakes.training.get("/test-results/5", result(has_overlap=True, overlap_note=note, warnings=[warned]))
    test = open_page("models", test=5)
    assert note in test.error[0].value
    assert all_words(test).count(note) == 1


def test_test_when_its_model_has_no_card_then_the_test_is_shown_all_the_same(fakes: Fakes, open_page: Open):
    fakes.training.get("/models/7/card", bare_card(7))
    fakes.training.get("/test-results/5", result(metrics=None, overlap_note=None))
    test = open_page("models", test=5)
    assert not test.exception
    assert "not recorded" in test.info[-1].value


def test_test_when_deleted_then_it_asks_first(fakes: Fakes, open_page: Open):
    fakes.training.on("DELETE", "/test-results/5", None)
    test = open_page("models", test=5)
    test.button(key="delete_test").click().run()
    assert not fakes.training.changes()
    test.button(key="delete_test").click()
    test.button(key="confirm_do").click().run()
    assert fakes.training.changes()[-1].path == "/test-results/5"


def test_comparison_when_opened_then_verdict_rule_and_only_differences_are_shown(open_page: Open):
    test = open_page("models", comparison=4)
    assert not test.exception
    words = all_words(test)
    assert "model 8 wins by 0.05" in words
    assert "The highest average precision wins." in words
    figures, settings, pairs = (one.value for one in test.dataframe[:3])
    assert list(figures["Measure"]) == ["Average precision"]
    assert list(figures["Pump 8"]) == ["0.4100 ★"]
    assert {"max_depth", "Number of features", "Features not in all"} <= set(settings["Setting"])
    assert "Question" not in set(settings["Setting"])
    assert list(pairs["interval"])[:2] == ["-0.0900 … -0.0100", "–"]
    assert list(pairs["verdict"]) == ["★ Pump 8", "not proved", "★ Pump 7", "not proved"]


def test_comparison_when_all_is_asked_for_then_equal_lines_come_too(open_page: Open):
    test = open_page("models", comparison=4)
    test.toggle(key="compare_all").set_value(True).run()
    figures, settings = (one.value for one in test.dataframe[:2])
    assert len(figures) > 10
    assert "Question" in set(settings["Setting"])


def test_comparison_when_none_wins_then_it_says_so_in_german(fakes: Fakes, open_page: Open):
    fakes.training.get("/comparisons/4", compared(winner_id=None))
    test = open_page("models", comparison=4, lang="de")
    assert not test.exception
    assert not test.success
    assert "So wird entschieden" in all_words(test)


def test_comparison_when_it_has_no_figures_or_is_gone_then_it_says_so(fakes: Fakes, open_page: Open):
    fakes.training.get("/comparisons/4", compared(results=None))
    assert "not recorded" in open_page("models", comparison=4).info[-1].value
    fakes.training.get("/comparisons/6", Problem(404, "no"))
    assert "no comparison 6" in open_page("models", comparison=6).info[0].value


def test_results_when_they_are_of_another_version_then_it_says_so(fakes: Fakes, open_page: Open):
    fakes.training.get("/comparisons/4", compared(results={"models": "none"}))
    fakes.training.get("/test-results/5", result(metrics={"periods": 3}))
    for name, one in (("comparison", 4), ("test", 5)):
        test = open_page("models", **{name: one})
        assert not test.exception
        assert "are both of the same version" in test.error[0].value


def test_comparison_when_deleted_then_it_asks_first(fakes: Fakes, open_page: Open):
    fakes.training.on("DELETE", "/comparisons/4", None)
    test = open_page("models", comparison=4)
    test.button(key="delete_comparison").click().run()
    assert not fakes.training.changes()
    test.button(key="delete_comparison").click()
    test.button(key="confirm_do").click().run()
    assert fakes.training.changes()[-1].path == "/comparisons/4"
