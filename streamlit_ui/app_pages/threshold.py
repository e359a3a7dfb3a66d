"""The alert threshold of an imported model, and what it would mean on the hold-out."""

import streamlit as st

from shared.contracts.card import CardThresholdPoint, ModelCard
from shared.contracts.prediction import ActiveModel
from streamlit_ui.app_pages.changes import Change, draw_save, key, save
from streamlit_ui.charts.thresholds import draw_curve
from streamlit_ui.client.models import get_card
from streamlit_ui.client.transport import ServiceError
from streamlit_ui.formats import number, percent, share
from streamlit_ui.session import services, t
from streamlit_ui.states import empty, show_error

STEP = 0.001
_DIGITS = 3
_SAME = 1e-6
_CARD_PIXELS = 150


def draw(model: ActiveModel) -> None:
    """Draw the slider, what it means, and what was changed."""
    st.caption(t("manage.threshold_why"))
    card = _card(model)
    present = round(model.alert_threshold, _DIGITS)
    chosen = st.slider(
        t("manage.field_alert_threshold"), 0.0, 1.0, present, step=STEP, format=f"%.{_DIGITS}f",
        key=key("threshold", model),
    )  # fmt: skip
    curve = card.curves.threshold if card and card.curves else []
    if curve:
        _draw_meaning(curve, chosen)
    elif card:
        empty(t("manage.no_curve"))
    _draw_change(model, present, chosen)
    own = card.thresholds.alert if card else None
    if own is None or abs(own - model.alert_threshold) > _SAME:
        _offer_own(model, own)
    if curve:
        st.altair_chart(draw_curve(curve, chosen), alt=t("manage.curve"))


def _draw_change(model: ActiveModel, present: float, chosen: float) -> None:
    changes = []
    if chosen != present:
        before, after = (number(value, _DIGITS) for value in (model.alert_threshold, chosen))
        changes.append(Change(field="alert_threshold", value=chosen, before=before, after=after))
    draw_save(model, changes)


def _card(model: ActiveModel) -> ModelCard | None:
    """Give what the training service knows of it; without that the threshold can be set all the same."""
    try:
        return get_card(services().training, model.model_id)
    except ServiceError as error:
        show_error(error)
        return None


def _draw_meaning(curve: list[CardThresholdPoint], chosen: float) -> None:
    """Draw what the hold-out says about a threshold: that of the nearest point that is not below it."""
    reached = [point for point in curve if point.threshold >= chosen]
    point = min(reached, key=lambda one: one.threshold) if reached else None
    with st.grid(4, min_column_width=_CARD_PIXELS):
        st.metric(
            t("manage.precision"), share(point.precision if point else None), border=True,
            help=t("manage.precision_help"),
        )  # fmt: skip
        st.metric(t("manage.recall"), share(point.recall if point else 0.0), border=True, help=t("manage.recall_help"))
        st.metric(
            t("manage.alerts_per_day"), number(point.alerts_per_day if point else 0.0), border=True,
            help=t("manage.alerts_per_day_help"),
        )  # fmt: skip
        st.metric(
            t("manage.expected_value"), percent(point.expected_value_pct if point else None), border=True,
            help=t("manage.expected_value_help"),
        )  # fmt: skip
    if point is None:
        st.caption(t("manage.never_reached"))


def _offer_own(model: ActiveModel, own: float | None) -> None:
    words = t("manage.own", threshold=number(own, _DIGITS)) if own is not None else t("manage.own_unknown")
    if st.button(words, icon=":material/restart_alt:", help=t("manage.own_help"), key=key("own", model)):
        before, after = number(model.alert_threshold, _DIGITS), t("manage.own_value")
        save(model, [Change(field="alert_threshold", value=None, before=before, after=after)])
