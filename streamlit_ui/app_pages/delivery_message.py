"""One message: what it says, every attempt at it, and sending it again."""

from collections.abc import Sequence
from functools import partial
from typing import Final

import pandas as pd
import streamlit as st
from pydantic import ValidationError

from shared.contracts.deliveries import DeliveryAttempt, DeliveryDetails
from shared.contracts.webhook import PredictionMessage, SentPrediction
from streamlit_ui import formats
from streamlit_ui.app_pages.delivery_words import (
    answer_words,
    milliseconds,
    place_of,
    status_badge,
    title,
    type_words,
    was_taken,
)
from streamlit_ui.app_pages.first_answer import FirstAnswer
from streamlit_ui.charts.delivery import attempts_over_time
from streamlit_ui.client.missing import if_there
from streamlit_ui.client.transport import Refused
from streamlit_ui.client.webhooks import get_delivery, get_webhook, resend
from streamlit_ui.places import link
from streamlit_ui.session import services, t, zone
from streamlit_ui.states import Level, badge, guarded, live, note, once
from streamlit_ui.tables import dataframe

REFRESH_SECONDS: Final = 2
MOST_ATTEMPTS: Final = 15
"""Shown one by one, the newest first; the chart shows all."""
SHORT_RESPONSE: Final = 80
"""An answer of so many characters stands in the line of its attempt."""


def draw(delivery_id: int) -> None:
    """Draw it; while it is on its way, again and again."""
    link("delivery", t("delivery.view_messages"), icon=":material/arrow_back:", view="messages")
    delivery = _known(delivery_id)
    if delivery is None:
        return
    left, right = st.columns([3, 1], vertical_alignment="center")
    left.title(t("delivery.message", id=delivery_id))
    is_pending = delivery.status == "pending"
    if once(
        right.button, t("delivery.resend"), icon=":material/replay:", key="resend", width="stretch",
        disabled=is_pending, help=t("delivery.resend_pending" if is_pending else "delivery.resend_help"),
    ):  # fmt: skip
        with guarded():
            resend(services().prediction, delivery_id)
            note(t("delivery.resent"), icon=":material/replay:")
            st.rerun()
    if is_pending:
        _on_its_way(FirstAnswer(delivery, ask=partial(_ask, delivery_id)))
    else:
        _came_of_it(delivery)
    _says(delivery)
    st.subheader(t("delivery.body"))
    st.json(delivery.body, expanded=2)


def _ask(delivery_id: int) -> DeliveryDetails:
    return get_delivery(services().prediction, delivery_id)


def _known(delivery_id: int) -> DeliveryDetails | None:
    found = if_there(_ask, delivery_id)
    if found is None:
        st.error(t("delivery.no_message", id=delivery_id), icon=":material/search_off:")
    return found


def draw_trial(delivery_id: int) -> None:
    """Draw what came of a test event."""
    with st.container(border=True):
        st.markdown(f"**{t('delivery.trial')}**")
        _trial(delivery_id)
        link("delivery", t("delivery.open_message"), icon=":material/mail:", delivery=delivery_id)


@live(1)
def _trial(delivery_id: int) -> None:
    delivery = _ask(delivery_id)
    st.markdown(status_badge(delivery.status))
    if delivery.attempt_log:
        last = delivery.attempt_log[-1]
        answer = answer_words(last.status_code, last.error)
        st.markdown(t("delivery.trial_answer", answer=formats.plain(answer), duration=milliseconds(last.duration_ms)))
    if delivery.status == "pending":
        st.caption(t("delivery.trial_next", moment=formats.moment(delivery.next_attempt_at)))


@live(REFRESH_SECONDS)
def _on_its_way(asked: FirstAnswer[DeliveryDetails]) -> None:
    delivery = asked.latest()
    if delivery.status != "pending":
        st.rerun()
    _came_of_it(delivery)


def _came_of_it(delivery: DeliveryDetails) -> None:
    st.markdown(f"{status_badge(delivery.status)} :gray-badge[{type_words(delivery)}]")
    _facts(delivery)
    st.subheader(t("delivery.attempts"))
    _attempts(delivery.attempt_log)


