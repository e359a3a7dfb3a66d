"""The page that asks for a model: the form, what the rows say to it, and what is sent."""

import base64
import json
import threading
import zlib
from typing import Any

import pytest

from streamlit_ui.app_pages import training_look
from streamlit_ui.client.transport import Unreachable
from tests.support import ui_jobs
from tests.support.fake_services import Asked, Problem
from tests.support.ui_train import FIRST_BODY, PREFLIGHT, field, sent, shown
from tests.ui.conftest import Fakes, Open

FOR_EVER = 30.0


@pytest.fixture
def ready(fakes: Fakes) -> Fakes:
    """Give services that know rows and would train."""
    ui_jobs.catalogue(fakes.training)
    fakes.training.on("POST", PREFLIGHT, ui_jobs.report())
    return fakes


def test_train_when_there_are_no_rows_then_says_how_to_get_some(ready: Fakes, open_page: Open):
    nothing = {"min_timestamp": None, "max_timestamp": None, "rows": 0, "rows_counted": True, "coins": 0}
    ready.training.get("/data-availability", nothing)
    test = open_page("train")
    assert not test.exception
    assert "pumpcast simulate" in test.info[0].value


def test_train_when_opened_then_asks_the_first_preset_and_shows_what_the_rows_say(ready: Fakes, open_page: Open):
    test = open_page("train")
    assert not test.exception
    assert sent(ready.training) == [FIRST_BODY] == [shown(test)]
    figures = {one.label: (one.value, one.delta) for one in test.metric}
    assert figures == {
        "Rows": ("110.3K", "954 coins"),
        "Base rate": ("8.62 %", "8,587 × yes"),
        "With an answer": ("99.6K", "10,637 without"),
        "Takes about": ("14 seconds", "392.0 MiB"),
    }
    assert [one.value for one in test.warning] == ["**Few rows of one answer**: 8.62% of the rows are positive"]
    captions = " ".join(one.value for one in test.caption)
    assert "8.62 % where the coin was seen afterwards, 7.91 % if silence counts" in captions
    assert "`price_close` be at least 30 % higher 10 minutes later?" in " ".join(one.value for one in test.markdown)


def test_train_when_drawn_again_then_the_same_request_is_not_looked_at_twice(ready: Fakes, open_page: Open):
    test = open_page("train")
    test.text_input(key=field(test, "name")).set_value("Mine").run()
    assert len(sent(ready.training)) == 1
    test.button(key="preflight_again").click().run()
    assert len(sent(ready.training)) == 2
    assert sent(ready.training)[1]["name"] == "Mine"


def test_train_when_a_preset_is_taken_then_question_and_name_follow(ready: Fakes, open_page: Open):
    test = open_page("train")
    test.button(key="preset_dump").click().run()
    assert not test.exception
    body = shown(test)
    assert (body["name"], body["direction"], body["future_minutes"]) == ("Dump 20 % in 5 min", "down", 5)
    test.number_input(key=field(test, "future_minutes")).set_value(7).run()
    assert shown(test)["name"] == "Dump 20 % in 7 min"
    test.text_input(key=field(test, "name")).set_value("Mine").run()
    test.button(key="preset_rule").click().run()
    body = shown(test)
    assert (body["name"], body["target_var"], body["operator"], body["target_value"]) == ("Mine", "num_buys", ">=", 20)
    assert {"future_minutes", "min_percent_change", "label_resolution"}.isdisjoint(body)
    assert sent(ready.training)[-1] == body


def test_train_when_a_name_is_written_while_the_question_changes_then_it_stays(ready: Fakes, open_page: Open):
    test = open_page("train")
    test.text_input(key=field(test, "name")).set_value("Mine")
    test.number_input(key=field(test, "future_minutes")).set_value(12).run()
    assert (shown(test)["name"], shown(test)["future_minutes"]) == ("Mine", 12)
    test.number_input(key=field(test, "future_minutes")).set_value(13).run()
    assert shown(test)["name"] == "Mine"


