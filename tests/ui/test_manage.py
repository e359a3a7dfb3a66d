"""The page manage: the list, each setting alone, live and shadow, name and deletion."""

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from shared.contracts.prediction import ModelChanged
from shared.contracts.promotions import AutoPromotion
from tests.support.fake_services import Problem
from tests.support.ui_active import NOON, PHASES, active, actives, card, challenge, promotion, promotions
from tests.support.ui_page import all_words
from tests.ui.conftest import Fakes, Open

STAMP = f"3_{NOON.timestamp()}"
DONE = ModelChanged(message="done", active_model_id=3)


@pytest.fixture(autouse=True)
def answers(fakes: Fakes) -> None:
    fakes.training.get("/phases", PHASES).get("/models/13/card", card(13))
    show(fakes)


def show(fakes: Fakes, **changed: Any) -> None:
    """Let the service have a model 3, as said, and a live model 4 of its line."""
    model = active(3, **changed)
    live = active(4, model_name="Pump old", line="pump30", is_active=False)
    fakes.prediction.get("/models/3", model).get("/models/active", actives(model, live))
    fakes.prediction.get("/promotions", promotions()).get("/models/3/challenge", challenge(3))
    fakes.prediction.on("PATCH", "/models/3/settings", model)


def _save(test: AppTest) -> AppTest:
    button = next(one for one in test.button if (one.key or "").startswith("save_"))
    return button.click().run()


def _sent(fakes: Fakes) -> dict[str, Any]:
    (one,) = fakes.prediction.changes()
    found: dict[str, Any] = one.json
    return found


def _confirm(test: AppTest, opener: Callable[[AppTest], Any]) -> AppTest:
    """Press the button of the dialog; without a browser it is drawn only where its opener is pressed as well."""
    opener(test).click()
    return test.button(key="confirm_do").click().run()


def _named(label: str) -> Callable[[AppTest], Any]:
    return lambda test: next(one for one in test.button if one.label == label)


def test_list_when_models_are_imported_then_the_active_ones_come_first(open_page: Open):
    test = open_page("manage")
    assert not test.exception
    assert list(test.dataframe[0].value["Name"]) == ["Pump 30"]
    assert list(test.dataframe[0].value["State"]) == ["active, live"]
    assert list(open_page("manage", state="all", search="old").dataframe[0].value["Name"]) == ["Pump old"]


def test_list_when_questions_differ_then_each_is_told_in_words(fakes: Fakes, open_page: Open):
    rule = {"price_change_percent": None, "future_minutes": None, "target_operator": ">=", "target_value": 2.5}
    falling = {"target_direction": "down", "price_change_percent": 12.5}
    fakes.prediction.get("/models/active", actives(active(3), active(4, **rule), active(5, **falling)))
    english, german = (open_page("manage", lang=lang).dataframe[0].value for lang in ("en", "de"))
    assert list(english["Question"]) == [
        "price_close +30 % in 10 min",
        "price_close ≥ 2.5",
        "price_close -12.5 % in 10 min",
    ]
    assert list(german["Frage"])[1:] == ["price_close ≥ 2,5", "price_close -12,5 % in 10 min"]


def test_list_when_another_came_before_the_click_then_the_row_that_was_seen_opens(fakes: Fakes, open_page: Open):
    test = open_page("manage")
    fakes.prediction.get("/models/active", actives(active(9, model_name="New"), active(3)))
    key, _ = test.session_state["manage_drawn"]
    test.session_state[key] = {"selection": {"rows": [0], "columns": [], "cells": []}}
    test.run()
    assert not test.exception
    assert test.query_params["model"] == "3"


def test_list_when_nothing_is_imported_then_the_way_to_import_is_shown(fakes: Fakes, open_page: Open):
    fakes.prediction.get("/models/active", actives())
    test = open_page("manage")
    assert "No model is imported yet." in all_words(test)
    assert len(test.get("page_link")) == 1


def test_list_when_the_service_is_down_then_a_banner_offers_to_try_again(fakes: Fakes, open_page: Open):
    fakes.down("prediction")
    test = open_page("manage")
    assert not test.exception
    assert "does not answer" in test.error[0].value


@pytest.mark.parametrize("named", ["9", "abc"])
def test_model_when_unknown_then_the_page_says_so(fakes: Fakes, open_page: Open, named: str):
    fakes.prediction.get("/models/9", Problem(404, "GET /models/active lists all"))
    test = open_page("manage", model=named)
    assert not test.exception
    assert f"There is no active model {named}" in test.error[0].value


