"""Addresses inside the network in every disguise: refused when they are set up, or when something is to be sent."""

import socket
from typing import Any

import pytest
from aiohttp import web

from prediction_service.clients import addresses
from prediction_service.clients import webhook as client
from prediction_service.clients.addresses import check_url
from prediction_service.clients.webhook import WebhookSender
from shared.errors import Invalid
from tests.support.receiver import receiver
from tests.unit.test_webhook_client import message

# What it is → how it is written; {port} is that of a server that listens on loopback.
WRITTEN = {
    "plain": "http://127.0.0.1:{port}/hook",
    "another of the loopback network": "http://127.255.255.254:{port}/hook",
    "one decimal number": "http://2130706433:{port}/hook",
    "one octal number": "http://017700000001:{port}/hook",
    "one hexadecimal number": "http://0x7f000001:{port}/hook",
    "octal parts": "http://0177.0.0.01:{port}/hook",
    "hexadecimal parts": "http://0x7f.0x0.0x0.0x1:{port}/hook",
    "capital hexadecimal": "http://0X7F.1:{port}/hook",
    "two parts": "http://127.1:{port}/hook",
    "three mixed parts": "http://0x7f.0.1:{port}/hook",
    "padded with zeros": "http://127.000.000.001:{port}/hook",
    "trailing dot": "http://127.0.0.1.:{port}/hook",
    "short with trailing dot": "http://127.1.:{port}/hook",
    "full-width digits": "http://１２７.０.０.１:{port}/hook",
    "circled digits": "http://①②⑦.⓪.⓪.①:{port}/hook",
    "ideographic dots": "http://127。0。0。1:{port}/hook",
    "full-width dots": "http://127．0．0．1:{port}/hook",
    "percent-encoded digit": "http://127.0.0.%31:{port}/hook",
    "percent-encoded name": "http://%6cocalhost:{port}/hook",
    "name": "http://localhost:{port}/hook",
    "name in capitals with a dot": "http://LOCALHOST.:{port}/hook",
    "full-width name": "http://ｌｏｃａｌｈｏｓｔ:{port}/hook",
    "name with a soft hyphen": "http://local\u00adhost:{port}/hook",
    "below localhost": "http://a.b.localhost:{port}/hook",
    "localdomain": "http://localhost.localdomain:{port}/hook",
    "zero": "http://0:{port}/hook",
    "all zeros": "http://0.0.0.0:{port}/hook",
    "IPv6 loopback": "http://[::1]:{port}/hook",
    "IPv6 loopback in full": "http://[0000:0000:0000:0000:0000:0000:0000:0001]:{port}/hook",
    "IPv6 unspecified": "http://[::]:{port}/hook",
    "mapped": "http://[::ffff:127.0.0.1]:{port}/hook",
    "mapped in hexadecimal": "http://[0:0:0:0:0:FFFF:7F00:1]:{port}/hook",
    "compatible": "http://[::127.0.0.1]:{port}/hook",
    "translated": "http://[::ffff:0:127.0.0.1]:{port}/hook",
    "NAT64": "http://[64:ff9b::127.0.0.1]:{port}/hook",
    "NAT64 of one's own": "http://[64:ff9b:1::7f00:1]:{port}/hook",
    "6to4": "http://[2002:7f00:1::]:{port}/hook",
    "Teredo": "http://[2001:0:4136:e378:8000:63bf:80ff:fffe]:{port}/hook",
    "zone": "http://[fe80::1%25eth0]:{port}/hook",
    "zone of loopback": "http://[::1%25lo]:{port}/hook",
    "unique local": "http://[fd00::1]:{port}/hook",
    "site local": "http://[fec0::1]:{port}/hook",
    "IPv6 multicast": "http://[ff02::1]:{port}/hook",
    "user is a public host": "http://example.com@127.0.0.1:{port}/hook",
    "password is a public host": "http://a:example.com@127.0.0.1:{port}/hook",
    "user with a port": "http://example.com:80@127.0.0.1:{port}/hook",
    "inward host before the at": "http://127.0.0.1:{port}@example.com/",
    "backslash before the at": "http://example.com\\@127.0.0.1:{port}/hook",
    "backslash after the at": "http://127.0.0.1:{port}\\@example.com/hook",
    "fragment before the at": "http://127.0.0.1:{port}#@example.com/",
    "query before the at": "http://127.0.0.1:{port}?@example.com/",
    "NUL in the host": "http://127.0.0.1\x00.example.com:{port}/hook",
    "line end in the host": "http://127.0.0.1\n.example.com:{port}/hook",
    "tab in the scheme": "ht\ttp://127.0.0.1:{port}/hook",
    "no slashes": "http:127.0.0.1:{port}/hook",
    "three slashes": "http:///127.0.0.1:{port}/hook",
    "another scheme": "gopher://127.0.0.1:{port}/_GET",
    "file": "file:///etc/passwd",
    "private 10/8": "http://10.0.0.1:{port}/hook",
    "private 172.16/12": "http://172.31.255.254:{port}/hook",
    "private 192.168/16": "http://192.168.0.1:{port}/hook",
    "private as a number": "http://3232235521:{port}/hook",
    "carrier-grade NAT": "http://100.64.0.1:{port}/hook",
    "metadata of AWS, GCP and Azure": "http://169.254.169.254/latest/meta-data/",
    "metadata as a number": "http://2852039166/latest/meta-data/",
    "metadata, mapped": "http://[::ffff:a9fe:a9fe]/latest/meta-data/",
    "metadata over IPv6": "http://[fd00:ec2::254]/latest/meta-data/",
    "metadata by name": "http://metadata.google.internal/computeMetadata/v1/",
    "metadata of Alibaba": "http://100.100.100.200/latest/meta-data/",
    "metadata of Oracle": "http://192.0.0.192/latest/meta-data/",
    "protocols 192.0.0/24": "http://192.0.0.1/",
    "benchmarks 198.18/15": "http://198.19.255.255/",
    "documentation": "http://203.0.113.1/",
    "6to4 relay": "http://192.88.99.1/",
    "multicast": "http://224.0.0.251/",
    "reserved": "http://240.0.0.1/",
    "broadcast": "http://255.255.255.255/",
}

