"""What was live when: changes of models in, stretches of time out."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from shared.contracts.promotions import Promotion


@dataclass(frozen=True, slots=True, kw_only=True)
class LivePeriod:
    """A stretch in which a model was active and live."""

    active_model_id: int
    start: datetime
    end: datetime | None
    """None: it still is."""


def live_periods(promotions: Iterable[Promotion]) -> list[LivePeriod]:
    """Give the stretches, newest first."""
    started: dict[int, Promotion] = {}
    found: list[LivePeriod] = []

    def switch(active_id: int, *, is_live: bool, by: Promotion) -> None:
        if is_live:
            started.setdefault(active_id, by)
        elif (begun := started.pop(active_id, None)) is not None:
            found.append(LivePeriod(active_model_id=active_id, start=begun.created_at, end=by.created_at))

    for one in sorted(promotions, key=lambda change: (change.created_at, change.id)):
        if one.replaced_active_model_id is not None:
            switch(one.replaced_active_model_id, is_live=one.action == "rollback", by=one)
        switch(one.active_model_id, is_live=one.is_live, by=one)
    found += [
        LivePeriod(active_model_id=active_id, start=begun.created_at, end=None) for active_id, begun in started.items()
    ]
    return sorted(found, key=lambda period: (period.end is None, period.start), reverse=True)
