"""Keys: who is asking, and what the scope of a key allows."""

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import Headers

from shared.errors import SettingsInvalid

RESERVED_NAMES: Final = frozenset({"auto", "local"})
"""What logs say where no key was used."""
READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""
_ALLOWED: Final = {"read": {"read"}, "write": {"read", "write"}, "service": {"read"}}
# What one service needs of the other.
_FOR_SERVICES: Final = re.compile(r"(/api)?/(models(/\d+(/download)?)?|metrics|health(/ready)?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A caller's key."""

    name: str
    """Two keys of one name are both valid: that is how one is replaced."""
    scope: str
    digest: str
    """SHA-256 of the secret, in hexadecimal."""

    def allows(self, method: str, path: str) -> bool:
        """Tell whether the scope allows a request.

        >>> key = ApiKey(name="a", scope="service", digest="")
        >>> key.allows("GET", "/api/models/1/download"), key.allows("GET", "/api/queue"), key.allows("POST", "/models")
        (True, False, False)
        """
        needed = "read" if method in READING else "write"
        return needed in _ALLOWED[self.scope] and (self.scope != "service" or _FOR_SERVICES.fullmatch(path) is not None)


def parse_keys(entries: tuple[str, ...]) -> tuple[ApiKey, ...]:
    """Read `name:scope:sha256hex` entries; a wrong one is a `SettingsInvalid`."""
    keys = []
    for number, entry in enumerate(entries, 1):
        name, _, rest = entry.partition(":")
        scope, _, digest = rest.partition(":")
        if not name or scope not in _ALLOWED or not re.fullmatch(r"[0-9a-f]{64}", digest):
            # Its text is not told: whoever mistakes the form may have put the key itself there.
            raise SettingsInvalid(
                f"entry {number} of API_KEYS is not allowed: "
                "it must be name:scope:sha256hex with scope read, write or service"
            )
        if name.lower() in RESERVED_NAMES:
            raise SettingsInvalid(f"entry {number} of API_KEYS is not allowed: the name {name!r} is that of no key")
        keys.append(ApiKey(name=name, scope=scope, digest=digest))
    return tuple(keys)


def find_key(keys: tuple[ApiKey, ...], headers: Headers) -> ApiKey | None:
    """Give the key that a request shows, if it is one."""
    shown = headers.get("x-api-key", "")
    kind, _, token = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        shown = token.strip()
    digest = hashlib.sha256(shown.encode()).hexdigest()
    found = None
    # Every key is compared, so that the time does not tell which one was near.
    for key in keys:
        if hmac.compare_digest(key.digest, digest):
            found = key
    return found
