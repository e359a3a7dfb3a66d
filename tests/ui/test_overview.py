"""The overview: what is wrong, figures, models, alerts, what was live when; with a service gone; in German."""

from datetime import timedelta

import pytest
from streamlit.testing.v1 import AppTest

from shared.contracts.jobs import JobList
from shared.contracts.prediction import ModelChanged
from shared.contracts.promotions import PromotionPage
from shared.contracts.training import ModelList
from shared.contracts.webhook import Webhooks
from streamlit_ui.app_pages.key_figures import hours_of
from streamlit_ui.app_pages.live_periods import live_periods
from tests.support import ui_overview as wire
from tests.support.fake_services import Problem
from tests.support.ui_page import all_words
from tests.support.ui_predictions import active_model, prediction
from tests.ui.conftest import Fakes, Open


def figure(test: AppTest, label: str) -> str:
    (found,) = [metric.value for metric in test.metric if metric.label == label]
    return str(found)


def test_overview_when_all_is_well_then_it_says_so_and_shows_the_figures(fakes: Fakes, open_page: Open):
    wire.running(fakes.prediction, fakes.training)
    test = open_page("overview")
    assert not test.exception
    assert not test.error
    assert "All is well" in test.success[0].value
    assert figure(test, "Predictions / hour") == "200"
    assert figure(test, "Alert precision") == "75.0 %"
    assert figure(test, "Time to answer") == "4.2 ms"
    assert figure(test, "Delivered") == "31"
    words = all_words(test)
    assert "Pump model" in words
    assert "price_close +30 % in 10 min" in words
    assert "75.0 % of 4" in words
    assert "50.0 %" in words


def test_overview_when_things_are_wrong_then_each_has_a_sentence_and_a_link(fakes: Fakes, open_page: Open):
    wire.running(fakes.prediction, fakes.training)
    failing = wire.endpoint(url="https://example.org/hook?key=s3cret", failing_since=wire.now() - timedelta(hours=2))
    fakes.prediction.get("/webhooks", Webhooks(webhooks=[failing], total=1))
    fakes.training.get("/queue", JobList(jobs=[wire.failed_job(error_msg="base_rate *0*")], total=1))
    test = open_page("overview")
    words = all_words(test)
    assert "Needs attention: 2" in words
    assert "s3cret" not in words
    assert "`example.org/hook` takes no messages; the first was refused 2 hours ago" in words
    assert "Job **Too rare** failed: base_rate \\*0\\*" in words
    links = {one.page: one.query_string for one in test.get("page_link")}
    assert (links["delivery"], links["jobs"]) == ("endpoint=3", "id=12")


def test_overview_when_nothing_is_imported_then_it_shows_the_way(fakes: Fakes, open_page: Open):
    wire.running(fakes.prediction, fakes.training, models=[])
    test = open_page("overview")
    assert not test.exception
    words = all_words(test)
    assert "Import one" in words
    assert "No alert yet" in words
    assert "No model has been live yet" in words


@pytest.mark.parametrize("gone", ["training", "prediction"])
def test_overview_when_a_service_is_gone_then_what_the_other_knows_is_shown(fakes: Fakes, open_page: Open, gone: str):
    wire.running(fakes.prediction, fakes.training)
    fakes.training.get("/queue", JobList(jobs=[wire.failed_job()], total=1))
    fakes.down(gone)
    test = open_page("overview")
    assert not test.exception
    words = all_words(test)
    assert f"The {gone} service does not answer" in words
    assert ("Job **Too rare** failed" in words) == (gone == "prediction")
    assert bool(test.metric) == (gone == "training")
    assert len(test.error) == (gone == "prediction")


def test_overview_when_the_service_refuses_then_it_says_why(fakes: Fakes, open_page: Open):
    wire.running(fakes.prediction, fakes.training)
    fakes.prediction.get("/stats", Problem(503, "the database is gone"))
    test = open_page("overview")
    assert not test.exception
    assert "the database is gone" in test.error[0].value


