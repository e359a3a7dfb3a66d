"""What packages wait for that are to be warmed up: which have enough candles, and what the others say."""

from prediction_service.store import package_work, packages
from prediction_service.store.packages import Told
from prediction_service.usecases.package_market import Choice, View, candles, choose, count, no_candles
from shared.contracts.packages import Market
from shared.db import Pool
from shared.errors import TooFewCandles

MOST_COINS = 50
"""Coins whose rows are counted at one look; the others at the next ones."""
MOST_WORDS = 5
"""Markets whose candles are read at one look to say what is missing."""
MOST_TOLD = 250
"""Packages that are told so at one look."""


class CandleLook:
    """Looks at the candles that packages wait for, at those of each market once for all packages."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._coins: dict[View, int] = {}
        self._words: dict[View, tuple[int, str]] = {}
        self.is_complete = True
        """Whether the latest look left nothing for the next one."""

    async def look(self) -> frozenset[str]:
        """Give the packages that have enough, and tell the others how many there are."""
        waiting = [(one, Market.model_validate(one.market)) for one in await package_work.wanting(self._pool)]
        choices = await choose(self._pool, dict.fromkeys(market for _, market in waiting))
        await self._count_coins(choices)
        ready = {market for market, choice in choices.items() if choice.is_enough}
        words = await self._say(choices)
        told = [
            Told(package_id=one.package_id, requested_at=one.requested_at, reason=words[market])
            for one, market in waiting
            if market in words and words[market] != one.told
        ]
        if told:
            await packages.tell_waiting(self._pool, told[:MOST_TOLD])
        self.is_complete = self.is_complete and len(told) <= MOST_TOLD
        return frozenset(one.package_id for one, market in waiting if market in ready)

    async def _count_coins(self, choices: dict[Market, Choice]) -> None:
        coins = {market: choice.view for market, choice in choices.items() if market.source == "coin_metrics"}
        known = dict.fromkeys(view for view in coins.values() if view is not None)
        # Those whose turn was longest ago stand first.
        counted = {view: found for view, found in self._coins.items() if view in known}
        order = [*(view for view in known if view not in counted), *counted]
        for view in order[:MOST_COINS]:
            counted.pop(view, None)
            counted[view] = await count(self._pool, view)
        self._coins = counted
        for market, wanted in coins.items():
            choices[market] = Choice(view=wanted, found=0 if wanted is None else counted.get(wanted, 0))

    async def _say(self, choices: dict[Market, Choice]) -> dict[Market, str]:
        said: dict[Market, str] = {}
        kept: dict[View, tuple[int, str]] = {}
        reads = 0
        self.is_complete = True
        for market, choice in choices.items():
            if choice.view is None:
                said[market] = no_candles(market).message
            elif not choice.is_enough:
                found, words = self._words.get(choice.view, (-1, ""))
                if found != choice.found:
                    if reads == MOST_WORDS:
                        self.is_complete = False
                        continue
                    reads += 1
                    words = await self._reason(choice.view)
                kept[choice.view] = choice.found, words
                if words:
                    said[market] = words
        self._words = kept
        return said

    async def _reason(self, wanted: View) -> str:
        try:
            await candles(self._pool, wanted)
        except TooFewCandles as error:
            return error.message
        # The last one has just come.
        return ""
