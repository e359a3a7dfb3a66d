"""Cooldowns: for how long a model sends nothing more of a kind about a coin. They never change what is predicted.

They run on the clock of the recording, as lateness and horizons do: the time of the row that was sent, not that of the
sending. Live rows and a replay at any speed so send the same messages.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal

from prediction_service.settings import PredictionSettings
from prediction_service.store import cooldowns
from prediction_service.store.active_models import ActiveModel
from prediction_service.store.cooldowns import Key
from shared.db import Executor, Pool

Kind = Literal["negative", "positive", "alert"]
FORGET_AT_ONCE = 10_000
ROOM = 10_000
_NEVER = datetime.min.replace(tzinfo=UTC)


def kind_of(*, prediction: bool, is_alert: bool) -> Kind:
    """Tell which cooldown a prediction is under; an alert is no positive one besides."""
    if is_alert:
        return "alert"
    return "positive" if prediction else "negative"


def has_cooldown(active: ActiveModel) -> bool:
    """Tell whether a model ever pauses."""
    return any((active.cooldown_negative_seconds, active.cooldown_positive_seconds, active.cooldown_alert_seconds))


class Cooldowns:
    """What was sent last, of models that pause: by active model, coin and kind, in the time of the row it was about."""

    def __init__(self, actives: Mapping[int, ActiveModel], sent: Mapping[Key, datetime] | None = None) -> None:
        self._pauses: dict[tuple[int, str], timedelta] = {}
        for active in actives.values():
            for kind, seconds in (
                ("negative", active.cooldown_negative_seconds),
                ("positive", active.cooldown_positive_seconds),
                ("alert", active.cooldown_alert_seconds),
            ):
                if seconds:
                    self._pauses[active.id, kind] = timedelta(seconds=seconds)
        self._sent = {key: at for key, at in (sent or {}).items() if (key[0], key[2]) in self._pauses}
        self._room = max(ROOM, 2 * len(self._sent))

    def __len__(self) -> int:
        return len(self._sent)

    def last(self, key: Key) -> datetime:
        """Give when something was sent last."""
        return self._sent.get(key, _NEVER)

    def pause(self, active_id: int, kind: Kind) -> timedelta | None:
        """Give how long a model pauses after something of a kind; None: not at all."""
        return self._pauses.get((active_id, kind))

    def batch(self) -> "CooldownBatch":
        """Start a batch: what it sends counts here only once it is kept."""
        return CooldownBatch(self)

    def keep(self, batch: "CooldownBatch") -> None:
        """Take over what a batch has sent, after its transaction has committed."""
        self._sent |= batch.sent
        if len(self._sent) > self._room:
            # Coins come and go; what a pause no longer reaches back to tells nothing.
            newest = max(self._sent.values())
            self._sent = {key: at for key, at in self._sent.items() if newest - at < self._pauses[key[0], key[2]]}
            self._room = max(ROOM, 2 * len(self._sent))


class CooldownBatch:
    """The cooldowns as one batch sees them: what was sent before it, and what it sends itself."""

    def __init__(self, before: Cooldowns) -> None:
        self._before = before
        self.sent: dict[Key, datetime] = {}

    def over(self, active_id: int, coin: str, kind: Kind, at: datetime) -> bool:
        """Tell whether a row may be sent: its time lies the whole pause after that of the last one sent.

        A late row, older than what was sent, is within the pause too: it tells nothing new.
        """
        pause = self._before.pause(active_id, kind)
        if pause is None:
            return True
        key = (active_id, coin, kind)
        return at - (self.sent.get(key) or self._before.last(key)) >= pause

    def note(self, active_id: int, coin: str, kind: Kind, at: datetime) -> None:
        """Remember that a row is sent."""
        if self._before.pause(active_id, kind) is not None:
            self.sent[active_id, coin, kind] = at


async def load_cooldowns(executor: Executor, actives: Mapping[int, ActiveModel]) -> Cooldowns:
    """Read what was sent last for models that pause."""
    pausing = [active.id for active in actives.values() if has_cooldown(active)]
    return Cooldowns(actives, await cooldowns.load(executor, pausing) if pausing else None)


async def forget_old(pool: Pool, settings: PredictionSettings) -> bool:  # noqa: ARG001 - as all steps of housekeeping
    """Remove some of what no cooldown reaches back to; True when there is more."""
    return await cooldowns.forget_old(pool, most=FORGET_AT_ONCE) == FORGET_AT_ONCE
