"""The page statistics: how good predictions turned out to be, of all models together and of one."""

from datetime import UTC, date, datetime, time, timedelta

import streamlit as st

from shared.contracts.prediction import ActiveModel
from streamlit_ui import address
from streamlit_ui.app_pages import model_outcomes, service_outcomes
from streamlit_ui.app_pages.known_models import model_name
from streamlit_ui.app_pages.model_outcomes import Span
from streamlit_ui.app_pages.told_times import told_day
from streamlit_ui.client.active_models import get_service_statistics, get_statistics, list_active
from streamlit_ui.session import services, t, zone
from streamlit_ui.states import empty, guarded, live

REDRAWN_SECONDS = 60
_SPANS = {"24h": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}
_ALL = 0
_RANGES = ("all", *_SPANS, "dates")


def render() -> None:
    """Draw the page."""
    st.title(t("places.statistics"))
    models = {model.id: model for model in list_active(services().prediction, include_inactive=True).models}
    asked = address.told_id("model")
    options = [_ALL, *models]
    if asked is not None and asked not in options:
        options.append(asked)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = address.select(
            t("statistics.model"), options, name="model", words=lambda one: _name(models, one), width=360
        )
        if chosen != _ALL:
            address.select(
                t("statistics.range"), _RANGES, name="range", words=lambda one: t(f"statistics.range_{one}"),
                widget=st.pills,
            )  # fmt: skip
            if address.told("range") == "dates":
                _choose_dates()
    if chosen == _ALL:
        _draw_all(list(models.values()))
    else:
        _draw_one(chosen, models.get(chosen))


def _name(models: dict[int, ActiveModel], chosen: int) -> str:
    if chosen == _ALL:
        return t("statistics.all_models")
    return model_name(models, chosen)


@live(REDRAWN_SECONDS)
def _draw_all(models: list[ActiveModel]) -> None:
    service_outcomes.draw(get_service_statistics(services().prediction), models)


@live(REDRAWN_SECONDS)
def _draw_one(active_id: int, model: ActiveModel | None) -> None:
    span = _span()
    found = get_statistics(services().prediction, active_id, since=span.since, until=span.until)
    model_outcomes.draw_header(found, model)
    if not found.total.predictions:
        empty(t("statistics.nothing_in_range" if span.since or span.until else "statistics.nothing_yet"))
        with guarded():
            model_outcomes.draw_hold_out(found)
        return
    model_outcomes.draw(found)


def _choose_dates() -> None:
    """Ask for the first and the last day; both stand in the address."""
    today = datetime.now(zone()).date()
    start = told_day("from") or today - timedelta(days=6)
    end = told_day("to") or today
    # The key holds the days: a link to others is followed.
    found = st.date_input(
        t("statistics.days", zone=zone().key), value=(min(start, end), end), format="YYYY-MM-DD",
        key=f"statistics_days_{start}_{end}",
    )  # fmt: skip
    # While only the first of the two days is chosen, the view stays as it was.
    match found:
        case (date() as first, date() as last):
            address.keep("from", first.isoformat())
            address.keep("to", last.isoformat())


def _span() -> Span:
    """Give the stretch of time that the address names."""
    chosen = address.told("range")
    if chosen in _SPANS:
        return Span(since=datetime.now(UTC) - _SPANS[chosen], until=None)
    first, last = told_day("from"), told_day("to")
    if chosen != "dates" or first is None or last is None:
        return Span(since=None, until=None)
    return Span(
        since=datetime.combine(first, time.min, tzinfo=zone()), until=datetime.combine(last, time.max, tzinfo=zone())
    )
