"""One request to a service: what goes wrong is told in words, and never with what is secret."""

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from streamlit.testing.v1 import AppTest

from shared.contracts.prediction import ActiveModels
from streamlit_ui import app
from streamlit_ui.client import transport
from streamlit_ui.client.transport import KeyNeeded, Service, ServiceError, UnexpectedAnswer, Unreachable, new_client
from streamlit_ui.settings import app_settings
from tests.support.fake_services import Problem
from tests.ui.conftest import Fakes

Open = Callable[..., AppTest]
LOST = b""
_BODY = b'{"status": 429, "title": "Too Many Requests", "detail": "The key may ask 9 times", "code": "too_often"}'
TOO_OFTEN = (
    b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/problem+json\r\nRetry-After: 37\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(_BODY), _BODY)
)
UNREADABLE = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnone"


@pytest.fixture
def wire() -> Iterator[Callable[[bytes], str]]:
    """Give the address of something that reads a request and answers with just these bytes."""
    listeners: list[socket.socket] = []

    def answer(listener: socket.socket, said: bytes) -> None:
        try:
            while True:
                one, _ = listener.accept()
                with one:
                    one.recv(65536)
                    one.sendall(said)
        except OSError:
            return

    def listen(said: bytes) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=answer, args=(listener, said), daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/api"

    yield listen
    for listener in listeners:
        listener.close()


def service(url: str, key: str = "") -> Service:
    return Service(name="training", url=url, http=new_client(), key=key)


@pytest.mark.parametrize("key", ["schlüssel", "“quoted”", "two\nlines", "zero\u200bwidth"])
def test_ask_when_the_key_is_none_that_can_be_sent_then_another_is_wanted(key: str, wire: Callable[[bytes], str]):
    with pytest.raises(KeyNeeded):
        service(wire(LOST), key).get("/models", ActiveModels)
    with pytest.raises(KeyNeeded), service(wire(LOST), key).download("/models"):
        pass


def test_ask_when_the_answer_cannot_be_unpacked_then_unexpected(wire: Callable[[bytes], str]):
    asked = service(wire(UNREADABLE))
    with pytest.raises(UnexpectedAnswer):
        asked.get("/models", ActiveModels)
    with pytest.raises(UnexpectedAnswer), asked.download("/models") as response:
        response.read()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://svc:hunter2@127.0.0.1:1/api", "http://127.0.0.1:1/api"),
        ("http://svc:hunter2@[::1]:1/api", "http://[::1]:1/api"),
        ("http://svc:hun/ter2@127.0.0.1:1/api", "http://127.0.0.1:1/api"),
        ("http://svc:h@nter2#@127.0.0.1:1/api", "http://127.0.0.1:1/api"),
        ("http://127.0.0.1:1/api?token=hunter2", "http://…"),
        ("http://127.0.0.1:1/api", "http://127.0.0.1:1/api"),
    ],
)
def test_address_when_it_holds_credentials_then_they_are_not_told(url: str, shown: str):
    asked = service(url)
    assert asked.shown_url == shown
    with pytest.raises(ServiceError) as refused:
        asked.get("/models", ActiveModels)
    assert shown in str(refused.value)
    assert not {"svc", "hunter2", "ter2", "nter2"} & set(str(refused.value).replace("@", " ").replace("/", " ").split())
    assert "token" not in str(refused.value)


def test_change_when_its_answer_is_lost_then_it_may_have_happened(wire: Callable[[bytes], str]):
    asked = service(wire(LOST))
    with pytest.raises(Unreachable) as lost:
        asked.send("POST", "/models", ActiveModels)
    assert lost.value.may_have_happened
    with pytest.raises(Unreachable) as looked:
        asked.get("/models", ActiveModels)
    assert not looked.value.may_have_happened


def test_change_when_nobody_listens_then_it_did_not_happen():
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}/api"
    with pytest.raises(Unreachable) as refused:
        service(url).remove("/models/1")
    assert not refused.value.may_have_happened


def test_refusal_when_it_has_one_fault_then_it_is_said_once(
    fakes: Fakes, open_page: Open, monkeypatch: pytest.MonkeyPatch
):
    def render() -> None:
        from streamlit_ui.session import services

        services().prediction.remove("/models/1")

    monkeypatch.setitem(app.RENDER, "overview", render)
    told, twice = {"pointer": "/offset", "detail": "is too large"}, {"pointer": "/limit", "detail": "is too small"}
    for errors, times in (((told,), 1), ((told, twice), 2)):
        fakes.prediction.on("DELETE", "/models/1", Problem(422, "/offset: is too large", errors=errors))
        (said,) = open_page("overview").error
        assert said.value.count("is too large") == times
        assert ("is too small" in said.value) is (times == 2)


def test_service_when_asked_too_often_then_the_page_says_when_to_ask_again(
    wire: Callable[[bytes], str], open_page: Open, monkeypatch: pytest.MonkeyPatch
):
    def render() -> None:
        from shared.contracts.prediction import ActiveModels
        from streamlit_ui.session import services

        services().prediction.get("/models/active", ActiveModels)

    monkeypatch.setenv("API_BASE_URL", wire(TOO_OFTEN))
    app_settings.cache_clear()
    monkeypatch.setitem(app.RENDER, "overview", render)
    test = open_page("overview")
    assert not test.exception
    (said,) = test.warning
    assert "in 37 s it answers again" in said.value
    assert [button.label for button in test.button] == ["Try again"]


def test_change_when_it_takes_too_long_then_the_page_says_to_look_first(
    fakes: Fakes, open_page: Open, monkeypatch: pytest.MonkeyPatch
):
    over = threading.Event()

    def slow(_: object) -> None:
        over.wait(10)

    def render() -> None:
        from streamlit_ui.session import services

        services().prediction.remove("/models/1")

    monkeypatch.setattr(transport, "ANSWER_SECONDS", 0.2)
    monkeypatch.setitem(app.RENDER, "overview", render)
    fakes.prediction.on("DELETE", "/models/1", slow)
    began = time.monotonic()
    test = open_page("overview")
    over.set()
    assert not test.exception
    (said,) = test.error
    assert "may have happened all the same" in said.value
    assert time.monotonic() - began < 10
