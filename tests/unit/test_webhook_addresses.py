"""Where webhooks may go: never inside the network, whatever way the address is written."""

import pytest

from prediction_service.clients.addresses import check_url, is_inward, trusts
from shared.errors import Invalid

INWARD = [
    "127.0.0.1", "127.8.9.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "255.255.255.255",
    "224.0.0.1", "239.1.1.1", "240.0.0.1", "100.64.0.1", "192.0.0.1", "192.0.0.192", "192.0.2.5", "198.18.0.1",
    "192.88.99.1",
    "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "fec0::1",
    "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1",
    "2002:7f00:1::", "2002:808:808::1", "2001::1", "2001:db8::1", "3fff::1", "100::1", "nonsense",
]  # fmt: skip


@pytest.mark.parametrize("address", INWARD)
def test_address_when_not_public_then_it_is_inward(address: str):
    assert is_inward(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.215.14", "2606:4700::1111", "2a00:1450:4001::200e"])
def test_address_when_public_then_it_is_not_inward(address: str):
    assert not is_inward(address)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "0x7f.1", "2130706433", "017700000001", "[::1]", "[::ffff:10.0.0.1]", "10.0.0.7:8080",
     "localhost",
     "LOCALHOST", "localhost.", "a.localhost", "printer.local", "db.internal", "１２７.0.0.1", "0"],
)  # fmt: skip
def test_url_when_its_host_is_plainly_inward_then_it_is_refused(host: str):
    with pytest.raises(Invalid, match="inside the network"):
        check_url(f"http://{host}/hook", trusted=False)
    check_url(f"http://{host}/hook", trusted=True)


@pytest.mark.parametrize(
    "url",
    ["", "example.com", "ftp://example.com", "HTTP://example.com", "file:///etc/passwd", "http://", "http:///path",
     "http://:80/",
     "http://user:pw@example.com/", "http://user@example.com/", "http://@example.com/", "http://example.com:0/",
     "http://example.com:99999/", "http://example.com:x/", "http://exa mple.com/", "http://example.com/a b",
     "http://example.com\\@127.0.0.1/", "http://example.com/\n", "http://[::1/", "http://[fe80::1%25eth0]/",
     "http://a..b/",
     "http://exa_mple%2ecom/", "http://ex\u0000ample.com/", "http://example.com/\ud800", "http://" + "a" * 64 + ".com/",
     "http://example.com/" + "x" * 2048],
)  # fmt: skip
def test_url_when_it_can_never_be_sent_to_then_it_is_refused_even_if_trusted(url: str):
    with pytest.raises(Invalid):
        check_url(url, trusted=True)


@pytest.mark.parametrize(
    "url", ["https://example.com", "http://example.com:8080/a?b=c#d", "https://münchen.example/ä", "https://1.1.1.1/",
            "https://[2606:4700::1111]:8443/hook"]
)  # fmt: skip
def test_url_when_public_then_it_is_taken(url: str):
    check_url(url, trusted=False)


def test_host_when_in_allowed_hosts_then_trusted_whatever_its_case():
    assert trusts("http://N8N:5678/hook", allow_private=False, allowed_hosts=["n8n"])
    assert trusts("http://n8n/hook", allow_private=False, allowed_hosts=["N8N"])
    assert not trusts("http://n8n.evil/hook", allow_private=False, allowed_hosts=["n8n"])
    assert trusts("http://anything/hook", allow_private=True, allowed_hosts=[])
