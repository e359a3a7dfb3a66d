"""The page statistics: all models together, one beside its hold-out, little known, nothing known, a silent service."""

import pytest

from tests.support.fake_services import Asked, Reply
from tests.support.ui_active import PHASES, active, actives, service_statistics, statistics
from tests.support.ui_page import all_words, figures
from tests.ui.conftest import Fakes, Open


@pytest.fixture(autouse=True)
def answers(fakes: Fakes) -> None:
    fakes.prediction.get("/models/active", actives(active(3), active(4, model_name="Dump 20")))
    fakes.prediction.get("/stats", service_statistics())
    fakes.prediction.get("/models/3/statistics", statistics(3))
    fakes.training.get("/phases", PHASES)


def test_all_models_when_outcomes_are_known_then_figures_books_and_models_are_shown(open_page: Open):
    test = open_page("statistics")
    assert not test.exception
    metrics = figures(test)
    assert metrics["Precision of alerts"] == "60.0 %"
    assert metrics["Left out"] == "10"
    assert "balanced" in all_words(test)
    assert list(test.dataframe[0].value["Model"]) == ["Pump 30", "Dump 20"]


def test_all_models_when_the_books_do_not_balance_then_this_is_said(fakes: Fakes, open_page: Open):
    fakes.prediction.get("/stats", service_statistics(balanced=False))
    assert "not balanced" in all_words(open_page("statistics"))


def test_all_models_when_none_is_imported_then_the_way_to_one_is_shown(fakes: Fakes, open_page: Open):
    fakes.prediction.get("/models/active", actives())
    test = open_page("statistics")
    assert "No model is imported yet." in all_words(test)
    assert not test.exception


def test_one_model_when_outcomes_are_known_then_live_stands_beside_hold_out(open_page: Open):
    test = open_page("statistics", model=3)
    assert not test.exception
    alert = next(one for one in test.metric if one.label == "Precision of alerts")
    assert (alert.value, alert.delta) == ("60.0 %", "+15.0 pp")
    rows = test.dataframe[0].value.set_index("Figure")
    assert list(rows.loc["Recall of predictions"]) == ["75.0 %", "43.0 %", "+32.0 pp"]
    assert list(rows.loc["Brier score"]) == ["0.0812", "0.0712", "+0.0100"]


def test_one_model_when_few_alerts_are_known_then_their_range_and_pending_ones_are_told(open_page: Open):
    words = all_words(open_page("statistics", model=3))
    assert "95 %: 39–78 % (12 of 20)" in words
    assert "Only 20 alerts have a known outcome" in words
    assert "Pending: 150** (23 alerts)" in words
    assert "Unresolved: 50** (7 alerts)" in words


def test_one_model_when_nothing_is_known_yet_then_no_share_is_made_up(fakes: Fakes, open_page: Open):
    fakes.prediction.get("/models/3/statistics", statistics(3, known=False))
    for tab in ("figures", "calibration", "phases"):
        test = open_page("statistics", model=3, tab=tab)
        assert not test.exception
        assert figures(test)["Precision of alerts"] == "–"


@pytest.mark.parametrize(("tab", "charts"), [("calibration", 2), ("time", 3), ("phases", 1), ("drift", 2)])
def test_one_model_when_a_tab_stands_in_the_address_then_it_is_open(open_page: Open, tab: str, charts: int):
    test = open_page("statistics", model=3, tab=tab)
    assert not test.exception
    assert len(test.get("arrow_vega_lite_chart")) + len(test.get("vega_lite_chart")) == charts


def test_drift_when_a_feature_moved_then_level_and_rows_are_told(open_page: Open):
    words = all_words(open_page("statistics", model=3, tab="drift"))
    assert "strong" in words
    assert "900 sampled rows" in words


def test_phases_when_training_is_down_then_numbers_stand_for_names(fakes: Fakes, open_page: Open):
    shown = open_page("statistics", model=3, tab="phases").dataframe[0].value
    assert list(shown["Phase"]) == ["Baby Zone", "without phase"]
    fakes.down("training")
    test = open_page("statistics", model=3, tab="phases")
    assert not test.exception
    assert list(test.dataframe[0].value["Phase"]) == ["1", "without phase"]


def test_range_when_days_stand_in_the_address_then_they_are_asked_for(fakes: Fakes, open_page: Open):
    asked: list[Asked] = []

    def answer(one: Asked) -> Reply:
        asked.append(one)
        return statistics(3)

    fakes.prediction.get("/models/3/statistics", answer)
    address = {"range": "dates", "from": "2026-03-01", "to": "2026-03-02"}
    test = open_page("statistics", model=3, **address)
    assert not test.exception
    assert asked[0].query["date_from"] == "2026-03-01T00:00:00+00:00"
    assert asked[0].query["date_to"].startswith("2026-03-02T23:59:59")


@pytest.mark.parametrize(
    ("first", "last"), [("0001-01-01", "9999-12-31"), ("9999-12-30", "9999-12-31"), ("1999-01-01", "much")]
)
def test_range_when_the_days_are_nonsense_then_all_is_shown(fakes: Fakes, open_page: Open, first: str, last: str):
    test = open_page("statistics", model=3, range="dates", local="true", **{"from": first, "to": last})
    assert not test.exception
    asked = [one for one in fakes.prediction.asked if one.path == "/models/3/statistics"][-1].query
    assert not any(day[:10] in {first, last} for day in asked.values())


def test_one_model_when_it_is_deleted_then_its_statistics_stay(fakes: Fakes, open_page: Open):
    fakes.prediction.get("/models/9/statistics", statistics(9, name=None, is_active=None))
    test = open_page("statistics", model=9)
    assert not test.exception
    assert "Active model 9 (deleted)" in all_words(test)
    assert figures(test)["Base rate"] == "10.0 %"


def test_service_when_it_is_down_then_a_banner_offers_to_try_again(fakes: Fakes, open_page: Open):
    fakes.down("prediction")
    test = open_page("statistics", model=3)
    assert not test.exception
    assert "does not answer" in test.error[0].value
    assert test.button(key="retry_prediction")


def test_words_when_german_is_chosen_then_the_page_is_german(open_page: Open):
    test = open_page("statistics", model=3, lang="de")
    assert figures(test)["Genauigkeit der Alarme"] == "60,0 %"