def test_switch_when_pressed_then_the_model_rests_or_predicts(fakes: Fakes, open_page: Open):
    fakes.prediction.on("POST", "/models/3/deactivate", DONE).on("POST", "/models/3/activate", DONE)
    test = open_page("manage", model=3)
    test.button(key="rest").click().run()
    assert fakes.prediction.changes() == []
    assert "stops predicting at once" in all_words(test)
    _confirm(test, lambda shown: shown.button(key="rest"))
    show(fakes, is_active=False)
    open_page("manage", model=3).button(key="wake").click().run()
    assert [one.path for one in fakes.prediction.changes()] == ["/models/3/deactivate", "/models/3/activate"]


def test_threshold_when_moved_then_its_meaning_follows_and_it_alone_is_sent(fakes: Fakes, open_page: Open):
    test = open_page("manage", model=3)
    assert {one.label: one.value for one in test.metric}["Precision"] == "55.0 %"
    own = {one.label: one.value for one in open_page("manage", model=3, threshold=0.5).metric}
    assert (own["Alerts per day"], own["Expected value"]) == ("120", "+4.20 %")
    test.slider[0].set_value(0.75).run()
    assert {one.label: one.value for one in test.metric}["Alerts per day"] == "10"
    assert "Alert threshold: 0.600 → 0.750" in all_words(test)
    test = _save(test)
    assert not test.exception
    assert _sent(fakes) == {"alert_threshold": 0.75}
    assert "0.600 → 0.750" in test.toast[0].value


def test_threshold_when_a_link_names_one_then_it_is_chosen_and_not_saved(fakes: Fakes, open_page: Open):
    test = open_page("manage", model=3, threshold="0.812345")
    assert "Alert threshold: 0.600000 → 0.812345" in all_words(test)
    _save(test)
    assert _sent(fakes) == {"alert_threshold": 0.812345}
    for nonsense in ("much", "7", "nan"):
        assert "Nothing is changed." in all_words(open_page("manage", model=3, threshold=nonsense))


def test_threshold_when_it_is_tiny_then_it_is_shown_as_it_is_and_nothing_is_changed(fakes: Fakes, open_page: Open):
    show(fakes, alert_threshold=0.000412)
    test = open_page("manage", model=3)
    assert "Nothing is changed." in all_words(test)
    exact = test.number_input(key=f"threshold_exact_{STAMP}")
    assert exact.value == 0.000412
    exact.set_value(0.000398).run()
    assert "0.000412 → 0.000398" in all_words(test)
    assert test.query_params["threshold"] == "0.000398"


def test_save_when_clicked_twice_then_it_is_sent_once(fakes: Fakes, open_page: Open):
    fakes.prediction.on("PATCH", "/models/3/settings", Problem(503, "the database is gone"))
    test = _save(open_page("manage", model=3, threshold="0.7"))
    assert "the database is gone" in test.error[0].value
    _save(test)
    assert len(fakes.prediction.changes()) == 1


def test_threshold_when_above_all_rows_then_no_alert_is_promised(open_page: Open):
    test = open_page("manage", model=3)
    test.slider[0].set_value(0.95).run()
    assert {one.label: one.value for one in test.metric}["Alerts per day"] == "0"
    assert "No row of the hold-out reached" in all_words(test)


def test_threshold_when_reset_then_null_is_sent(fakes: Fakes, open_page: Open):
    open_page("manage", model=3).button(key=f"own_{STAMP}").click().run()
    assert _sent(fakes) == {"alert_threshold": None}


def test_threshold_when_training_is_down_then_it_can_be_set_all_the_same(fakes: Fakes, open_page: Open):
    fakes.down("training")
    test = open_page("manage", model=3)
    assert "does not answer" in test.error[0].value
    test.slider[0].set_value(0.7).run()
    _save(test)
    assert _sent(fakes) == {"alert_threshold": 0.7}


def test_sending_when_changed_then_only_what_was_changed_is_sent(fakes: Fakes, open_page: Open):
    test = open_page("manage", model=3, tab="sending")
    assert "Nothing is changed." in all_words(test)
    test.number_input(key=f"cooldown_alert_seconds_{STAMP}").set_value(120).run()
    test.multiselect(key=f"phases_{STAMP}").set_value([1]).run()
    assert "all phases → Baby Zone" in all_words(test)
    _save(test)
    assert _sent(fakes) == {"cooldown_alert_seconds": 120, "phases": [1]}


def test_whitelist_when_written_then_each_coin_counts_once(fakes: Fakes, open_page: Open):
    show(fakes, coin_filter_mode="whitelist", coin_whitelist=["mint1"])
    test = open_page("manage", model=3, tab="sending")
    test.text_area[0].set_value("mint1\nmint2, mint2\n\n").run()
    _save(test)
    assert _sent(fakes) == {"coin_whitelist": ["mint1", "mint2"]}


