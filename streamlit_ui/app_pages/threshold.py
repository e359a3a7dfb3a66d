"""The alert threshold of an imported model, and what it would mean on the hold-out."""

import streamlit as st

from shared.contracts.card import CardThresholdPoint, ModelCard
from shared.contracts.prediction import ActiveModel
from streamlit_ui.address import keep, told_number
from streamlit_ui.app_pages.changes import Change, draw_save, key, save
from streamlit_ui.charts.thresholds import draw_curve
from streamlit_ui.client.models import get_card
from streamlit_ui.client.transport import ServiceError
from streamlit_ui.formats import number, percent, share
from streamlit_ui.session import language, services, t
from streamlit_ui.states import empty, once, show_error

STEP = 0.001
EXACT_STEP = 0.0001
_DIGITS = 3
_EXACT_DIGITS = 6
_EXACT_PIXELS = 170
_SAME = 1e-6
_CARD_PIXELS = 150


def draw(model: ActiveModel) -> None:
    """Draw the slider, what it means, and what was changed."""
    st.caption(t("manage.threshold_why"))
    card = _card(model)
    present = model.alert_threshold
    chosen = _choose(model, present)
    curve = _measured(card) if card else []
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


def _choose(model: ActiveModel, present: float) -> float:
    """Ask for a threshold, roughly and exactly; the address says one that is not saved yet."""
    rough, exact = key("threshold", model), key("threshold_exact", model)
    if rough not in st.session_state:
        st.session_state[rough] = st.session_state[exact] = _told_threshold(present)
    # A pattern of its own knows points only.
    pattern = "localized" if language() == "de" else f"%.{_digits(st.session_state[rough])}f"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.slider(
            t("manage.field_alert_threshold"), 0.0, 1.0, step=STEP, format=pattern, key=rough,
            on_change=_take_over, args=(rough, exact),
        )  # fmt: skip
        st.number_input(
            t("manage.threshold_exact"), 0.0, 1.0, step=EXACT_STEP, format=f"%.{_EXACT_DIGITS}f", key=exact,
            on_change=_take_over, args=(exact, rough), width=_EXACT_PIXELS,
        )  # fmt: skip
    chosen: float = st.session_state[exact]
    keep("threshold", chosen, present)
    return chosen


def _take_over(source: str, target: str) -> None:
    st.session_state[target] = st.session_state[source]


def _told_threshold(present: float) -> float:
    value = told_number("threshold")
    return value if value is not None and 0 <= value <= 1 else present


def _digits(*values: float) -> int:
    """Give as many decimals as tell the values as they are."""
    return _DIGITS if all(round(value, _DIGITS) == value for value in values) else _EXACT_DIGITS


def _draw_change(model: ActiveModel, present: float, chosen: float) -> None:
    changes = []
    if chosen != present:
        digits = _digits(present, chosen)
        before, after = (number(value, digits) for value in (present, chosen))
        changes.append(Change(field="alert_threshold", value=chosen, before=before, after=after))
    draw_save(model, changes)


def _card(model: ActiveModel) -> ModelCard | None:
    """Give what the training service knows of it; without that the threshold can be set all the same."""
    try:
        return get_card(services().training, model.model_id)
    except ServiceError as error:
        show_error(error)
        return None


def _measured(card: ModelCard) -> list[CardThresholdPoint]:
    """Give the measured points; the model's own threshold lies between two of the curve, and is measured itself."""
    points = card.curves.threshold if card.curves else []
    own, alert, figures = card.thresholds.alert, card.confusion and card.confusion.at_alert_threshold, card.figures
    if not points or own is None or not alert or alert.precision is None or figures is None:
        return points
    exact = CardThresholdPoint(
        threshold=own, precision=alert.precision, recall=alert.recall, alerts_per_day=figures.alerts_per_day,
        expected_value_pct=figures.expected_value_pct,
    )  # fmt: skip
    rest = [point for point in points if abs(point.threshold - own) > _SAME]
    return sorted([*rest, exact], key=lambda one: one.threshold)


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
    words = t("manage.own", threshold=number(own, _digits(own))) if own is not None else t("manage.own_unknown")
    if once(st.button, words, icon=":material/restart_alt:", help=t("manage.own_help"), key=key("own", model)):
        before, after = number(model.alert_threshold, _digits(model.alert_threshold)), t("manage.own_value")
        keep("threshold", None)
        save(model, [Change(field="alert_threshold", value=None, before=before, after=after)])
