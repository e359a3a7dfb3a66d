"""Who can reach what listens: this machine alone, or others too, who then need keys."""

import ipaddress
from typing import Final

from shared.errors import SettingsInvalid
from shared.settings import WebPart

LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "::1")


def is_loopback(host: str) -> bool:
    """Tell whether an address or name means this machine only."""
    if host in LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_binding(settings: WebPart) -> None:
    """Refuse to listen beyond this machine without keys."""
    if not is_loopback(settings.bind_host) and not settings.api_keys:
        raise SettingsInvalid(
            f"BIND_HOST={settings.bind_host!r} is not allowed without API_KEYS: "
            "set keys, which `pumpcast keys new NAME --scope write` makes, or bind to 127.0.0.1"
        )
