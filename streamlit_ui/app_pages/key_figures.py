"""The key figures of the overview: how much, how well, how fast, with the hours they come from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import streamlit as st

from shared.contracts.statistics import ModelStatistics, ServiceStatistics
from streamlit_ui.formats import NOTHING, compact, number, share
from streamlit_ui.session import t

HOURS: Final = 24
_HOUR: Final = timedelta(hours=1)


@dataclass(slots=True, kw_only=True)
class Hour:
    """One hour of several models together."""

    start: datetime
    predictions: int = 0
    alerts: int = 0
    hits: int = 0
    misses: int = 0
    milliseconds: float = 0.0
    """Of all predictions together."""

    @property
    def precision(self) -> float | None:
        """Give the share of alerts that came true."""
        known = self.hits + self.misses
        return self.hits / known if known else None

    @property
    def mean_ms(self) -> float | None:
        """Give how long an answer took."""
        return self.milliseconds / self.predictions if self.predictions else None


def hours_of(statistics: Sequence[ModelStatistics], *, last: datetime) -> list[Hour]:
    """Give the last hours up to that of `last`, oldest first; an hour without predictions counts none."""
    end = last.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    found = {end - n * _HOUR: Hour(start=end - n * _HOUR) for n in reversed(range(HOURS))}
    first = min((one.first_hour for one in statistics if one.first_hour), default=end)
    for model in statistics:
        for figures in model.by_hour:
            if (hour := found.get(figures.hour)) is None:
                continue
            hour.predictions += figures.predictions
            hour.alerts += figures.alerts
            hour.hits += figures.alert.tp
            hour.misses += figures.alert.fp
            hour.milliseconds += (figures.mean_duration_ms or 0) * figures.predictions
    return [hour for hour in found.values() if hour.start >= first]


def draw(service: ServiceStatistics, statistics: Sequence[ModelStatistics], *, models: int) -> None:
    """Draw them."""
    last = service.last_prediction_at or service.recording_clock or datetime.now(UTC)
    hours = hours_of(statistics, last=last)
    # The hour that is not over yet would look like a fall.
    whole = hours[:-1] if len(hours) > 1 else hours
    shown = whole[-1] if whole else Hour(start=last)
    when = t("overview.last_hour" if len(hours) > 1 else "overview.this_hour")
    alert, sent = service.figures.alert, service.deliveries
    known = t("overview.known", known=compact(alert.tp + alert.fp), pending=compact(alert.pending))
    lost = sent.get("failed", 0) + sent.get("expired", 0)
    undelivered = t("overview.undelivered", pending=compact(sent.get("pending", 0)), lost=compact(lost))
    with st.grid("auto", min_column_width=170):
        _metric("predictions", compact(shown.predictions), when, [hour.predictions for hour in whole])
        _metric("alerts", compact(shown.alerts), when, [hour.alerts for hour in whole])
        _metric("precision", share(alert.precision), known, [hour.precision for hour in whole])
        latency = number(service.figures.mean_duration_ms, 1, "ms")
        _metric("latency", latency, t("overview.mean"), [hour.mean_ms for hour in whole])
        _metric("deliveries", compact(sent.get("delivered", 0)), undelivered, [])
    if models > len(statistics):
        st.caption(t("overview.of_some", shown=number(len(statistics)), models=number(models)))


def _metric(name: str, value: str, under: str, line: Sequence[float | None]) -> None:
    points = [point for point in line if point is not None]
    st.metric(
        t(f"overview.{name}"), value, delta=under, delta_color="blue", delta_arrow="off", border=True,
        height="stretch", help=t(f"overview.{name}_help"), chart_data=points if len(points) > 1 else None,
        chart_type="area",
    )  # fmt: skip


def precision_words(precision: float | None, known: int) -> str:
    """Say how many alerts came true, of how many."""
    return t("overview.of_known", share=share(precision), known=number(known)) if known else NOTHING
