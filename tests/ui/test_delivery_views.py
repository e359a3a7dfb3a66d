"""Views of delivery that others have a hand in: receivers, addresses that were sent along, another clock."""

from datetime import datetime

import pytest

from streamlit_ui.app_pages.delivery_words import place_of
from tests.support.fake_services import Problem
from tests.support.ui_delivery import attempt, details, endpoint, page, serve
from tests.support.ui_page import all_words
from tests.ui.conftest import Fakes, Open


@pytest.mark.parametrize("end", ["\r\r", "\n\n", "\v", "\x85", "\u2028"])
def test_answer_when_it_has_lines_of_any_kind_then_it_stands_in_a_block_of_code(
    fakes: Fakes, open_page: Open, end: str
):
    serve(fakes.prediction, endpoint())
    said = f"x{end}![p](https://evil.example/p.png)"
    fakes.prediction.get("/webhook-deliveries/9", details(attempt_log=[attempt(1, response=said)]))
    test = open_page("delivery", delivery=9)
    assert [one.value for one in test.code] == [said]
    assert "evil" not in all_words(test)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:pass@bot.example.com:8443/in/?key=1#a", "bot.example.com:8443/in"),
        ("https://bot.example.com?key=1", "bot.example.com"),
    ],
)
def test_address_when_shown_then_keys_of_the_receiver_are_not(url: str, shown: str):
    assert place_of(url) == shown


def test_address_when_it_holds_a_key_then_the_form_alone_shows_it(fakes: Fakes, open_page: Open):
    secret = "https://bot.example.com/in?key=hidden"
    serve(fakes.prediction, endpoint(url=secret))
    log = [attempt(1, url=secret, status_code=500), attempt(2)]
    fakes.prediction.get("/webhook-deliveries/9", details(attempt_log=log))
    for query in ({}, {"endpoint": 3}, {"delivery": 9}, {"view": "messages"}):
        test = open_page("delivery", **query)
        assert "hidden" not in all_words(test) + str(test.selectbox)
    assert open_page("delivery", endpoint=3, edit=1).text_input(key="endpoint_url").value == secret


def test_moment_when_the_clock_is_switched_then_it_stays_the_same_moment(
    fakes: Fakes, open_page: Open, monkeypatch: pytest.MonkeyPatch
):
    serve(fakes.prediction, endpoint())
    fakes.prediction.get("/webhook-deliveries", page())
    monkeypatch.setattr("streamlit.runtime.context.ContextProxy.timezone", "Europe/Berlin")
    test = open_page("delivery", view="messages", since="2026-03-01T12:00:00Z")
    assert test.datetime_input(key="pick_since").value == datetime(2026, 3, 1, 12)  # noqa: DTZ001
    test.toggle(key="local").set_value(True).run()
    assert not test.exception
    assert test.datetime_input(key="pick_since").value == datetime(2026, 3, 1, 13)  # noqa: DTZ001
    assert test.query_params["since"] == "2026-03-01T12:00:00Z"
    asked = [one.query for one in fakes.prediction.asked if one.path == "/webhook-deliveries"]
    assert {one["date_from"] for one in asked} == {"2026-03-01T12:00:00+00:00"}


@pytest.mark.parametrize("query", [{"endpoint": 99}, {"endpoint": 99, "edit": 1}, {"endpoint": "abc"}])
def test_endpoint_when_there_is_none_then_it_is_said_in_the_language_of_the_page(
    fakes: Fakes, open_page: Open, query: dict[str, object]
):
    serve(fakes.prediction, endpoint())
    fakes.prediction.get("/webhooks/99", Problem(404, "There is no webhook 99"))
    test = open_page("delivery", lang="de", **query)
    assert test.error[0].value == f"Einen Empfänger {query['endpoint']} gibt es nicht (mehr)"
    assert not test.exception