def test_sending_when_a_value_is_impossible_then_its_field_is_named(fakes: Fakes, open_page: Open):
    show(fakes, coin_filter_mode="whitelist")
    test = open_page("manage", model=3, tab="sending")
    test.text_area[0].set_value("x" * 101).run()
    test = _save(test)
    assert not test.exception
    assert "**Mints, one a line**" in test.error[0].value
    assert fakes.prediction.changes() == []


def test_sending_when_the_service_finds_a_fault_then_its_field_is_named(fakes: Fakes, open_page: Open):
    fault = {"pointer": "/phases/0", "detail": "There is no phase 1"}
    fakes.prediction.on("PATCH", "/models/3/settings", Problem(422, "Not valid", code="invalid", errors=(fault,)))
    test = open_page("manage", model=3, tab="sending")
    test.multiselect(key=f"phases_{STAMP}").set_value([1]).run()
    test = _save(test)
    assert test.error[0].value.endswith("- **Phases** There is no phase 1")


def test_shadow_when_in_a_line_then_its_lead_and_what_is_missing_are_shown(fakes: Fakes, open_page: Open):
    show(fakes, mode="shadow", line="pump30")
    test = open_page("manage", model=3, tab="promotion")
    assert not test.exception
    rows = test.dataframe[0].value.set_index("Figure")
    assert list(rows.loc["Precision of alerts"]) == ["61.8 %", "25.1 %"]
    words = all_words(test)
    assert "It leads by **36.70 pp**; up to **40.00 pp** may be chance (31 coins)" in words
    assert "alerts: 40 of 200" in words


def test_promote_when_pressed_then_it_is_asked_first(fakes: Fakes, open_page: Open):
    show(fakes, mode="shadow", line="pump30")
    fakes.prediction.on("POST", "/models/3/promote", promotion())
    test = open_page("manage", model=3, tab="promotion")
    test.text_input(key=f"reason_{STAMP}").set_value("better").run()
    opener = _named("Promote to live")
    opener(test).click().run()
    assert fakes.prediction.changes() == []
    _confirm(test, opener)
    assert _sent(fakes) == {"reason": "better"}


def test_roll_back_when_promoted_then_it_is_offered_once(fakes: Fakes, open_page: Open):
    show(fakes, line="pump30")
    fakes.prediction.get("/promotions", promotions(promotion(1)))
    fakes.prediction.on("POST", "/models/3/rollback", promotion(2, action="rollback", undoes=1))
    test = open_page("manage", model=3, tab="promotion")
    assert "**Pump old** is live in its place" in all_words(test)
    opener = _named("Roll back")
    opener(test).click().run()
    _confirm(test, opener)
    assert [one.path for one in fakes.prediction.changes()] == ["/models/3/rollback"]
    fakes.prediction.get("/promotions", promotions(promotion(2, action="rollback", undoes=1), promotion(1)))
    assert "Roll back" not in [one.label for one in open_page("manage", model=3, tab="promotion").button]


def test_auto_promotion_when_switched_on_then_shares_are_sent_as_shares(fakes: Fakes, open_page: Open):
    show(fakes, mode="shadow", line="pump30")
    test = open_page("manage", model=3, tab="promotion")
    test.toggle(key=f"auto_{STAMP}").set_value(True).run()
    test.number_input(key=f"auto_margin_alert_precision_{STAMP}").set_value(3.0).run()
    _save(test)
    wanted = AutoPromotion(metric="alert_precision", margin=0.03, min_outcomes=200)
    assert _sent(fakes) == {"auto_promotion": wanted.model_dump()}


def test_name_when_changed_or_reset_then_it_is_sent(fakes: Fakes, open_page: Open):
    show(fakes, custom_name="Mine", name="Mine")
    fakes.prediction.on("PATCH", "/models/3/rename", active(3))
    test = open_page("manage", model=3, tab="removal")
    test.text_input(key=f"name_{STAMP}").set_value("Yours").run()
    test.button(key="rename").click().run()
    _named("Back to the training name")(test).click().run()
    assert [one.json for one in fakes.prediction.changes()] == [{"name": "Yours"}, {"name": None}]


def test_delete_when_the_name_is_not_typed_then_nothing_happens(fakes: Fakes, open_page: Open):
    fakes.prediction.on("DELETE", "/models/3", DONE)
    test = open_page("manage", model=3, tab="removal")

    def opener(drawn: AppTest) -> Any:
        return drawn.button(key="delete")

    opener(test).click().run()
    assert test.button(key="confirm_do").disabled
    opener(test).click()
    test.text_input(key="confirm_typed").set_value("Pump 30").run()
    _confirm(test, opener)
    assert [(one.method, one.path) for one in fakes.prediction.changes()] == [("DELETE", "/models/3")]


def test_words_when_german_is_chosen_then_the_page_is_german(open_page: Open):
    assert "Nichts ist geändert." in all_words(open_page("manage", model=3, lang="de"))
