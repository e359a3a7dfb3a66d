"""Which coins left tracking before the rows that are read of them."""

from collections.abc import Sequence

import numpy as np

from shared.coin_metrics import spans
from shared.coin_metrics.read import Layout
from shared.coin_metrics.rows import Ints
from shared.db import Pool
from shared.labels import GRADUATED_PCT, NEVER

MOST_COINS = 200_000


class KnownEndings:
    """Remembers up to when the rows of each coin were looked through: its history is read once, not at each look."""

    def __init__(self) -> None:
        self._file: int | None = None
        self._until: dict[str, int] = {}
        self._left_at: dict[str, int] = {}

    async def look(self, pool: Pool) -> None:
        """Forget everything when the table was emptied or made anew."""
        file = await spans.table_file(pool)
        if file != self._file:
            self._until.clear()
            self._left_at.clear()
        self._file = file

    async def before(
        self, pool: Pool, layout: Layout, coins: Sequence[str], starts: Ints, *, untracked: frozenset[int]
    ) -> Ints:
        """Give for each coin when a row before its start showed it as no longer followed, microseconds, or `NEVER`."""
        beginning = dict(zip(coins, starts.tolist(), strict=True))
        unknown = [
            coin
            for coin, start in beginning.items()
            if coin not in self._left_at and (coin not in self._until or self._until[coin] < start)
        ]
        if unknown:
            found = await spans.ends_of(
                pool,
                layout,
                mints=unknown,
                starts=[self._until.get(coin) for coin in unknown],
                ends=np.array([beginning[coin] for coin in unknown]),
                untracked=untracked,
                graduated_pct=GRADUATED_PCT,
            )
            self._left_at |= {unknown[place]: at for place, at in found.items()}
        for coin, start in beginning.items():
            # The coins that were asked for last stand at the end.
            self._until[coin] = max(start, self._until.pop(coin, start))
        for coin in list(self._until)[: max(0, len(self._until) - MOST_COINS)]:
            del self._until[coin]
            self._left_at.pop(coin, None)
        # Found later than the start, it is among the rows that are read.
        left_at = (self._left_at.get(coin, NEVER) for coin in coins)
        return np.array([at if at < beginning[coin] else NEVER for coin, at in zip(coins, left_at, strict=True)])
