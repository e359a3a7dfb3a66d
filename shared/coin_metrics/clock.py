"""The recording clock: the newest timestamp that can be believed.

Lateness and horizons are measured on it, never on the wall clock: live rows, a replay and a back-fill behave alike.
"""

import itertools

import numpy as np
from numpy.typing import NDArray

MINUTE = 60_000_000
AHEAD = 5 * MINUTE
"""A row further ahead of both clocks than this (microseconds) must be confirmed."""
CONFIRMING = 3
"""So many coins (or rows, where fewer coins send) confirm a jump."""


def confirmed_time(timestamps: NDArray[np.int64], coins: NDArray[np.int64], *, few_coins: bool) -> int | None:
    """Find the first jump of the recording clock that enough rows confirm.

    Args:
        timestamps: int64[n], microseconds, of rows held as too far ahead; any order.
        coins: int64[n], a code per coin.
        few_coins: True when fewer than three coins send at all; then rows count instead of coins.

    Returns:
        The time to which the clock may move: the newest of the rows that first confirm each other within 5 minutes;
        None when none do.

    >>> import numpy as np
    >>> minute = 60_000_000
    >>> held = np.array([600, 601, 602, 1380]) * minute
    >>> confirmed_time(held, np.array([1, 2, 3, 4]), few_coins=False) // minute
    602
    >>> confirmed_time(held[[0, 3]], np.array([1, 4]), few_coins=False) is None
    True

    """
    order = np.argsort(timestamps, kind="stable")
    times, codes = timestamps[order], coins[order]
    for start in range(len(times)):
        seen: set[int] = set()
        for position in range(start, len(times)):
            if times[position] > times[start] + AHEAD:
                break
            seen.add(position if few_coins else int(codes[position]))
            if len(seen) >= CONFIRMING:
                return int(times[position])
    return None


def recording_clock(
    timestamps: NDArray[np.int64], coins: NDArray[np.int64], *, wall: int, few_coins: bool
) -> int | None:
    """Give the newest believable timestamp of a table.

    Args:
        timestamps: int64[n], microseconds since 1970 UTC, any order. Of the rows up to `wall` + 5 minutes only the
            newest matters; all rows beyond must be given.
        coins: int64[n], a code per coin.
        wall: The wall clock in microseconds.
        few_coins: True when fewer than three coins send at all; then rows confirm each other instead of coins.

    Returns:
        Microseconds, or None without rows. A row more than 5 minutes ahead of both clocks moves the clock only when
        rows of three coins stand within 5 minutes of each other.

    >>> import numpy as np
    >>> hour = 3_600_000_000
    >>> recording_clock(np.array([1, 2, 25]) * hour, np.array([0, 1, 2]), wall=2 * hour, few_coins=False) // hour
    2

    """
    if len(timestamps) == 0:
        return None
    order = np.argsort(timestamps, kind="stable")
    times, codes = timestamps[order], coins[order]
    near = times[times <= wall + AHEAD]
    clock = int(near[-1]) if len(near) else None
    ahead, ahead_codes = times[len(near) :], codes[len(near) :]
    # Rows that follow each other within 5 minutes move the clock together; only a longer hole asks for confirmation.
    bounds = [0, *(np.flatnonzero(np.diff(ahead) > AHEAD) + 1).tolist(), len(ahead)]
    for start, end in itertools.pairwise(bounds):
        if start == end:
            continue
        reachable = clock is not None and ahead[start] <= max(clock, wall) + AHEAD
        if reachable or confirmed_time(ahead[start:end], ahead_codes[start:end], few_coins=few_coins) is not None:
            clock = int(ahead[end - 1])
    return clock
