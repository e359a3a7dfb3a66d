"""The page delivery: endpoints, their secret, messages and what came of them."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from shared.contracts.webhook import Recovered
from streamlit_ui.app_pages.endpoint_form import Filled, changes, read_headers
from tests.support.fake_services import Problem
from tests.support.ui_delivery import COIN, SECRET, created, delivery, details, endpoint, page, refused, rotated, serve
from tests.support.ui_page import all_words, press
from tests.ui.conftest import Fakes, Open


def test_endpoints_when_there_are_none_then_it_says_how_to_have_one(fakes: Fakes, open_page: Open):
    serve(fakes.prediction)
    test = open_page("delivery")
    assert "N8N_WEBHOOK_URL" in all_words(test)
    test.button(key="new_endpoint").click().run()
    assert "New endpoint" in all_words(test)


def test_endpoints_when_some_fail_then_each_shows_its_state_in_words(fakes: Fakes, open_page: Open):
    now = datetime.now(UTC)
    serve(
        fakes.prediction,
        endpoint(3),
        endpoint(4, url="https://slow.example.com?key=1", failing_since=now - timedelta(hours=2), last_error=refused()),
        endpoint(5, enabled=False, disabled_reason="the receiver answered 410 Gone"),
        endpoint(6, enabled=False, is_builtin=True),
    )  # fmt: skip
    shown = all_words(open_page("delivery"))
    assert "failing for 2 hours" in shown
    assert "HTTP 503" in shown
    assert "the receiver answered 410 Gone" in shown
    assert "switched off" in shown
    assert "1,234 delivered" in shown
    assert "7 expired" in shown
    assert "2 in trouble" in shown
    assert "n8n · bot.example.com" in shown
    assert "key=1" not in shown


def test_endpoints_when_the_service_is_gone_then_a_banner_and_when_german_then_german(fakes: Fakes, open_page: Open):
    serve(fakes.prediction, endpoint())
    shown = all_words(open_page("delivery", lang="de"))
    assert "1.234 zugestellt" in shown
    fakes.down("prediction")
    for query in ({}, {"endpoint": 3}, {"delivery": 9}, {"view": "messages"}, {"new": 1}):
        test = open_page("delivery", **query)
        assert "does not answer" in all_words(test)


def test_secret_when_an_endpoint_is_set_up_then_it_is_shown_once(fakes: Fakes, open_page: Open):
    serve(fakes.prediction, endpoint(5))
    fakes.prediction.on("POST", "/webhooks", created())
    test = open_page("delivery", new=1)
    test.text_input(key="endpoint_url").set_value(" https://bot.example.com/pumpcast ")
    test.multiselect(key="endpoint_models").set_value([3])
    test.number_input(key="endpoint_at_once").set_value(1)
    test.button(key="endpoint_send").click().run()
    assert fakes.prediction.changes()[0].json == {
        "url": "https://bot.example.com/pumpcast", "headers": {}, "active_model_ids": [3],
        "send_modes": ["alerts_only"], "expires_after_seconds": None, "max_concurrency": 1,
    }  # fmt: skip
    assert [one.value for one in test.code] == [SECRET]
    assert "never again" in all_words(test)
    assert SECRET not in str(test.query_params)
    assert not test.toast
    assert test.query_params["endpoint"] == "5"
    test.button(key="secret_stored").click().run()
    assert SECRET not in all_words(test) + str([one.value for one in test.code])
    assert SECRET not in str(test.session_state)


def test_form_when_the_service_refuses_then_its_words_show_and_what_was_typed_stays(fakes: Fakes, open_page: Open):
    serve(fakes.prediction)
    why = "'10.0.0.5' lies inside the network: webhooks go to public addresses"
    fakes.prediction.on("POST", "/webhooks", Problem(422, why, errors=({"pointer": "/url", "detail": why},)))
    test = open_page("delivery", new=1)
    test.text_input(key="endpoint_url").set_value("http://10.0.0.5/x")
    test.button(key="endpoint_send").click().run()
    assert "lies inside the network" in all_words(test)
    assert test.text_input(key="endpoint_url").value == "http://10.0.0.5/x"
    assert SECRET not in [one.value for one in test.code]


def test_change_when_only_the_life_is_changed_then_only_that_is_sent(fakes: Fakes, open_page: Open):
    serve(fakes.prediction, endpoint(send_modes=["negative_only", "alerts_only"]))
    fakes.prediction.on("PATCH", "/webhooks/3", endpoint())
    test = open_page("delivery", endpoint=3, edit=1)
    test.button(key="endpoint_send").click().run()
    assert fakes.prediction.changes() == []
    assert test.toast[0].value == "Nothing was changed"
    test = open_page("delivery", endpoint=3, edit=1)
    test.number_input(key="endpoint_life").set_value(60)
    test.button(key="endpoint_send").click().run()
    assert fakes.prediction.changes()[0].json == {"expires_after_seconds": 60}


def test_headers_when_read_then_empty_rows_are_none_and_repeated_names_are_told():
    rows = pd.DataFrame({"name": ["X-A", None, "x-a", ""], "value": [" 1 ", None, "2", ""]}, dtype="string")
    assert read_headers(rows) == ({"X-A": "1", "x-a": "2"}, ("x-a",))
    filled = Filled(
        url=endpoint().url, headers={"X-Token": "***", "X-New": "1"}, repeated=(), active_model_ids=None,
        send_modes=["alerts_only"], expires_after_seconds=None, max_concurrency=8,
    )  # fmt: skip
    assert changes(endpoint(), filled) == {"headers": {"X-Token": "***", "X-New": "1"}}


def test_actions_when_they_hurt_then_they_ask_first(fakes: Fakes, open_page: Open):
    serve(fakes.prediction, endpoint())
    for method, path in (("DELETE", "/webhooks/3"), ("PATCH", "/webhooks/3"), ("POST", "/webhooks/3/rotate")):
        fakes.prediction.on(method, path, {"PATCH": endpoint(), "POST": rotated()}.get(method))
    test = open_page("delivery", endpoint=3)
    test.button(key="switch_endpoint").click().run()
    assert "cannot be sent later" in all_words(test)
    test.button(key="confirm_cancel").click().run()
    test.button(key="delete_endpoint").click().run()
    assert test.button(key="confirm_do").disabled
    assert fakes.prediction.changes() == []
    test.text_input(key="confirm_typed").set_value("bot.example.com/pumpcast")
    press(test, "delete_endpoint")
    press(test, "delete_endpoint", "confirm_do")
    assert [(one.method, one.path) for one in fakes.prediction.changes()] == [("DELETE", "/webhooks/3")]
    test = open_page("delivery", endpoint=3)
    test.button(key="rotate_endpoint").click().run()
    assert "For 24 hours" in all_words(test)
    press(test, "rotate_endpoint", "confirm_do")
    assert [one.value for one in test.code] == [SECRET]
    assert "Both sign until noon" in all_words(test)


def test_switch_when_the_endpoint_is_off_then_it_is_on_at_once(fakes: Fakes, open_page: Open):
    serve(fakes.prediction, endpoint(enabled=False, disabled_reason="410 Gone"))
    fakes.prediction.on("PATCH", "/webhooks/3", endpoint())
    test = open_page("delivery", endpoint=3)
    assert "Nothing is sent here: 410 Gone" in all_words(test)
    assert [one.path for one in fakes.prediction.asked].count("/webhooks/3") == 1
    test.button(key="switch_endpoint").click().run()
    assert fakes.prediction.changes()[0].json == {"enabled": True}


def test_trial_when_sent_then_its_end_shows_and_a_refusal_is_told(
    fakes: Fakes, open_page: Open, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("streamlit_ui.states.REPEAT_SECONDS", 0.0)
    serve(fakes.prediction, endpoint())
    fakes.prediction.on("POST", "/webhooks/3/test", delivery(9, event_type="webhook.test"))
    test = open_page("delivery", endpoint=3)
    test.button(key="test_endpoint").click().run()
    assert test.query_params["test"] == "9"
    assert "The receiver answered **HTTP 200** after 31 ms." in all_words(test)
    fakes.prediction.on("POST", "/webhooks/3/test", Problem(409, "webhook 3 is disabled"))
    test.button(key="test_endpoint").click().run()
    assert "webhook 3 is disabled" in all_words(test)


def test_recover_when_there_is_more_then_it_says_to_go_on(fakes: Fakes, open_page: Open):
    serve(fakes.prediction, endpoint())
    fakes.prediction.on("POST", "/webhooks/3/recover", Recovered(endpoint_id=3, recovered=10_000, more=True))
    test = open_page("delivery", endpoint=3)
    press(test, "recover_endpoint")
    test.datetime_input(key="recover_since").set_value(datetime(2026, 3, 1, 11, 30))  # noqa: DTZ001
    press(test, "recover_endpoint", "recover_do")
    shown = all_words(test)
    assert "10,000" in shown
    assert "press again" in shown
    assert fakes.prediction.changes()[0].json == {"since": "2026-03-01T11:30:00Z"}


@pytest.mark.parametrize(
    ("query", "sent"),
    [
        ({"to": 3, "status": "failed"}, {"endpoint_id": "3", "status": "failed"}),
        ({"type": "webhook.test", "coin": COIN, "model": 3},
         {"event_type": "webhook.test", "coin_id": COIN, "active_model_id": "3"}),
        ({"since": "2026-03-01T12:00:00 00:00", "status": "nonsense"}, {}),
        ({"since": "2026-03-01T12:00:00Z"}, {"date_from": "2026-03-01T12:00:00+00:00"}),
        ({"since": "2009-03-01T12:00:00"}, {"date_from": "2009-03-01T12:00:00+00:00"}),
        ({"since": "0001-01-01T00:00:00+14:00", "until": "9999-12-31T23:59:59-14:00"}, {}),
    ],
)  # fmt: skip
def test_messages_when_the_address_names_filters_then_the_service_is_asked_so(
    fakes: Fakes, open_page: Open, query: dict[str, str], sent: dict[str, str]
):
    serve(fakes.prediction, endpoint())
    test = open_page("delivery", view="messages", **query)
    all_words(test)
    asked = [one.query for one in fakes.prediction.asked if one.path == "/webhook-deliveries"]
    assert asked[-1] == sent | {"limit": "50"}


def test_messages_when_there_are_more_then_pages_by_cursor_and_a_row_names_its_end(fakes: Fakes, open_page: Open):
    serve(fakes.prediction, endpoint())
    lost = delivery(8, status="expired", last_status_code=None, last_error="timed out", delivered_at=None)
    fakes.prediction.get("/webhook-deliveries", page(delivery(), lost, cursor="abc"))
    test = open_page("delivery", view="messages")
    table = test.dataframe[0].value
    assert list(table["status"]) == ["✓ delivered", "⊘ expired"]
    assert list(table["answer"]) == ["HTTP 200", "timed out"]
    assert list(table["models"]) == ["Pump 30", "Pump 30"]
    assert list(table["took"]) == ["1.00 s", "–"]
    test.button(key="deliveries_older").click().run()
    assert test.query_params["cursor"] == "abc"
    assert fakes.prediction.asked[-1].query["cursor"] == "abc"
    test.button(key="deliveries_newest").click().run()
    assert "cursor" not in test.query_params
    test.selectbox(key="pick_status").set_value("expired").run()
    assert test.query_params["status"] == "expired"


def test_messages_when_none_fits_then_it_says_so(fakes: Fakes, open_page: Open):
    serve(fakes.prediction, endpoint())
    fakes.prediction.get("/webhook-deliveries", page())
    assert "No message matches" in all_words(open_page("delivery", view="messages", status="failed"))
    assert "a test event does at once" in all_words(open_page("delivery", view="messages"))


def test_message_when_opened_then_body_and_every_attempt_show_and_it_can_go_out_again(fakes: Fakes, open_page: Open):
    serve(fakes.prediction, endpoint())
    fakes.prediction.on("POST", "/webhook-deliveries/9/resend", delivery())
    test = open_page("delivery", delivery=9)
    shown = all_words(test)
    assert "the connection was refused" in shown
    assert "`thank you`" in shown
    assert "31 ms" in shown
    assert COIN in test.json[0].value
    assert list(test.dataframe[0].value["model"]) == ["Pump 30"]
    test.button(key="resend").click().run()
    assert fakes.prediction.changes()[0].path == "/webhook-deliveries/9/resend"


def test_message_when_it_is_on_its_way_then_it_cannot_be_sent_twice(fakes: Fakes, open_page: Open):
    serve(fakes.prediction, endpoint())
    waiting: dict[str, object] = {"status": "pending", "attempt_log": [], "delivered_at": None}
    fakes.prediction.get("/webhook-deliveries/9", details(**waiting))
    test = open_page("delivery", delivery=9)
    assert test.button(key="resend").disabled
    assert "goes out in a moment" in all_words(test)
    assert [one.path for one in fakes.prediction.asked].count("/webhook-deliveries/9") == 1
    fakes.prediction.get("/webhook-deliveries/9", Problem(404, "There is no delivery 9"))
    assert "There is no message 9" in all_words(open_page("delivery", delivery=9))
