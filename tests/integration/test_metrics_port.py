"""The metrics port of a worker: open on this machine, with a key beyond it."""

import hashlib
import socket
import struct
from collections.abc import Iterator

import httpx2
import psutil
import pytest

from shared import background
from shared.errors import SettingsInvalid
from shared.metrics_server import CLIENTS, PORTS_TO_TRY, serve_metrics, start_server
from shared.settings import ServiceSettings
from tests.support.stage import until

KEYS = tuple(f"{scope}:{scope}:{hashlib.sha256(scope.encode()).hexdigest()}" for scope in ("read", "write", "service"))


def outside() -> str:
    """Give an address of this machine that is not loopback, or skip."""
    for addresses in psutil.net_if_addrs().values():
        for one in addresses:
            if one.family is socket.AF_INET and not one.address.startswith("127."):
                return str(one.address)
    pytest.skip("this machine has no address beyond loopback")


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Serve on all addresses, as in a container; give the port."""
    server = start_server(ServiceSettings(bind_host="0.0.0.0", api_keys=KEYS, allowed_hosts=("worker",)), 0)
    yield server.server_port
    server.shutdown()
    server.server_close()


def ask(host: str, port: int, path: str = "/metrics", **headers: str) -> httpx2.Response:
    return httpx2.get(f"http://{host}:{port}{path}", headers=headers, timeout=5)


def test_metrics_when_asked_on_this_machine_then_no_key_is_needed(port: int):
    answer = ask("127.0.0.1", port)
    assert answer.status_code == 200
    assert "ml_service_uptime_seconds" in answer.text
    assert ask("127.0.0.1", port, "/").status_code == 404


def test_metrics_when_asked_from_elsewhere_then_a_key_of_any_scope_is_needed(port: int):
    host = outside()
    named = {"Host": f"worker:{port}"}
    answer = ask(host, port, **named)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert ask(host, port, **named, Authorization="Bearer wrong").status_code == 401
    for scope in ("read", "write", "service"):
        assert ask(host, port, **named, Authorization=f"Bearer {scope}").status_code == 200
        assert ask(host, port, **named, **{"X-API-Key": scope}).status_code == 200


def test_metrics_when_the_host_is_foreign_then_only_a_key_opens_them(port: int):
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        assert ask("127.0.0.1", port, Host="evil.example", **headers).status_code == 400
    # As Prometheus asks each of several workers that share a name.
    assert ask(outside(), port, Authorization="Bearer service").status_code == 200


def test_metrics_when_a_proxy_of_this_machine_passes_a_request_on_then_a_key_is_needed(port: int):
    assert ask("127.0.0.1", port, Host="worker").status_code == 401


def test_metrics_when_the_port_is_taken_then_the_next_free_one_serves():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        first = taken.getsockname()[1]
        assert first < serve_metrics(ServiceSettings(), first) <= first + PORTS_TO_TRY


def test_metrics_when_clients_say_nothing_then_some_are_kept_and_their_ends_leave_no_traceback(
    port: int, capfd: pytest.CaptureFixture[str]
):
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(CLIENTS)]
    with pytest.raises(httpx2.TransportError):
        ask("127.0.0.1", port)
    for one in silent:
        # Closed so, it is reset: what waits for its request fails.
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.close()

    def answers() -> bool:
        try:
            return ask("127.0.0.1", port).status_code == 200
        except httpx2.TransportError:
            return False

    until(answers, "room for another client")
    assert "Traceback" not in "".join(capfd.readouterr())


def test_worker_when_bound_beyond_loopback_without_keys_then_it_does_not_start(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(background, "set_up_logging", lambda *_, **__: None)

    async def main(_stop: object) -> None:
        raise AssertionError("it started")

    with pytest.raises(SystemExit) as end:
        background.run_worker(main, settings=ServiceSettings(bind_host="0.0.0.0"), service="tests", metrics_port=1)
    assert end.value.code == 2
    assert "API_KEYS" in "".join(capsys.readouterr())


def test_worker_when_a_key_is_malformed_then_its_port_does_not_open():
    with pytest.raises(SettingsInvalid, match="entry 1 of API_KEYS"):
        start_server(ServiceSettings(api_keys=("no key",)), 0)