# Names that say nothing of where they lead; the sender asks at each attempt.
RESOLVED = {
    "loopback": ["127.0.0.1"],
    "private": ["10.1.2.3"],
    "metadata": ["169.254.169.254"],
    "carrier-grade NAT": ["100.64.9.9"],
    "unspecified": ["0.0.0.0"],
    "multicast": ["239.1.2.3"],
    "IPv6 loopback": ["::1"],
    "mapped": ["::ffff:127.0.0.1"],
    "NAT64": ["64:ff9b::7f00:1"],
    "link-local with a zone": ["fe80::1%lo"],
    "a public one, then loopback": ["93.184.215.14", "127.0.0.1"],
    "loopback, then a public one": ["127.0.0.1", "93.184.215.14"],
    "public over IPv4, loopback over IPv6": ["93.184.215.14", "::1"],
}


@pytest.mark.parametrize("url", WRITTEN.values(), ids=WRITTEN)
async def test_address_when_written_to_look_like_another_then_it_is_refused_and_nothing_is_sent(url: str):
    async with receiver() as there, WebhookSender() as sender:
        url = url.replace("{port}", there.url.rsplit(":", 1)[1].partition("/")[0])
        with pytest.raises(Invalid) as refused:
            check_url(url, trusted=False)
        assert refused.value.pointer == "/url"
        # Should it have come into the table some other way: nothing is sent to it either.
        attempt = await sender.post(message(url, trusted=False)) if url.isprintable() else None
        assert attempt is None or (attempt.status_code is None and attempt.error)
        assert there.requests == []


def named(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Let every name resolve to these addresses, one list after the other; give who was asked."""
    asked: list[str] = []

    def lookup(host: str, port: int) -> list[Any]:
        found = answers[min(len(asked), len(answers) - 1)]
        asked.append(host)
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found
        ]

    monkeypatch.setattr(addresses, "_getaddrinfo", lookup)
    return asked


@pytest.mark.parametrize("found", RESOLVED.values(), ids=RESOLVED)
async def test_name_when_any_of_its_addresses_lies_inside_then_the_attempt_says_why_and_nothing_is_sent(
    found: list[str], monkeypatch: pytest.MonkeyPatch
):
    named(monkeypatch, found)
    async with receiver() as there, WebhookSender() as sender:
        url = there.url.replace("127.0.0.1", "hooks.example.com")
        check_url(url, trusted=False)
        attempt = await sender.post(message(url, trusted=False))
        assert there.requests == []
    assert attempt.status_code is None
    assert attempt.error is not None
    assert attempt.error.startswith("the host is not a public address")
    # What a name means inside the network is nobody's business.
    assert not any(one in attempt.error for one in found)


async def test_name_when_it_changes_between_check_and_connection_then_the_checked_address_is_connected_to(
    monkeypatch: pytest.MonkeyPatch,
):
    asked = named(monkeypatch, ["93.184.215.14"], ["127.0.0.1"])
    connected: list[str] = []

    def remember(address: tuple[Any, ...]) -> socket.socket:
        connected.append(address[4][0])
        raise ConnectionRefusedError

    monkeypatch.setattr(client, "public_socket", remember)
    async with receiver() as there, WebhookSender() as sender:
        url = there.url.replace("127.0.0.1", "rebind.example.com")
        attempt = await sender.post(message(url, trusted=False))
        assert (asked, connected) == (["rebind.example.com"], ["93.184.215.14"])
        assert attempt.error == "the connection was refused"
        again = await sender.post(message(url, trusted=False))
        assert connected == ["93.184.215.14"]
        assert there.requests == []
    assert again.error is not None
    assert again.error.startswith("the host is not a public address")


async def test_redirect_when_it_leads_inward_then_nobody_goes_there():
    async with receiver() as public, receiver() as inside, WebhookSender() as sender:
        for status in (301, 302, 303, 307, 308):
            public.answers = [web.Response(status=status, headers={"Location": inside.url})]
            attempt = await sender.post(message(public.url))
            assert (attempt.status_code, attempt.succeeded) == (status, False)
        assert inside.requests == []
