"""Who may look: the key that is asked for, where it is kept, and what a browser holds of it."""

import hashlib
import http.client
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest

from shared.contracts.prediction import ActiveModels
from shared.contracts.training import ModelList
from streamlit_ui import app
from streamlit_ui.gate import host_of
from streamlit_ui.logins import LOGINS
from streamlit_ui.session import TOKEN, services
from streamlit_ui.settings import app_settings
from tests.support.fake_services import Asked, Problem
from tests.support.stage import Stage, stage
from tests.ui.conftest import Fakes

KEY = "the-key-of-somebody"
READING = "a-key-that-may-only-look"
WRONG = Problem(401, "This key is not known", "unauthorized")
READING_ONLY = Problem(403, "This key may read only", "forbidden")
FOR_SERVICES = Problem(403, "This key is for services", "scope")
Open = Callable[..., AppTest]


class Keyed(dict):
    """Answers of a service that wants a key, whatever it is asked."""

    def get(self, route: tuple[str, str], otherwise: object = None) -> Callable[[Asked], object]:
        found = super().get(route, otherwise)

        def answer(asked: Asked) -> object:
            if asked.key not in {KEY, READING}:
                return WRONG
            return READING_ONLY if asked.method != "GET" and asked.key == READING else found

        return answer


def guard(fakes: Fakes) -> None:
    """Have both services ask for a key."""
    for service in (fakes.prediction, fakes.training):
        service.answers = Keyed()
    fakes.prediction.get("/models/active", ActiveModels(models=[], total=0))
    fakes.training.get("/models", ModelList(models=[], total=0, limit=1, offset=0))