def _facts(delivery: DeliveryDetails) -> None:
    lines = [
        ("endpoint", _endpoint(delivery.endpoint_id)),
        ("coin_row", formats.code(delivery.coin_id or formats.NOTHING)),
        ("row_time", formats.moment(delivery.data_timestamp)),
        ("webhook_id", formats.code(delivery.webhook_id)),
        ("written", formats.moment(delivery.created_at)),
        ("expires", formats.moment(delivery.expires_at)),
    ]
    if delivery.delivered_at is not None:
        lines.append(("taken", formats.moment(delivery.delivered_at)))
    if delivery.status == "pending":
        lines.append(("next", formats.moment(delivery.next_attempt_at)))
    if delivery.resent_at is not None:
        lines.append(("resent", formats.moment(delivery.resent_at)))
    with st.container(border=True):
        grid = st.grid(min_column_width=260)
        for name, value in lines:
            grid.markdown(f":gray[{t(f'delivery.fact_{name}')}]  \n{value}")
        with st.container(horizontal=True):
            link("delivery", t("delivery.open_endpoint"), icon=":material/webhook:", endpoint=delivery.endpoint_id)
            if delivery.coin_id:
                link("predictions", t("delivery.open_coin"), coin=delivery.coin_id)


def _endpoint(endpoint_id: int) -> str:
    try:
        return formats.code(title(get_webhook(services().prediction, endpoint_id)))
    except Refused:
        # Its messages are gone with it, but not at the very moment.
        return f"#{endpoint_id}"


def _attempts(attempts: Sequence[DeliveryAttempt]) -> None:
    if not attempts:
        st.caption(t("delivery.no_attempt_yet"))
        return
    if len(attempts) > 1:
        chart = attempts_over_time(_rows(attempts), _titles(), zone())
        st.altair_chart(chart, alt=t("delivery.attempts_alt", count=len(attempts)))
    with st.container(border=True):
        for attempt in reversed(attempts[-MOST_ATTEMPTS:]):
            _attempt(attempt, is_moved=attempt.url != attempts[-1].url)
    if len(attempts) > MOST_ATTEMPTS:
        st.caption(t("delivery.more_attempts", count=len(attempts) - MOST_ATTEMPTS))


def _attempt(attempt: DeliveryAttempt, *, is_moved: bool) -> None:
    words = answer_words(attempt.status_code, attempt.error)
    level: Level = "good" if was_taken(attempt) else "bad"
    line = (
        f"{badge(level, formats.plain(words))} **{t('delivery.attempt', number=attempt.attempt)}** · "
        f"{formats.moment(attempt.created_at)} · {milliseconds(attempt.duration_ms)}"
    )
    response = (attempt.response or "").strip()
    is_short = len(response.splitlines()) == 1 and len(response) <= SHORT_RESPONSE
    if response and is_short:
        line += f" · {formats.code(response)}"
    if is_moved:
        line += f"  \n:gray[{t('delivery.moved', url=formats.plain(place_of(attempt.url)))}]"
    st.markdown(line)
    if attempt.error and attempt.status_code is not None:
        st.caption(formats.plain(attempt.error))
    if response and not is_short:
        st.code(response, language=None, wrap_lines=True)


def _rows(attempts: Sequence[DeliveryAttempt]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "at": [one.created_at.astimezone(zone()).replace(tzinfo=None) for one in attempts],
            "duration": [one.duration_ms for one in attempts],
            "result": [t("delivery.took" if was_taken(one) else "delivery.refused") for one in attempts],
            "answer": [answer_words(one.status_code, one.error) for one in attempts],
            "attempt": [one.attempt for one in attempts],
        }
    )


def _titles() -> dict[str, str]:
    names = ("at", "duration", "result", "answer", "attempt", "took", "refused")
    return {name: t(f"delivery.chart_{name}") for name in names[:5]} | {
        name: t(f"delivery.{name}") for name in names[5:]
    }


def _says(delivery: DeliveryDetails) -> None:
    try:
        message = PredictionMessage.model_validate(delivery.body)
    except ValidationError:
        # A test event holds none, and what another version of the service wrote stands below as it is.
        return
    st.subheader(t("delivery.says"))
    said: list[SentPrediction] = message.data.predictions
    dataframe(
        pd.DataFrame(
            {
                "model": [one.model.custom_name or one.model.name for one in said],
                "probability": [one.probability * 100 for one in said],
                "threshold": [one.alert_threshold * 100 for one in said],
                "alert": [t("delivery.is_alert" if one.is_alert else "delivery.no_alert") for one in said],
            }
        ),
        hide_index=True,
        column_config={
            "model": st.column_config.TextColumn(t("delivery.model")),
            "probability": st.column_config.ProgressColumn(
                t("delivery.column_probability"), format="%.1f %%", min_value=0, max_value=100
            ),
            "threshold": st.column_config.NumberColumn(t("delivery.column_threshold"), format="%.1f %%"),
            "alert": st.column_config.TextColumn(t("delivery.column_alert")),
        },
    )
