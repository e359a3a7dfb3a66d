"""Requests that come to the form from elsewhere: a former job, a model, an address, a text."""

import json
from typing import Any

import pytest

from streamlit_ui.app_pages.training_draft import check, pack, read, unpack
from streamlit_ui.app_pages.training_features import asked, split
from tests.support import ui_jobs
from tests.support.fake_services import Problem
from tests.support.ui_train import FIRST_BODY, PREFLIGHT, field, sent, shown
from tests.ui.conftest import Fakes, Open


@pytest.fixture
def ready(fakes: Fakes) -> Fakes:
    """Give services that know rows and would train."""
    ui_jobs.catalogue(fakes.training)
    fakes.training.on("POST", PREFLIGHT, ui_jobs.report())
    return fakes


def test_train_when_cloned_from_a_job_then_asks_exactly_the_same(ready: Fakes, open_page: Open):
    ready.training.get("/queue/3", ui_jobs.job(3))
    test = open_page("train", from_job=3)
    assert not test.exception
    assert shown(test) == ui_jobs.REQUEST
    assert sent(ready.training) == [ui_jobs.REQUEST]
    assert "Like job 3, Pump 30" in " ".join(one.value for one in test.caption)
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
        (ui_jobs.job(3, job_type="TEST", request={"priority": 5, "test_start": "x"}), "cannot be taken over"),
        (Problem(404, "GET /queue lists all"), "There is no job 3."),
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
    for text, words in (("{", "not JSON"), ('{"name": "x"}', "/features"), ("[]", "not a request for a model")):
        test.text_area(key="pasted_request").set_value(text).run()
        test.button(key="paste_do").click().run()
        assert not test.exception
        assert words in " ".join(one.value for one in test.error)
    test.text_area(key="pasted_request").set_value(json.dumps(ui_jobs.REQUEST)).run()
    test.button(key="paste_do").click().run()
    assert shown(test) == ui_jobs.REQUEST
    assert test.multiselect(key=field(test, "phases")).value == [1]


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