def test_overview_when_deactivating_then_it_asks_first(fakes: Fakes, open_page: Open):
    wire.running(fakes.prediction, fakes.training)
    fakes.prediction.on("POST", "/models/7/deactivate", ModelChanged(message="off", active_model_id=7))
    test = open_page("overview")
    test.button(key="deactivate_7").click().run()
    assert fakes.prediction.changes() == []
    assert "stops predicting at once" in all_words(test)
    # In a browser the dialog runs alone; here the whole page does, and must be told again that it was asked for.
    test.session_state["overview_deactivate"] = (7, "Pump model")
    test.button(key="confirm_do").click().run()
    assert [(one.method, one.path) for one in fakes.prediction.changes()] == [("POST", "/models/7/deactivate")]
    assert not test.exception


def test_overview_when_alerts_came_then_their_outcome_is_a_sign_and_a_word(fakes: Fakes, open_page: Open):
    outcomes = [None, "tp", "fp", "unresolved"]
    predictions = [prediction(id=n, outcome=outcome) for n, outcome in enumerate(outcomes, 1)]
    wire.running(fakes.prediction, fakes.training, predictions=[*predictions, prediction(id=9, is_alert=False)])
    test = open_page("overview")
    shown = test.dataframe[0].value
    assert list(shown["outcome"]) == ["⏳ pending", "✅ came true", "❌ false alarm", "❓ unknown"]
    assert set(shown["model"]) == {"Pump model"}
    decided = open_page("overview", alerts="decided").dataframe[0].value
    assert set(decided["outcome"]) == {"✅ came true", "❌ false alarm"}


def test_overview_when_an_alert_is_clicked_then_its_coin_opens(fakes: Fakes, open_page: Open):
    wire.running(fakes.prediction, fakes.training, predictions=[prediction(id=1), prediction(id=2, outcome="tp")])
    test = open_page("overview")
    test.session_state["overview_alerts"] = {"selection": {"rows": [], "columns": [], "cells": [(1, "model")]}}
    test.run()
    assert not test.exception
    assert test.query_params["prediction"] == "2"


def test_overview_when_the_least_busy_model_is_the_bad_one_then_it_is_named(fakes: Fakes, open_page: Open):
    models = [active_model(id=n, model_id=n, name=f"Model {n}", last_prediction_at=wire.now()) for n in range(1, 15)]
    models[-1] = models[-1].model_copy(update={"mode": "shadow", "total_predictions": 0})
    wire.running(fakes.prediction, fakes.training, models=models)
    learnt = [wire.trained(id=n, cv_overfitting_gap=0.4 if n == 14 else 0.02) for n in range(1, 15)]
    fakes.training.get("/models", ModelList(models=learnt, total=14))
    drifted = wire.model_statistics(14, drift=[wire.drift("strong")])
    fakes.prediction.get("/models/14/statistics", drifted)
    test = open_page("overview")
    assert "12 of 14 active models" in all_words(test)
    assert "Needs attention: 1" in all_words(test)
    test.run()
    assert not test.exception
    assert "Needs attention: 2" in all_words(test)
    asked = len(fakes.prediction.asked)
    test.run()
    assert "Needs attention: 2" in all_words(test)
    assert (
        len([one for one in fakes.prediction.asked[asked:] if one.path.endswith("/statistics") and not one.query]) == 6
    )


def test_overview_when_all_is_new_then_it_says_how_to_begin(fakes: Fakes, open_page: Open):
    wire.running(fakes.prediction, fakes.training, models=[])
    test = open_page("overview")
    assert not test.exception
    assert "How to begin" in all_words(test)
    assert not test.metric
    assert [one.page for one in test.get("page_link")][:2] == ["train", "import"]
    wire.running(fakes.prediction, fakes.training)
    assert "How to begin" not in all_words(test.run())


