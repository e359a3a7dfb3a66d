"""What a shadow model has shown beside the live one of its line, and what it still has to show."""

import math
from dataclasses import dataclass

from prediction_service.store import active_models, challenges
from prediction_service.store.active_models import ActiveModel, AutoPromotion
from prediction_service.store.challenges import Compared, Figures
from shared.contracts.promotions import MOST_PAIRS
from shared.db import Pool
from shared.errors import Conflict, NotFound

MOST_ROWS = 3 * MOST_PAIRS
"""A live model that answers few coins must not make its challenger's whole past be read."""
LEAD_DECIMALS = 9
"""0.6 − 0.5 is a lead of 0.1, whatever the last bits of the difference say."""
FEWEST_COINS = 10
"""How coins differ cannot be told from fewer."""
CHANCE = 0.05
"""So often a model that is no better leads beyond chance at any time, at most."""
_SHARPEST = 7.0
"""Where the bound is lowest for this chance, in units of its mixture: at min_outcomes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    """What one metric reads off the figures."""

    value: str
    counted: str
    words: str
    """What is counted."""
    sign: int = 1
    """−1 where less is better."""


_METRICS = {
    "precision": _Measured(value="precision", counted="positives", words="positive predictions with a known answer"),
    "alert_precision": _Measured(value="alert_precision", counted="alerts", words="alerts with a known answer"),
    "brier": _Measured(value="brier", counted="outcomes", words="known answers", sign=-1),
    "mean_return": _Measured(value="mean_return_pct", counted="returns", words="alerts with a known change"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """A shadow model beside the live one of its line."""

    shadow: ActiveModel
    live_model: ActiveModel
    pairs: int
    challenger: Figures
    live: Figures
    coins: int
    """Coins in what the metric counts."""
    lead: float | None
    """By how much the shadow is better in the metric of its auto_promotion; None while one of them has no figure."""
    chance: float | None
    """A lead that chance alone may bring about; None while that cannot be told."""
    missing: tuple[str, ...]
    """Why it is not promoted."""

    @property
    def ready(self) -> bool:
        """Tell whether it has shown all it must."""
        return not self.missing

    def sentence(self) -> str:
        """Say what it has shown."""
        asked = self.shadow.auto_promotion
        assert asked is not None
        measured = _METRICS[asked.metric]
        ours, theirs = (getattr(one, measured.value) for one in (self.challenger, self.live))
        counts = [getattr(one, measured.counted) for one in (self.challenger, self.live)]
        return (
            f"{asked.metric} {ours:.6g} (over {counts[0]} {measured.words}) against {theirs:.6g} (over {counts[1]}) of "
            f"active model {self.live_model.id}, {self.coins} coins: better by {self.lead:.6g}, {asked.margin:g} was "
            f"asked for, up to {self.chance:.3g} may be chance"
        )


async def look(pool: Pool, shadow: ActiveModel, live: ActiveModel) -> Challenge:
    """Compare the two now."""
    compared = await challenges.compare(pool, shadow, live, most_rows=MOST_ROWS, most_pairs=MOST_PAIRS)
    asked = shadow.auto_promotion
    return Challenge(
        shadow=shadow,
        live_model=live,
        pairs=compared.pairs,
        challenger=compared.challenger,
        live=compared.live,
        coins=compared.coins,
        lead=None if asked is None else _lead(asked, compared),
        chance=None if asked is None else _chance(asked, compared),
        missing=("auto_promotion is not set",) if asked is None else _missing(asked, compared),
    )


def beyond_chance(count: int, least: int) -> float:
    """Give how many standard errors a lead must exceed to be no chance, however often it is looked at.

    Normal-mixture boundary (Robbins 1970; Howard, Ramdas, McAuliffe and Sekhon 2021), in units of the standard error:
    sqrt((1 + 1/r) (ln(1 + r) - 2 ln(2 alpha))), one-sided alpha = `CHANCE`, r proportional to the `count` of outcomes
    so far. It is lowest where r is about 7, which is laid at `least` outcomes. A single look would need 1.64.

    >>> [round(beyond_chance(count, 100), 2) for count in (100, 1_000, 100_000)]
    [2.76, 3.0, 3.67]

    """
    r = _SHARPEST * count / least
    return math.sqrt((1 + 1 / r) * (math.log1p(r) - 2 * math.log(2 * CHANCE)))


def _lead(asked: AutoPromotion, compared: Compared) -> float | None:
    """Give by how much the challenger is better, positive whichever way the metric points."""
    measured = _METRICS[asked.metric]
    ours, theirs = getattr(compared.challenger, measured.value), getattr(compared.live, measured.value)
    return None if ours is None or theirs is None else round(measured.sign * (ours - theirs), LEAD_DECIMALS)


def _chance(asked: AutoPromotion, compared: Compared) -> float | None:
    count = min(_counts(asked, compared))
    if compared.standard_error is None or compared.coins < FEWEST_COINS or count == 0:
        return None
    return beyond_chance(count, asked.min_outcomes) * compared.standard_error


def _counts(asked: AutoPromotion, compared: Compared) -> tuple[int, int]:
    counted = _METRICS[asked.metric].counted
    return getattr(compared.challenger, counted), getattr(compared.live, counted)


def _missing(asked: AutoPromotion, compared: Compared) -> tuple[str, ...]:
    """Give what stands between the challenger and its promotion, a sentence each."""
    missing = []
    for who, count in zip(("the challenger", "the live model"), _counts(asked, compared), strict=True):
        if count < asked.min_outcomes:
            missing.append(f"{who} has {count} of {asked.min_outcomes} {_METRICS[asked.metric].words}")
    told = not missing
    lead, chance = _lead(asked, compared), _chance(asked, compared)
    if lead is not None and lead < asked.margin:
        how = f"better by {lead:.6g}" if lead > 0 else f"not better ({lead:.6g})"
        missing.append(f"{asked.metric} of the challenger is {how}, {asked.margin:g} is asked for")
    elif told and chance is None:
        missing.append(f"these are of {compared.coins} coins: with fewer than {FEWEST_COINS} all may be chance")
    elif lead is not None and chance is not None and lead <= chance:
        missing.append(f"{asked.metric} of the challenger is better by {lead:.6g}, up to {chance:.3g} may be chance")
    return tuple(missing)


async def get_challenge(pool: Pool, active_id: int) -> tuple[ActiveModel, Challenge | None]:
    """Give a shadow model and how it compares with the live model of its line; None while the line has none."""
    shadow = await active_models.get(pool, active_id)
    if shadow is None:
        raise NotFound(f"There is no active model {active_id}: GET /models/active lists all")
    if shadow.mode == "live":
        raise Conflict(f"Active model {active_id} is live: ask for the challenge of a shadow of its line")
    if shadow.line is None:
        raise Conflict(f"Active model {active_id} is in no line: set one to compare it with the live model there")
    live_id = await active_models.live_of_line(pool, shadow.line)
    live = None if live_id is None else await active_models.get(pool, live_id)
    return shadow, None if live is None else await look(pool, shadow, live)