def test_train_when_the_job_would_fail_then_its_sentence_stands_there_and_the_threshold_can_be_set(
    ready: Fakes, open_page: Open
):
    def judge(one: Asked) -> Any:
        return ui_jobs.HOPELESS if one.json["min_percent_change"] > 1000 else ui_jobs.report()

    ready.training.on("POST", PREFLIGHT, judge)
    test = open_page("train")
    test.number_input(key=field(test, "min_percent_change")).set_value(90_000.0).run()
    assert not test.exception
    assert test.error[0].value == "all 99620 rows have the same answer (base rate 0%)"
    assert test.button(key="submit").disabled
    test.button(key="use_workable").click().run()
    assert shown(test)["min_percent_change"] == 413.07
    assert shown(test)["name"] == "Pump 413.07 % in 10 min"
    assert not test.button(key="submit").disabled


def test_train_when_a_look_takes_long_then_the_page_is_there_meanwhile(ready: Fakes, open_page: Open):
    known, over = threading.Event(), threading.Event()

    def slowly(_: Asked) -> Any:
        known.wait(FOR_EVER)
        return ui_jobs.report()

    ready.training.on("POST", PREFLIGHT, slowly)
    test = open_page("train")
    assert not test.exception
    assert not test.metric
    assert "Looking at the rows" in " ".join(one.value for one in test.caption)
    looked = test.session_state["training_looks"].pending
    looked.add_done_callback(lambda _: over.set())
    known.set()
    assert over.wait(FOR_EVER)
    test.run()
    assert [one.label for one in test.metric][:1] == ["Rows"]
    assert len(sent(ready.training)) == 1


def test_train_when_the_service_vanishes_during_a_look_then_it_is_told_and_not_asked_for_ever(
    ready: Fakes, open_page: Open, monkeypatch: pytest.MonkeyPatch
):
    asked: list[str] = []

    def never(*_: Any) -> Any:
        asked.append("preflight")
        if len(asked) == 1:
            ended.wait(FOR_EVER)
        raise Unreachable("training", "it is gone")

    ended = threading.Event()
    monkeypatch.setattr(training_look, "preflight", never)
    test = open_page("train")
    looked = test.session_state["training_looks"].pending
    ended.set()
    assert looked.exception(FOR_EVER)
    test.run()
    assert "does not answer" in test.error[0].value
    assert len(asked) == 1


@pytest.mark.parametrize("name", ["from_job", "from_model"])
@pytest.mark.parametrize("odd", ["999", "no*nsense"])
def test_train_when_what_it_is_to_be_like_is_unknown_then_the_app_says_so(
    ready: Fakes, open_page: Open, name: str, odd: str
):
    ready.training.get("/queue/999", Problem(404, "GET /queue lists all"))
    ready.training.get("/models/999", Problem(404, "GET /models lists all"))
    test = open_page("train", **{name: odd})
    assert not test.exception
    assert odd.replace("*", r"\*") in test.warning[0].value
    assert test.warning[0].value.startswith("There is no")
    assert name not in test.query_params
    assert shown(test) == FIRST_BODY


def test_train_when_the_address_is_nested_for_ever_then_it_is_a_wrong_one(ready: Fakes, open_page: Open):
    nested = base64.urlsafe_b64encode(zlib.compress(b"[" * 60_000)).decode().rstrip("=")
    test = open_page("train", request=nested)
    assert not test.exception
    assert shown(test) == FIRST_BODY


def test_train_when_submitted_then_sends_exactly_what_is_shown(ready: Fakes, open_page: Open):
    ready.training.on("POST", "/models/create", ui_jobs.created(12))
    test = open_page("train")
    test.segmented_control(key=field(test, "alert_by")).set_value("alerts_per_day").run()
    test.number_input(key=field(test, "alerts_per_day")).set_value(25.0).run()
    body = shown(test)
    test.button(key="submit").click().run()
    assert not test.exception
    assert sent(ready.training, "/models/create") == [body] == [FIRST_BODY | {"alerts_per_day": 25.0}]


def test_train_when_hyper_parameters_are_searched_for_then_asks_for_that(ready: Fakes, open_page: Open):
    ready.training.on("POST", "/models/tune", ui_jobs.created(12))
    test = open_page("train")
    test.toggle(key=field(test, "is_search")).set_value(True).run()
    test.number_input(key=field(test, "trials")).set_value(12).run()
    test.multiselect(key=field(test, "space_xgboost")).set_value(["max_depth", "criterion"]).run()
    assert not test.exception
    test.button(key="submit").click().run()
    body = sent(ready.training, "/models/tune")[0]
    assert body["trials"] == 12
    assert body["search_space"]["criterion"] == {"choices": ["gini", "entropy"]}
    assert body["search_space"]["max_depth"] == {"low": 3.0, "high": 12.0, "log": False}


