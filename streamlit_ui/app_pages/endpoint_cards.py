"""All endpoints as cards: how each is doing, and what came of its last day."""

import math
from typing import Final

import streamlit as st

from shared.contracts.deliveries import DeliveryStatus
from shared.contracts.webhook import Webhook, WebhookDetails
from streamlit_ui import formats
from streamlit_ui.address import keep, told_id
from streamlit_ui.app_pages.delivery_words import (
    answer_words,
    endpoint_state,
    sends_words,
    status_badge,
    title,
    to_view,
)
from streamlit_ui.client.webhooks import get_webhook, list_webhooks
from streamlit_ui.places import link
from streamlit_ui.session import services, t
from streamlit_ui.states import Level, badge, empty, live

REFRESH_SECONDS: Final = 5
PER_PAGE: Final = 8
"""Each is asked about on its own: what came of a day is counted by the database."""
CARD_PIXELS: Final = 330


def draw() -> None:
    """Draw the way to a new endpoint, and those there are."""
    if st.button(t("delivery.new"), type="primary", icon=":material/add:", key="new_endpoint"):
        to_view(new=1)
    _cards()


@live(REFRESH_SECONDS)
def _cards() -> None:
    prediction = services().prediction
    found = sorted(list_webhooks(prediction).webhooks, key=_urgency)
    if not found:
        empty(t("delivery.no_endpoints"), icon=":material/webhook:")
        return
    st.markdown(_summary(found))
    pages = math.ceil(len(found) / PER_PAGE)
    chosen = min(told_id("page") or 1, pages)
    if pages > 1:
        chosen = st.pagination(pages, default=chosen, key="endpoint_page")
    keep("page", chosen, 1)
    grid = st.grid(min_column_width=CARD_PIXELS)
    for one in found[(chosen - 1) * PER_PAGE : chosen * PER_PAGE]:
        with grid.container(border=True, height="stretch"):
            _card(get_webhook(prediction, one.id))


def _urgency(endpoint: Webhook) -> tuple[int, int]:
    level, _ = endpoint_state(endpoint)
    # What fails stands first; whatever changes by the second must not make the cards jump.
    return 0 if level == "bad" else 1, endpoint.id


def _summary(found: list[Webhook]) -> str:
    levels = [endpoint_state(one)[0] for one in found]
    counted: tuple[Level, ...] = ("bad", "warning", "good", "busy", "off")
    parts = [
        badge(level, t(f"delivery.count_{level}", count=levels.count(level))) for level in counted if level in levels
    ]
    return " ".join(parts)


def _card(endpoint: WebhookDetails) -> None:
    level, words = endpoint_state(endpoint)
    st.markdown(f"**{formats.code(title(endpoint))}**  \n{badge(level, words)}")
    st.markdown(day_badges(endpoint))
    st.caption(
        t(
            "delivery.card_facts", sends=sends_words(endpoint), models=models_count(endpoint),
            last=formats.age(endpoint.last_success_at),
        )
    )  # fmt: skip
    if endpoint.disabled_reason:
        st.markdown(f":red[{formats.plain(endpoint.disabled_reason)}]")
    if (error := endpoint.last_error) is not None:
        answer = answer_words(error.status_code, error.error)
        st.caption(t("delivery.card_error", answer=formats.plain(answer), age=formats.age(error.created_at)))
    link("delivery", t("delivery.open"), icon=":material/arrow_forward:", endpoint=endpoint.id)


def day_badges(endpoint: WebhookDetails) -> str:
    """Give what came of the messages of 24 hours, each with its sign and word; none of a kind is grey."""
    day = endpoint.last_24_hours
    counts: tuple[tuple[DeliveryStatus, int], ...] = (
        ("delivered", day.delivered), ("failed", day.failed), ("expired", day.expired), ("pending", endpoint.pending),
    )  # fmt: skip
    return " ".join(status_badge(status, formats.number(count), is_grey=not count) for status, count in counts)


def models_count(endpoint: Webhook) -> str:
    """Give how many models an endpoint covers."""
    ids = endpoint.active_model_ids
    return t("delivery.all_models") if ids is None else t("delivery.some_models", count=len(ids))
