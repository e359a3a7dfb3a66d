"""The page that asks for a model: the form, what the rows say to it, and what is sent."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from streamlit_ui.app_pages.training_draft import check, pack, read, unpack
from streamlit_ui.app_pages.training_features import asked, split
from tests.support import ui_jobs
from tests.support.fake_services import Asked, Problem
from tests.ui.conftest import Fakes

Open = Callable[..., AppTest]
PREFLIGHT = "/models/preflight"
FIRST_BODY = {
    "name": "Pump 30 % in 10 min", "model_type": "xgboost", "train_start": "2026-01-01T00:00:00Z",
    "train_end": "2026-01-10T00:00:00Z", "future_minutes": 10, "min_percent_change": 30.0,
    "features": ["volume_sol", "num_buys", "num_sells", "market_cap_close"], "label_resolution": "observed",
    "use_engineered_features": True,
}  # fmt: skip


@pytest.fixture
def ready(fakes: Fakes) -> Fakes:
    """Give services that know rows and would train."""
    ui_jobs.catalogue(fakes.training)
    fakes.training.on("POST", PREFLIGHT, ui_jobs.report())
    return fakes


def sent(fakes: Fakes, path: str = PREFLIGHT) -> list[dict[str, Any]]:
    """Give the bodies that were sent."""
    return [one.json for one in fakes.training.changes() if one.path == path]


def field(test: AppTest, name: str) -> str:
    """Give the key of a field as it is now; that of a name which follows its question has the name behind it."""
    generation = test.session_state["training_generation"]
    if name == "name":
        return next(one.key for one in test.text_input if str(one.key).startswith("train_name_"))
    return f"train_{name}_{generation}"


def shown(test: AppTest) -> dict[str, Any]:
    """Give the request that the page shows as JSON."""
    found: dict[str, Any] = json.loads(test.code[0].value)
    return found


def test_train_when_there_are_no_rows_then_says_how_to_get_some(ready: Fakes, open_page: Open):
    nothing = {"min_timestamp": None, "max_timestamp": None, "rows": 0, "rows_counted": True, "coins": 0}
    ready.training.get("/data-availability", nothing)
    test = open_page("train")
    assert not test.exception
    assert "pumpcast simulate" in test.info[0].value


def test_train_when_opened_then_asks_the_first_preset_and_shows_what_the_rows_say(ready: Fakes, open_page: Open):
    test = open_page("train")
    assert not test.exception
    assert sent(ready) == [FIRST_BODY] == [shown(test)]
    figures = {one.label: (one.value, one.delta) for one in test.metric}
    assert figures == {
        "Rows": ("110.3K", "954 coins"),
        "Base rate": ("8.62 %", "8,587 times yes"),
        "With an answer": ("99.6K", "10,637 without"),
        "Takes about": ("14 seconds", "392.0 MiB"),
    }
    assert [one.value for one in test.warning] == ["8.62% of the rows are positive"]
    captions = " ".join(one.value for one in test.caption)
    assert "8.62 % where the coin was seen afterwards, 7.91 % if silence counts" in captions
    assert "`price_close` be at least 30 % higher 10 minutes later?" in " ".join(one.value for one in test.markdown)


def test_train_when_drawn_again_then_the_same_request_is_not_looked_at_twice(ready: Fakes, open_page: Open):
    test = open_page("train")
    test.text_input(key=field(test, "name")).set_value("Mine").run()
    assert len(sent(ready)) == 1
    test.button(key="preflight_again").click().run()
    assert len(sent(ready)) == 2
    assert sent(ready)[1]["name"] == "Mine"


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
    assert sent(ready)[-1] == body


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
    def slowly(_: Asked) -> Any:
        time.sleep(1.5)
        return ui_jobs.report()

    ready.training.on("POST", PREFLIGHT, slowly)
    test = open_page("train")
    assert not test.exception
    assert not test.metric
    assert "Looking at the rows" in " ".join(one.value for one in test.caption)
    time.sleep(0.8)
    test.run()
    assert [one.label for one in test.metric][:1] == ["Rows"]
    assert len(sent(ready)) == 1


def test_train_when_submitted_then_sends_exactly_what_is_shown(ready: Fakes, open_page: Open):
    ready.training.on("POST", "/models/create", ui_jobs.created(12))
    test = open_page("train")
    test.segmented_control(key=field(test, "alert_by")).set_value("alerts_per_day").run()
    test.number_input(key=field(test, "alerts_per_day")).set_value(25.0).run()
    body = shown(test)
    test.button(key="submit").click().run()
    assert not test.exception
    assert sent(ready, "/models/create") == [body] == [FIRST_BODY | {"alerts_per_day": 25.0}]


def test_train_when_hyper_parameters_are_searched_for_then_asks_for_that(ready: Fakes, open_page: Open):
    ready.training.on("POST", "/models/tune", ui_jobs.created(12))
    test = open_page("train")
    test.toggle(key=field(test, "is_search")).set_value(True).run()
    test.number_input(key=field(test, "trials")).set_value(12).run()
    test.multiselect(key=field(test, "space_xgboost")).set_value(["max_depth", "criterion"]).run()
    assert not test.exception
    test.button(key="submit").click().run()
    body = sent(ready, "/models/tune")[0]
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


def test_train_when_cloned_from_a_job_then_asks_exactly_the_same(ready: Fakes, open_page: Open):
    ready.training.get("/queue/3", ui_jobs.job(3))
    test = open_page("train", from_job=3)
    assert not test.exception
    assert shown(test) == ui_jobs.REQUEST
    assert sent(ready) == [ui_jobs.REQUEST]
    assert "As job 3, Pump 30" in " ".join(one.value for one in test.caption)
    assert "from_job" not in test.query_params
    # The browser may see nothing but the latest drawing: it has to hold the values by itself.
    assert test.number_input(key=field(test, "future_minutes")).proto.default == 15
    assert test.text_input(key=field(test, "name")).proto.default == "Copied"


def test_train_when_cloned_from_a_model_then_asks_its_question_again(ready: Fakes, open_page: Open):
    ready.training.get("/models/7", ui_jobs.model(7))
    test = open_page("train", from_model=7)
    assert not test.exception
    body = shown(test)
    assert (body["name"], body["future_minutes"], body["params"]) == ("Pump 30", 10, {"max_depth": 9})


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (ui_jobs.job(3, job_type="TEST", request={"priority": 5, "test_start": "x"}), "cannot be taken up"),
        (Problem(404, "there is no job 3"), "there is no job 3"),
    ],
)
def test_train_when_there_is_nothing_to_clone_then_says_so_and_shows_the_form(
    ready: Fakes, open_page: Open, answer: Any, words: str
):
    ready.training.get("/queue/3", answer)
    test = open_page("train", from_job=3)
    assert not test.exception
    assert words in " ".join(str(one.value) for one in (*test.warning, *test.error))
    assert shown(test) == FIRST_BODY


def test_train_when_reloaded_then_the_address_holds_the_form(ready: Fakes, open_page: Open):
    test = open_page("train")
    assert "request" not in test.query_params
    test.number_input(key=field(test, "future_minutes")).set_value(17).run()
    code = test.query_params["request"]
    again = open_page("train", request=code[0] if isinstance(code, list) else code)
    assert shown(again) == shown(test)
    assert shown(again)["future_minutes"] == 17


def test_train_when_the_address_is_spoilt_then_says_so(ready: Fakes, open_page: Open):
    test = open_page("train", request="AAAA")
    assert not test.exception
    assert "holds no request" in test.warning[0].value


def test_train_when_a_request_is_pasted_then_the_form_shows_it(ready: Fakes, open_page: Open):
    test = open_page("train")
    for text, words in (("{", "no JSON"), ('{"name": "x"}', "/features"), ("[]", "no request for a model")):
        test.text_area(key="pasted_request").set_value(text).run()
        test.button(key="paste_do").click().run()
        assert not test.exception
        assert words in " ".join(one.value for one in test.error)
    test.text_area(key="pasted_request").set_value(json.dumps(ui_jobs.REQUEST)).run()
    test.button(key="paste_do").click().run()
    assert shown(test) == ui_jobs.REQUEST
    assert test.multiselect(key=field(test, "phases")).value == [1]


def test_train_when_the_window_is_turned_round_then_the_field_says_so_and_nothing_is_asked(
    ready: Fakes, open_page: Open
):
    test = open_page("train")
    asked_before = len(sent(ready))
    field = test.get("datetime_input")[1]
    field.set_value(test.get("datetime_input")[0].value).run()
    assert not test.exception
    assert "must be later than train_start" in " ".join(one.value for one in test.error)
    assert test.button(key="submit").disabled
    assert len(sent(ready)) == asked_before


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


def test_window_when_chosen_then_lies_within_the_rows(ready: Fakes, open_page: Open):
    test = open_page("train")
    test.button(key="window_day").click().run()
    body = shown(test)
    assert (body["train_start"], body["train_end"]) == ("2026-01-10T00:00:00Z", "2026-01-11T00:00:00Z")


@pytest.mark.parametrize(
    ("names", "windows", "is_all"),
    [
        (["volume_sol"], [5, 7], True),
        (["volume_sol", "price_roc_3", "price_roc_9"], [5, 10, 15], False),
        (["volume_sol", "price_roc_3", "price_change_9"], [5, 10, 15], False),
        (["price_roc_3", "price_change_3"], [5, 10, 15], False),
        (["price_change_3", "price_roc_3"], [5, 10, 15], False),
    ],
)
def test_features_when_split_and_asked_for_then_they_are_the_same(names: list[str], windows: list[int], is_all: bool):
    families = ["price_change", "price_roc"]
    body = ui_jobs.REQUEST | {
        "features": names, "use_engineered_features": is_all, "feature_engineering_windows": windows
    }  # fmt: skip
    plain, chosen, found = split(read(body).wanted, families)
    again = asked(plain, chosen, found, families)
    assert (again["features"], again["use_engineered_features"]) == (names, is_all)


def test_draft_when_packed_then_reads_the_same():
    body = read(ui_jobs.REQUEST).body()
    assert body == ui_jobs.REQUEST
    assert unpack(pack(body)) == body
    assert check(body)[0] is not None
    assert unpack("%%") is None
