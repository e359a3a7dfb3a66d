"""Who has shown a key: known to this process alone; what a browser holds is a number that means nothing elsewhere."""

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

IDLE_SECONDS: Final = 12 * 3600
"""A login that nobody used for so long is over; a page that follows something live is in use."""
LONGEST_SECONDS: Final = 7 * 24 * 3600
"""After so long a key is asked for again in any case."""
MOST_LOGINS: Final = 10_000
"""Beyond these the one that was used least lately ends."""
TICKET_SECONDS: Final = 60


@dataclass(slots=True, kw_only=True)
class _Login:
    key: str
    began: float
    used: float

    def is_over(self, now: float) -> bool:
        return self.used + IDLE_SECONDS < now or self.began + LONGEST_SECONDS < now


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ticket:
    token: str
    until: float


class Logins:
    """Keys by token, and tickets: what a page may hand its browser so that this asks for the token itself, once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._logins: dict[str, _Login] = {}
        self._tickets: dict[str, _Ticket] = {}
        self._secret = secrets.token_bytes(32)

    def enter(self, key: str) -> str:
        """Begin a login; gives its token."""
        token, now = secrets.token_urlsafe(32), self._clock()
        with self._lock:
            if len(self._logins) >= MOST_LOGINS:
                del self._logins[min(self._logins, key=lambda one: self._logins[one].used)]
            self._logins[token] = _Login(key=key, began=now, used=now)
        return token

    def mark(self, key: str) -> str:
        """Give what tells two keys apart, and nothing else of them."""
        return hmac.new(self._secret, key.encode(), hashlib.sha256).hexdigest()

    def key(self, token: str) -> str:
        """Give the key of a login, empty when there is none; asking keeps it from ending."""
        now = self._clock()
        with self._lock:
            for old in [old for old, login in self._logins.items() if login.is_over(now)]:
                del self._logins[old]
            login = self._logins.get(token)
            if login is None:
                return ""
            login.used = now
            return login.key

    def leave(self, token: str) -> None:
        """End a login, wherever it is open."""
        with self._lock:
            self._logins.pop(token, None)

    def ticket(self, token: str) -> str:
        """Give a ticket for a token; one for the empty token takes a login away from a browser."""
        ticket = secrets.token_hex(32)
        with self._lock:
            self._tickets[ticket] = _Ticket(token=token, until=self._clock() + TICKET_SECONDS)
        return ticket

    def is_open(self, ticket: str) -> bool:
        """Tell whether a ticket may still be taken."""
        with self._lock:
            found = self._tickets.get(ticket)
            return found is not None and found.until >= self._clock()

    def take(self, ticket: str) -> str | None:
        """Give the token of a ticket, which is then used up; None when there is none."""
        now = self._clock()
        with self._lock:
            found = self._tickets.pop(ticket, None)
            for old in [old for old, one in self._tickets.items() if one.until < now]:
                del self._tickets[old]
        return None if found is None or found.until < now else found.token


LOGINS: Final = Logins()
