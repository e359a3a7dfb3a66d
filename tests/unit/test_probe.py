"""Whether a service answers, asked from where it runs and from elsewhere, with a key and without."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pumpcast.probe import ALIVE, READY, Listener, addressed, apis
from pumpcast.secret import entry_of


class Guarded(BaseHTTPRequestHandler):
    """Answers as an API does that has keys: to all that it lives, the rest to those who show one."""

    def do_GET(self):
        self.send_response(200 if self.path == ALIVE or self.headers["X-API-Key"] == "good" else 401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Guarded) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("key", "told"), [("", None), ("good", None), ("wrong", "answers 401")])
def test_service_when_it_wants_a_key_then_one_that_is_not_known_is_no_trouble_and_a_wrong_one_is(port, key, told):
    listener = Listener(name="training API", setting="", bind_host="127.0.0.1", port=port, path=READY, key=key)
    trouble = listener.trouble()
    assert trouble is None if told is None else told in trouble
    assert listener.hides_readiness() is (key == "")


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("http://training-api:8001/api", "http://training-api:8001"),
        ("http://10.0.0.7/api", "http://10.0.0.7:80"),
        ("http://127.0.0.1:9999/api", "http://127.0.0.1:8001"),
    ],
)
def test_api_when_others_find_it_on_another_machine_then_it_is_asked_there(address, url):
    here = Listener(name="training API", setting="", bind_host="127.0.0.1", port=8001, path=READY)
    assert addressed(here, address).url == url


def test_key_when_several_are_set_then_the_first_that_api_keys_know_is_shown(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name, value in {"UI_API_KEY": "mine", "TRAINING_SERVICE_API_KEY": "services"}.items():
        monkeypatch.setenv(name, value)

    def shown(api_keys):
        monkeypatch.setenv("API_KEYS", api_keys)
        return [(one.key, one.path) for one in apis()]

    assert shown("") == [("mine", READY)] * 2
    assert shown(entry_of("me", "read", "mine")) == [("mine", READY)] * 2
    assert shown(entry_of("prediction", "service", "services")) == [("services", READY)] * 2
    # As where the secrets of the prediction service are read: its own key opens the training API alone.
    assert shown(entry_of("operator", "write", "another")) == [("", ALIVE)] * 2