@pytest.fixture
def page(fakes: Fakes, open_page: Open, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Give a page that asks a service and offers a change, both guarded."""
    import streamlit as st

    def render() -> None:
        found = services().prediction.get("/models/active", ActiveModels)
        st.write(f"There are {found.total} models")
        if st.button("Change"):
            services().prediction.send("POST", "/change", ActiveModels)

    monkeypatch.setitem(app.RENDER, "overview", render)
    guard(fakes)
    return lambda: open_page("overview")


def enter(test: AppTest, key: str) -> AppTest:
    test.text_input[0].set_value(key)
    return next(button for button in test.button if button.label == "Enter").click().run()


def shown(test: AppTest) -> str:
    assert not test.exception
    return " ".join(one.value for one in (*test.title, *test.markdown, *test.error, *test.warning))


def test_page_when_a_key_is_wanted_then_only_it_is_asked_for(page: Open):
    words = shown(page())
    assert "Who is there?" in words
    assert "models" not in words
    assert "not taken" not in words


def test_key_when_wrong_then_said_and_forgotten(page: Open, fakes: Fakes):
    test = enter(page(), "nonsense")
    assert "This key is not taken: This key is not known" in shown(test)
    assert fakes.prediction.asked[-1].key == "nonsense"
    assert LOGINS.key(test.session_state[TOKEN]) == ""


def test_stranger_when_the_app_has_keys_then_the_services_hear_nothing_of_it(
    page: Open, fakes: Fakes, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("API_KEYS", f"operator:write:{hashlib.sha256(KEY.encode()).hexdigest()}")
    app_settings.cache_clear()
    test = page()
    assert "Who is there?" in shown(test)
    # The services know this key, which does not matter.
    assert "API_KEYS of the app do not have it" in shown(enter(test, READING)).replace("`", "")
    assert fakes.prediction.asked == fakes.training.asked == []
    assert "There are 0 models" in shown(enter(test, KEY))


@pytest.mark.parametrize("key", ["schlüssel", "“quoted”", "zero\u200bwidth", "two words", "a\x01b", "k" * 2000, " "])
def test_key_when_it_is_none_that_can_be_sent_then_said_and_nobody_asked(key: str, page: Open, fakes: Fakes):
    test = page()
    asked = len(fakes.prediction.asked), len(fakes.training.asked)
    words = shown(enter(test, key))
    assert "without spaces in it" in words
    assert (len(fakes.prediction.asked), len(fakes.training.asked)) == asked


def test_key_when_it_is_one_for_services_then_another_is_asked_for(page: Open, fakes: Fakes):
    test = page()
    fakes.prediction.get("/models/active", FOR_SERVICES)
    words = shown(enter(test, KEY))
    assert "not taken: This key is for services" in words
    assert "Who is there?" in words


def test_key_when_one_service_is_down_then_the_other_judges_it(page: Open, fakes: Fakes):
    test = page()
    fakes.down("prediction")
    assert "This key is not taken" in shown(enter(test, "nonsense"))
    assert "This key is not taken" not in shown(enter(test, KEY))
    assert LOGINS.key(test.session_state[TOKEN]) == KEY


def test_key_when_both_services_are_down_then_nobody_is_logged_in(page: Open, fakes: Fakes):
    test = page()
    fakes.down("prediction")
    fakes.down("training")
    assert "does not answer" in shown(enter(test, KEY))
    assert LOGINS.key(test.session_state[TOKEN]) == ""


def test_key_when_another_one_is_entered_then_the_login_before_it_is_over(page: Open, fakes: Fakes):
    test = enter(page(), KEY)
    before = test.session_state[TOKEN]
    fakes.prediction.get("/models/active", WRONG)
    test.run()
    fakes.prediction.get("/models/active", ActiveModels(models=[], total=0))
    enter(test, READING)
    assert LOGINS.key(test.session_state[TOKEN]) == READING
    assert LOGINS.key(before) == ""


@pytest.mark.parametrize(("key", "is_kept"), [(KEY, True), (READING, False)])
def test_draft_when_the_key_is_asked_for_again_then_only_the_same_one_finds_it(
    key: str, is_kept: bool, page: Open, fakes: Fakes
):
    test = enter(page(), KEY)
    test.session_state["draft"] = "of the first"
    fakes.prediction.get("/models/active", WRONG)
    test.run()
    fakes.prediction.get("/models/active", ActiveModels(models=[], total=0))
    enter(test, key)
    assert ("draft" in test.session_state) is is_kept


def test_key_when_right_then_shown_to_both_services_and_kept_outside_the_session(page: Open, fakes: Fakes):
    test = enter(page(), f" {KEY} ")
    assert "There are 0 models" in shown(test)
    assert {fakes.prediction.asked[-1].key, fakes.training.asked[-1].key} == {KEY}
    state = test.session_state
    kept = {state[name] for name in state if isinstance(state[name], str)}
    assert state[TOKEN] in kept
    assert KEY not in kept


def test_key_when_it_may_only_read_then_a_change_shows_what_the_service_says(page: Open):
    test = enter(page(), READING)
    test = next(button for button in test.button if button.label == "Change").click().run()
    assert "This key may read only" in shown(test)
    assert "Who is there?" not in shown(test)


def test_key_when_it_stops_being_valid_then_asked_for_again_with_the_reason(page: Open, fakes: Fakes):
    test = enter(page(), KEY)
    fakes.prediction.get("/models/active", WRONG)
    assert "This key is not taken: This key is not known" in shown(test.run())


def test_leave_when_pressed_then_the_key_is_gone_here_and_on_the_server(page: Open):
    test = enter(page(), KEY)
    token = test.session_state[TOKEN]
    assert LOGINS.key(token) == KEY
    test.session_state["draft"] = "of somebody"
    test.session_state["lang"] = "en"
    test = next(button for button in test.button if button.label == "Forget my key").click().run()
    assert "draft" not in test.session_state
    assert test.session_state["lang"] == "en"
    assert "Who is there?" in shown(test)
    assert "not taken" not in shown(test)
    assert LOGINS.key(token) == ""


def test_key_when_it_is_a_setting_then_nobody_is_asked(page: Open, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("UI_API_KEY", KEY)
    app_settings.cache_clear()
    test = page()
    assert "There are 0 models" in shown(test)
    assert "Forget my key" not in {button.label for button in test.button}


def test_fault_of_the_app_when_told_then_in_words_alone():
    def draw() -> None:
        from streamlit_ui.app import tell_of_fault

        assert tell_of_fault(ZeroDivisionError("a secret of the trace"))

    words = shown(AppTest.from_function(draw).run())
    assert "Something in this app itself went wrong" in words
    assert "secret" not in words


@pytest.mark.parametrize("header", ["", "a@127.0.0.1", "127.0.0.1/x", "127.0.0.1:port", "[::1", "127.0.0.1#"])
def test_host_when_it_is_no_name_then_none(header: str):
    assert host_of(header) == ""


@pytest.fixture
def served(fakes: Fakes, tmp_path: Path) -> Iterator[Stage]:
    """Give the app as a process of its own, between two services that want a key."""
    guard(fakes)
    services_of = {"API_BASE_URL": fakes.prediction.url, "TRAINING_SERVICE_API_URL": fakes.training.url}
    with stage(tmp_path, "", "app", ALLOWED_HOSTS="desk.example", **services_of) as found:
        yield found


def ask(served: Stage, method: str, path: str, body: str = "", **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", served.ports["app"], timeout=10)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer
    finally:
        connection.close()


@pytest.mark.slow
def test_app_when_served_then_a_reload_keeps_the_login_and_leaving_ends_it_everywhere(
    served: Stage, fakes: Fakes, visit: Page
):
    visit.goto(f"{served.app}/overview?lang=en")
    visit.get_by_label("API key", exact=True).fill(KEY)
    visit.get_by_role("button", name="Enter").click()
    leave = visit.get_by_role("button", name="Forget my key")
    expect(leave).to_be_visible()
    visit.wait_for_function("() => performance.getEntriesByName(location.origin + '/session').length > 0")
    (cookie,) = (one for one in visit.context.cookies() if one["name"] == f"pumpcast_{served.ports['app']}")
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["expires"]) == (True, "Strict", -1)
    assert KEY not in cookie["value"]
    visit.reload()
    expect(leave).to_be_visible()
    assert KEY not in visit.content()
    second = visit.context.new_page()
    second.goto(f"{served.app}/statistics")
    expect(second.get_by_role("button", name="Forget my key")).to_be_visible()
    leave.click()
    expect(visit.get_by_label("API key", exact=True)).to_be_visible()
    visit.wait_for_function("() => performance.getEntriesByName(location.origin + '/session').length > 0")
    assert cookie["name"] not in {one["name"] for one in visit.context.cookies()}
    # Whoever kept the cookie has nothing.
    visit.context.add_cookies([cookie])
    for page in (visit, second):
        page.reload()
        expect(page.get_by_label("API key", exact=True)).to_be_visible()
    check_the_gate(served)


def check_the_gate(served: Stage) -> None:
    """See what requests from elsewhere get; the app takes seconds to start, so that this has no test of its own."""
    port = served.ports["app"]
    answer = ask(served, "GET", "/")
    assert answer.status == 200
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert ask(served, "GET", "/overview?lang=de").headers["Location"] == "/?lang=de"
    assert ask(served, "GET", "/", Host=f"DESK.example:{port}").status == 200
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    upgrade["Sec-WebSocket-Key"] = "AAAAAAAAAAAAAAAAAAAAAA=="
    for path, headers in (("/", {}), ("/_stcore/health", {}), ("/_stcore/stream", upgrade)):
        assert ask(served, "GET", path, Host=f"evil.example:{port}", **headers).status in {400, 403}
    for origin in ("http://evil.example", f"http://127.0.0.1:{port + 1}", "http://localhost"):
        assert ask(served, "GET", "/_stcore/stream", **upgrade, Origin=origin).status == 403
        assert ask(served, "PUT", "/_stcore/upload_file/a/b", Origin=origin).status == 403
    for body, headers in (("x", {}), ("", {}), ("é" * 20, {}), ("x", {"Origin": "http://evil.example"})):
        assert ask(served, "POST", "/session", body.encode(), **headers).status == 403
    assert ask(served, "POST", "/session", "x" * 200).status == 413