def test_overview_when_there_are_a_thousand_models_then_it_asks_for_few(fakes: Fakes, open_page: Open):
    models = [active_model(id=n, model_id=n, name=f"Model {n}", last_prediction_at=wire.now()) for n in range(1, 1001)]
    wire.running(fakes.prediction, fakes.training, models=models)
    test = open_page("overview")
    assert not test.exception
    asked = [one for one in fakes.prediction.asked if one.path.endswith("/statistics") and not one.query]
    assert len(asked) == 12
    assert "12 of 1,000 active models were looked at" in all_words(test)
    assert "All is well" not in all_words(test)
    assert "994 more active models" in {one.label for one in test.get("page_link")}
    assert "of the 6 busiest of 1,000 active models" in all_words(test)


def test_overview_when_german_then_words_and_numbers_are(fakes: Fakes, open_page: Open):
    wire.running(fakes.prediction, fakes.training)
    fakes.training.get("/queue", JobList(jobs=[wire.failed_job()], total=1))
    test = open_page("overview", lang="de")
    assert not test.exception
    assert test.title[0].value == "Übersicht"
    assert figure(test, "Genauigkeit") == "75,0 %"
    assert "Auftrag **Too rare** ist gescheitert" in all_words(test)


def test_periods_when_models_take_turns_then_each_stretch_has_its_ends():
    start = wire.now() - timedelta(hours=10)
    at = [start + timedelta(hours=n) for n in range(6)]
    changes = [
        wire.promotion(1, "import", 1, at=at[0]),
        wire.promotion(2, "import", 2, at=at[1], is_live=False),
        wire.promotion(3, "promote", 2, at=at[2], replaced_active_model_id=1),
        wire.promotion(4, "rollback", 2, at=at[3], replaced_active_model_id=1),
        wire.promotion(5, "activate", 1, at=at[4]),
        wire.promotion(6, "delete", 1, at=at[5]),
    ]
    found = [(one.active_model_id, one.start, one.end) for one in live_periods(reversed(changes))]
    assert sorted(found, key=lambda one: one[1]) == [(1, at[0], at[2]), (2, at[2], at[3]), (1, at[3], at[5])]


def test_periods_when_one_is_still_live_then_it_comes_first_and_has_no_end():
    start = wire.now() - timedelta(hours=3)
    later = start + timedelta(hours=1)
    changes = [wire.promotion(1, "import", 1, at=start), wire.promotion(2, "import", 2, at=later)]
    changes.append(wire.promotion(3, "deactivate", 2, at=later + timedelta(minutes=5)))
    assert [(one.active_model_id, one.end is None) for one in live_periods(changes)] == [(1, True), (2, False)]


def test_overview_when_models_took_turns_then_statistics_are_asked_for_the_stretch(fakes: Fakes, open_page: Open):
    wire.running(fakes.prediction, fakes.training)
    start = wire.now() - timedelta(hours=5)
    changes = [wire.promotion(1, "import", 7, at=start), wire.promotion(2, "deactivate", 7, at=wire.now())]
    fakes.prediction.get("/promotions", PromotionPage(promotions=changes, next_cursor=None))
    assert not open_page("overview").exception
    (asked,) = [one for one in fakes.prediction.asked if one.path == "/models/7/statistics" and one.query]
    assert asked.query["date_from"].startswith(start.strftime("%Y-%m-%dT%H:%M"))
    assert "date_to" in asked.query


def test_hours_when_summed_then_models_add_up_and_empty_hours_count_none():
    first, second = wire.model_statistics(1), wire.model_statistics(2, hours=1)
    hours = hours_of([first, second], last=wire.now())
    assert [hour.predictions for hour in hours] == [100, 200, 400]
    assert [hour.precision for hour in hours] == [None, None, None]


def test_overview_when_a_key_is_wanted_then_it_is_asked_for_once(fakes: Fakes, open_page: Open):
    wire.running(fakes.prediction, fakes.training)
    for path in [path for method, path in fakes.prediction.answers if method == "GET"]:
        fakes.prediction.get(path, Problem(401, "needs a key", code="unauthorised"))
    test = open_page("overview")
    assert not test.exception
    assert len(test.text_input) == 1
