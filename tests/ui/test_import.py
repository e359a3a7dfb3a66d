"""The page import: what there is, what a model promises, how it is brought, and what stands against it."""

import pytest

from shared.contracts.prediction import ImportedModel
from tests.support.fake_services import Asked, Problem, Reply
from tests.support.ui_active import active, actives, available, availables, card, promotions
from tests.support.ui_page import all_words
from tests.ui.conftest import Fakes, Open


@pytest.fixture(autouse=True)
def answers(fakes: Fakes) -> None:
    fakes.prediction.get("/models/available", availables(available(13), available(14, active_model_id=4)))
    fakes.prediction.get("/models/active", actives(active(4, line="pump30")))
    fakes.training.get("/models/13/card", card(13, warnings=("F1 on the hold-out is 0.321, below 0.5",)))


def test_list_when_models_are_available_then_those_not_imported_come_with_their_figures(open_page: Open):
    test = open_page("import")
    assert not test.exception
    words = all_words(test)
    assert "**Trained 13**" in words
    assert "price_close +30 % in 10 min" in words
    assert "**0.738**" in words
    assert "Trained 14" not in words
    assert "Trained 14" in all_words(open_page("import", which="all"))


def test_list_when_searched_and_sorted_then_the_address_says_so(fakes: Fakes, open_page: Open):
    fakes.prediction.get(
        "/models/available", availables(available(1, roc_auc=0.6), available(2, name="Second", roc_auc=0.9))
    )
    by_auc = open_page("import", sort="auc")
    assert [button.key for button in by_auc.button if (button.key or "").startswith("look_")] == ["look_2", "look_1"]
    found = open_page("import", search="TRAINED +30")
    assert [button.key for button in found.button if (button.key or "").startswith("look_")] == ["look_1"]
    assert "No model matches" in all_words(open_page("import", search="nonsense"))


def test_list_when_there_are_a_thousand_then_a_page_shows_twelve(fakes: Fakes, open_page: Open):
    fakes.prediction.get("/models/available", availables(*(available(one) for one in range(1, 1001))))
    test = open_page("import", page=84)
    assert not test.exception
    assert "1,000 of 1,000 models" in all_words(test)
    assert len([one for one in test.button if (one.key or "").startswith("look_")]) == 4


def test_list_when_nothing_is_trained_then_the_way_to_training_is_shown(fakes: Fakes, open_page: Open):
    fakes.prediction.get("/models/available", availables())
    test = open_page("import")
    assert "There is no trained model yet." in all_words(test)
    assert len(test.get("page_link")) == 1


def test_list_when_training_is_unreachable_then_a_banner_says_so(fakes: Fakes, open_page: Open):
    fakes.prediction.get("/models/available", Problem(502, "The training service does not answer", code="training"))
    test = open_page("import")
    assert not test.exception
    assert "The training service does not answer" in test.error[0].value


def test_model_when_opened_then_its_promise_and_warnings_are_shown(open_page: Open):
    test = open_page("import", model=13)
    metrics = {one.label: one.value for one in test.metric}
    assert metrics["Precision of alerts"] == "48.9 %"
    assert metrics["Base rate"] == "7.4 %"
    assert metrics["Alert threshold"] == "0.487"
    assert "below 0.5" in test.warning[0].value


def test_model_when_the_card_is_silent_then_it_can_be_imported_all_the_same(fakes: Fakes, open_page: Open):
    fakes.down("training")
    test = open_page("import", model=13)
    assert not test.exception
    assert "does not answer" in test.error[0].value
    assert test.button(key="import_do")


def test_import_when_pressed_then_mode_and_line_are_sent_and_the_model_is_opened(fakes: Fakes, open_page: Open):
    done = ImportedModel(active_model_id=5, model_id=13, model_name="Trained 13", local_path="/models/13.zip")
    fakes.prediction.on("POST", "/models/import", done)
    fakes.prediction.get("/models/5", active(5)).get("/promotions", promotions())
    test = open_page("import", model=13)
    test.radio[0].set_value("shadow").run()
    test.selectbox(key="import_line_13").set_value("pump30").run()
    test.button(key="import_do").click().run()
    assert not [one for one in test.exception if "switch" not in one.value.lower()]
    (sent,) = fakes.prediction.changes()
    assert sent.json == {"model_id": 13, "mode": "shadow", "line": "pump30"}


def test_import_when_somebody_was_faster_then_the_existing_model_is_linked(fakes: Fakes, open_page: Open):
    def find(_: Asked) -> Reply:
        return availables(available(13, active_model_id=7 if fakes.prediction.changes() else None))

    problem = Problem(409, "Model 13 is imported already, as active model 7", code="conflict")
    fakes.prediction.get("/models/available", find).on("POST", "/models/import", problem)
    test = open_page("import", model=13)
    links = len(test.get("page_link"))
    test.button(key="import_do").click().run()
    assert not test.exception
    assert "imported already, as active model 7" in test.error[0].value
    assert len(test.get("page_link")) == links + 1


def test_import_when_refused_then_the_reason_stands_at_the_form(fakes: Fakes, open_page: Open):
    problem = Problem(409, "Model 13 needs columns that coin_metrics lacks: is_koth", code="conflict")
    fakes.prediction.on("POST", "/models/import", problem)
    test = open_page("import", model=13)
    test.button(key="import_do").click().run()
    assert not test.exception
    assert "needs columns that coin_metrics lacks" in test.error[0].value
    test.button(key="import_do_again").click().run()
    assert len(fakes.prediction.changes()) == 1


def test_model_when_it_is_gone_then_this_is_said(open_page: Open):
    test = open_page("import", model=99)
    assert not test.exception
    assert "no model 99" in all_words(test)
    assert "no model abc" in all_words(open_page("import", model="abc"))


def test_words_when_german_is_chosen_then_the_page_is_german(open_page: Open):
    test = open_page("import", model=13, lang="de")
    assert {one.label: one.value for one in test.metric}["Genauigkeit der Alarme"] == "48,9 %"
