"""Posting webhooks: signed, bounded in time and bytes, never to an address inside the network."""

import asyncio
import base64
import socket
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from prediction_service.clients import addresses
from prediction_service.clients import webhook as client
from prediction_service.clients.webhook import Message, WebhookSender
from tests.support.receiver import Receiver, receiver
from tests.support.serving import served_routes

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


def message(url: str, **changes: Any) -> Message:
    given: dict[str, Any] = {
        "url": url, "headers": {}, "secrets": (SECRET,), "webhook_id": "msg_1", "body": '{"a": "ü"}'.encode(),
        "trusted": True,
    }  # fmt: skip
    return Message(**{**given, **changes})


async def test_message_when_sent_then_signature_and_headers_arrive():
    async with receiver() as there, WebhookSender() as sender:
        attempt = await sender.post(message(there.url, headers={"Authorization": "Bearer x", "X-Team": "a"}))
    (got,) = there.requests
    assert Webhook(SECRET).verify(got.body, dict(got.headers)) == {"a": "ü"}
    assert got.headers["webhook-id"] == "msg_1"
    assert got.headers["Content-Type"] == "application/json"
    assert got.headers["Authorization"] == "Bearer x"
    assert (attempt.status_code, attempt.response, attempt.error, attempt.succeeded) == (200, "ok", None, True)


async def test_message_when_body_is_changed_on_the_way_then_signature_is_not_valid():
    async with receiver() as there, WebhookSender() as sender:
        await sender.post(message(there.url))
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(there.requests[0].body + b" ", dict(there.requests[0].headers))


async def test_redirect_when_answered_then_it_is_not_followed_and_counts_as_failure():
    async with receiver() as there, WebhookSender() as sender:
        there.answers = [web.Response(status=307, headers={"Location": there.url + "/other"})]
        attempt = await sender.post(message(there.url))
    assert attempt.status_code == 307
    assert not attempt.succeeded
    assert len(there.requests) == 1


async def test_response_when_long_or_not_text_then_two_kibibytes_of_it_are_kept():
    async with receiver() as there, WebhookSender() as sender:
        there.answers = [web.Response(body=b"\x00\xff" * 100_000, status=500)]
        attempt = await sender.post(message(there.url))
    assert attempt.status_code == 500
    assert attempt.response is not None
    assert len(attempt.response.encode()) <= 2048
    assert "\x00" not in attempt.response


async def test_receiver_when_silent_then_the_attempt_ends_with_a_sentence(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(client, "TOTAL_SECONDS", 0.2)
    async with receiver() as there, WebhookSender() as sender:
        there.delay_seconds = 3
        attempt = await sender.post(message(there.url))
    assert attempt.status_code is None
    assert attempt.error == "no answer within 0.2 s"


async def test_answer_when_its_body_never_ends_then_its_status_counts(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(client, "TOTAL_SECONDS", 0.3)

    async def drip(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(status=202)
        await answer.prepare(request)
        for _ in range(100):
            await answer.write(b".")
            await asyncio.sleep(0.02)
        return answer

    async with served_routes([web.post("/hook", drip)]) as address, WebhookSender() as sender:
        attempt = await sender.post(message(f"{address}/hook"))
    assert attempt.succeeded
    assert attempt.error is None


async def test_receiver_when_not_listening_then_the_attempt_says_so():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    async with WebhookSender() as sender:
        attempt = await sender.post(message(f"http://127.0.0.1:{port}/"))
    assert attempt.error == "the connection was refused"


async def test_tls_when_the_receiver_speaks_none_then_the_attempt_says_so():
    async with receiver() as there, WebhookSender() as sender:
        attempt = await sender.post(message(there.url.replace("http://", "https://")))
    assert attempt.error == "the TLS certificate or connection is not valid"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1", "0x7f.1", "2130706433", "localhost", "[::1]", "[::ffff:127.0.0.1]"]
)
async def test_loopback_when_not_trusted_then_nothing_arrives(host: str):
    async with receiver() as there, WebhookSender() as sender:
        attempt = await sender.post(message(there.url.replace("127.0.0.1", host), trusted=False))
    assert there.requests == []
    assert attempt.status_code is None
    assert attempt.error


async def name_that_resolves_to(monkeypatch: pytest.MonkeyPatch, there: Receiver, *found: str) -> str:
    """Let the name of the test resolve to these addresses and the port of the receiver."""
    port = int(there.url.rsplit(":", 1)[1].partition("/")[0])

    def lookup(_host: str, _port: int) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(addresses, "_getaddrinfo", lookup)
    return there.url.replace("127.0.0.1", "hooks.example.com")


async def test_name_when_it_resolves_to_loopback_then_only_a_trusted_message_arrives(monkeypatch: pytest.MonkeyPatch):
    async with receiver() as there, WebhookSender() as sender:
        url = await name_that_resolves_to(monkeypatch, there, "127.0.0.1")
        refused = await sender.post(message(url, trusted=False))
        assert there.requests == []
        assert refused.error is not None
        assert "not a public address" in refused.error
        assert "127.0.0.1" not in refused.error
        assert (await sender.post(message(url))).succeeded


async def test_name_when_one_of_its_addresses_is_inward_then_none_is_used(monkeypatch: pytest.MonkeyPatch):
    async with receiver() as there, WebhookSender() as sender:
        url = await name_that_resolves_to(monkeypatch, there, "93.184.215.14", "127.0.0.1")
        attempt = await sender.post(message(url, trusted=False))
    assert attempt.error is not None
    assert "not a public address" in attempt.error
    assert there.requests == []


async def test_name_when_unknown_then_the_attempt_says_so(monkeypatch: pytest.MonkeyPatch):
    def lookup(_host: str, _port: int) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(addresses, "_getaddrinfo", lookup)
    async with WebhookSender() as sender:
        attempt = await sender.post(message("http://nowhere.example.com/", trusted=False))
    assert attempt.error == "the name of the host cannot be resolved"


async def test_lookup_when_one_hangs_then_others_of_the_name_join_it_and_other_hosts_go_on(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(client, "TOTAL_SECONDS", 0.3)
    asked: list[str] = []
    hanging = asyncio.Event()
    loop = asyncio.get_running_loop()

    def lookup(host: str, port: int) -> list[Any]:
        asked.append(host)
        if host == "slow.example.com":
            asyncio.run_coroutine_threadsafe(hanging.wait(), loop).result()
        return socket.getaddrinfo("127.0.0.1", port, type=socket.SOCK_STREAM)

    monkeypatch.setattr(addresses, "_getaddrinfo", lookup)
    async with receiver() as there, WebhookSender() as sender:
        slow = there.url.replace("127.0.0.1", "slow.example.com")
        stuck = [await sender.post(message(slow)) for _ in range(3)]
        quick = await sender.post(message(there.url.replace("127.0.0.1", "quick.example.com")))
        hanging.set()
    assert [attempt.error for attempt in stuck] == ["no answer within 0.3 s"] * 3
    assert quick.succeeded
    assert asked.count("slow.example.com") == 1
