"""How often one key, or one address without a valid key, may ask within a minute."""

import ipaddress
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

MOST_ADDRESSES: Final = 50_000
"""Addresses counted at once; beyond them the oldest is forgotten."""
MOST_ACQUAINTANCES: Final = 10_000
"""Pairs of a key and an address it was used from."""
# One subscriber has at least so much of IPv6.
_IPV6_NETWORK: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """One request, counted."""

    policy: str
    """`key` or `address`."""
    quota: int
    remaining: int
    reset_seconds: int
    is_over: bool

    @property
    def headers(self) -> dict[str, str]:
        """Give what the answer says of it, as draft-ietf-httpapi-ratelimit-headers has it."""
        told = {
            "ratelimit-policy": f'"{self.policy}";q={self.quota};w={RateLimitItemPerMinute.GRANULARITY.seconds}',
            "ratelimit": f'"{self.policy}";r={self.remaining};t={self.reset_seconds}',
        }
        return {**told, "retry-after": str(self.reset_seconds)} if self.is_over else told


class Windows(Storage):
    """Counters of one window length, at most so many; the storages of the library grow, and scan all they hold."""

    STORAGE_SCHEME = None

    def __init__(self, most: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._most = most
        self._clock = clock
        # In the order in which they end, as all are of one length.
        self._windows: dict[str, tuple[int, float]] = {}

    @property
    def base_exceptions(self) -> type[Exception]:
        """Give what can go wrong."""
        return ValueError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count, and give the count."""
        now = self._clock()
        count, ends = self._windows.get(key, (0, 0.0))
        if ends > now:
            self._windows[key] = count + amount, ends
            return count + amount
        self._windows.pop(key, None)
        self._make_room(now)
        self._windows[key] = amount, now + expiry
        return amount

    def get(self, key: str) -> int:
        """Give the count."""
        count, ends = self._windows.get(key, (0, 0.0))
        return count if ends > self._clock() else 0

    def get_expiry(self, key: str) -> float:
        """Give when the window ends, on our clock."""
        now = self._clock()
        return max(now, self._windows.get(key, (0, now))[1])

    def check(self) -> bool:
        """Tell that it works."""
        return True

    def reset(self) -> int:
        """Forget everything."""
        count = len(self._windows)
        self._windows.clear()
        return count

    def clear(self, key: str) -> None:
        """Forget one counter."""
        self._windows.pop(key, None)

    def __len__(self) -> int:
        return len(self._windows)

    def _make_room(self, now: float) -> None:
        while self._windows:
            oldest = next(iter(self._windows))
            if len(self._windows) < self._most and self._windows[oldest][1] > now:
                return
            del self._windows[oldest]


class RateLimits:
    """The counters of one process."""

    def __init__(self, per_minute: int, *, keys: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit: RateLimitItem = RateLimitItemPerMinute(per_minute)
        self._clock = clock
        # Apart, so that a flood of addresses never makes the count of a key forgotten.
        self._keys = FixedWindowRateLimiter(Windows(max(keys, 1), clock=clock))
        self._addresses = FixedWindowRateLimiter(Windows(MOST_ADDRESSES, clock=clock))
        self._acquainted: dict[tuple[str, str], None] = {}

    def count_key(self, name: str) -> Counted:
        """Count a request of a key."""
        return self._count(self._keys, "key", name)

    def count_address(self, address: str) -> Counted:
        """Count a request that showed no valid key."""
        return self._count(self._addresses, "address", network_of(address))

    def may_try(self, name: str, address: str) -> bool:
        """Tell whether a valid key counts as one: not from an address that guesses, unless it was used there before.

        Otherwise an address that guesses beyond its limit would still learn which key is right.
        """
        place = name, network_of(address)
        if place in self._acquainted:
            return True
        if not self._addresses.test(self._limit, place[1]):
            return False
        if len(self._acquainted) >= MOST_ACQUAINTANCES:
            del self._acquainted[next(iter(self._acquainted))]
        self._acquainted[place] = None
        return True

    def _count(self, limiter: FixedWindowRateLimiter, policy: str, who: str) -> Counted:
        is_over = not limiter.hit(self._limit, who)
        reset, remaining = limiter.get_window_stats(self._limit, who)
        return Counted(
            policy=policy,
            quota=self._limit.amount,
            remaining=remaining,
            reset_seconds=math.ceil(reset - self._clock()),
            is_over=is_over,
        )


def network_of(address: str) -> str:
    """Give what one subscriber has: an IPv4 address, or the network of an IPv6 one.

    >>> network_of("192.0.2.1"), network_of("2001:db8::1"), network_of("2001:db8::ffff:2")
    ('192.0.2.1', '2001:db8::/64', '2001:db8::/64')
    >>> network_of("::ffff:192.0.2.1")
    '192.0.2.1'
    """
    if ":" not in address:
        return address
    try:
        found = ipaddress.IPv6Address(address)
    except ValueError:
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((found, _IPV6_NETWORK), strict=False))