def test_train_when_a_hyper_parameter_differs_then_it_alone_is_sent(ready: Fakes, open_page: Open):
    test = open_page("train")
    test.number_input(key=field(test, "param_xgboost_max_depth")).set_value(9).run()
    test.text_input(key=field(test, "param_xgboost_max_features")).set_value("0.5").run()
    assert shown(test)["params"] == {"max_depth": 9, "max_features": 0.5}
    test.segmented_control(key=field(test, "model_type")).set_value("random_forest").run()
    assert "params" not in shown(test)


def test_train_when_the_window_is_turned_round_then_the_field_says_so_and_nothing_is_asked(
    ready: Fakes, open_page: Open
):
    test = open_page("train")
    asked_before = len(sent(ready.training))
    field = test.get("datetime_input")[1]
    field.set_value(test.get("datetime_input")[0].value).run()
    assert not test.exception
    assert "must be later than the start" in " ".join(one.value for one in test.error)
    assert test.button(key="submit").disabled
    assert len(sent(ready.training)) == asked_before


def test_train_when_the_service_finds_a_fault_then_it_stands_at_its_field(ready: Fakes, open_page: Open):
    fault = {"pointer": "/params/max_depth", "detail": "max_depth must be an integer from 1 to 16"}
    ready.training.on("POST", PREFLIGHT, Problem(422, fault["detail"], errors=(fault,)))
    test = open_page("train")
    assert not test.exception
    errors = [one.value for one in test.error]
    assert fault["detail"] in errors
    assert "Some fields need another value." in errors
    assert test.button(key="submit").disabled


def test_train_when_the_service_is_down_then_offers_to_try_again(ready: Fakes, open_page: Open):
    ready.down("training")
    test = open_page("train")
    assert not test.exception
    assert "does not answer" in test.error[0].value


def test_train_when_the_service_vanishes_in_the_middle_then_the_form_stays(ready: Fakes, open_page: Open):
    test = open_page("train")
    ready.down("training")
    test.number_input(key=field(test, "future_minutes")).set_value(17).run()
    assert not test.exception
    assert "does not answer" in test.error[0].value
    assert shown(test)["future_minutes"] == 17


def test_train_when_german_then_speaks_german(ready: Fakes, open_page: Open):
    test = open_page("train", lang="de")
    assert not test.exception
    assert "Liegt `price_close` nach 10 Minuten um mindestens 30 % höher?" in " ".join(
        one.value for one in test.markdown
    )
    assert {one.label: one.value for one in test.metric}["Grundrate"] == "8,62 %"
    # What is sent does not depend on who looks.
    assert shown(test) == FIRST_BODY


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "is longer than all of the rows: they cover 60 minutes"), ("de", "Sie reichen über 60 Minuten")],
)
def test_train_when_a_field_is_wrong_then_it_is_told_in_the_language(
    ready: Fakes, open_page: Open, language: str, words: str
):
    body = FIRST_BODY | {"train_end": "2026-01-01T01:00:00Z", "future_minutes": 61}
    ready.training.on("POST", "/models/create", ui_jobs.created(12))
    wrong = {"pointer": "/future_minutes", "detail": "is longer than the training window of 60 minutes"}
    ready.training.on("POST", PREFLIGHT, Problem(422, wrong["detail"], errors=(wrong,)))
    test = open_page("train", lang=language)
    assert words in " ".join(one.value for one in test.error)
    test.text_area(key="pasted_request").set_value(json.dumps(body)).run()
    test.button(key="paste_do").click().run()
    assert not test.exception
    assert words in " ".join(one.value for one in test.error)


def test_train_when_submitted_twice_at_once_then_one_job_is_asked_for(ready: Fakes, open_page: Open):
    fault = Problem(503, "the queue is full")
    ready.training.on("POST", "/models/create", fault)
    test = open_page("train")
    test.button(key="submit").click().run()
    assert "queue is full" in test.error[0].value
    test.button(key="submit_again").click().run()
    assert len(sent(ready.training, "/models/create")) == 1


def test_window_when_chosen_then_lies_within_the_rows(ready: Fakes, open_page: Open):
    test = open_page("train")
    test.button(key="window_day").click().run()
    body = shown(test)
    assert (body["train_start"], body["train_end"]) == ("2026-01-10T00:00:00Z", "2026-01-11T00:00:00Z")
