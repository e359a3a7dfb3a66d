"""Messages to endpoints: chosen by the address, page by page, kept up to date."""

from collections.abc import Sequence
from typing import Any, Final, Literal, get_args

import pandas as pd
import streamlit as st

from shared.contracts.deliveries import Delivery, DeliveryStatus, EventType
from shared.contracts.webhook import Webhook
from streamlit_ui import formats
from streamlit_ui.address import keep, select, told, told_id
from streamlit_ui.app_pages.delivery_words import SIGNS, answer_words, status_words, title, to_view, type_words
from streamlit_ui.app_pages.known_models import known_models, model_name
from streamlit_ui.app_pages.told_times import pick_moment
from streamlit_ui.client.webhooks import list_deliveries, list_webhooks
from streamlit_ui.session import services, t, zone
from streamlit_ui.states import empty, live
from streamlit_ui.tables import dataframe, moment_column

REFRESH_SECONDS: Final = 3
PER_PAGE: Final = 50
ROW_PIXELS: Final = 35
MOST_ROWS: Final = 15
"""Seen at once; the rest is scrolled to."""
STATUSES: Final[tuple[Literal["any"] | DeliveryStatus, ...]] = ("any", *get_args(DeliveryStatus))
TYPES: Final[tuple[EventType, ...]] = get_args(EventType)
STEP_SECONDS: Final = 60
"""Of the moments to choose from."""
_TABLE: Final = "deliveries"
_DRAWN: Final = "deliveries_drawn"


def draw() -> None:
    """Draw what to show, and that."""
    endpoints = {one.id: one for one in list_webhooks(services().prediction).webhooks}
    _page(_filters(endpoints), endpoints)


def _filters(endpoints: dict[int, Webhook]) -> dict[str, Any]:
    models = known_models()
    grid = st.grid(min_column_width=170)
    with grid:
        to = select(
            t("delivery.endpoint"), [0, *endpoints], name="to",
            words=lambda one: title(endpoints[one]) if one else t("delivery.any"),
        )  # fmt: skip
        status = select(
            t("delivery.status"), STATUSES, name="status",
            words=lambda one: t("delivery.any") if one == "any" else f"{SIGNS[one]} {status_words(one)}",
        )  # fmt: skip
        kind = select(
            t("delivery.type"), ["", *TYPES], name="type",
            words=lambda one: t(f"delivery.type_{one.replace('.', '_')}") if one else t("delivery.any"),
        )  # fmt: skip
        model = select(
            t("delivery.model"), sorted({0, told_id("model") or 0, *models}), name="model",
            words=lambda one: model_name(models, one) if one else t("delivery.any"),
        )  # fmt: skip
        coin = st.text_input(
            t("delivery.coin"), value=told("coin") or "", key="pick_coin", placeholder=t("delivery.any")
        ).strip()
        keep("coin", coin)
        since, until = (
            pick_moment(name, t(f"delivery.{name}", clock=zone().key), step_seconds=STEP_SECONDS)
            for name in ("since", "until")
        )
    return {
        "endpoint_id": to or None, "status": None if status == "any" else status, "event_type": kind or None,
        "active_model_id": model or None, "coin_id": coin or None,
        "date_from": since, "date_to": until,
    }  # fmt: skip


@live(REFRESH_SECONDS)
def _page(filters: dict[str, Any], endpoints: dict[int, Webhook]) -> None:
    cursor = told("cursor")
    if cursor and st.session_state.get("deliveries_of") != filters and "deliveries_of" in st.session_state:
        # A page is one of a list: with another list, it starts anew.
        cursor = None
        keep("cursor", None)
    st.session_state["deliveries_of"] = filters
    page = list_deliveries(services().prediction, limit=PER_PAGE, cursor=cursor, **filters)
    if not page.deliveries:
        empty(t("delivery.no_messages_so" if any(filters.values()) else "delivery.no_messages"))
    else:
        draw_table(page.deliveries, {key: title(one) for key, one in endpoints.items()})
    with st.container(horizontal=True, vertical_alignment="center"):
        if cursor and st.button(t("delivery.newest"), icon=":material/first_page:", key="deliveries_newest"):
            keep("cursor", None)
            st.rerun()
        if page.next_cursor and st.button(t("delivery.older"), icon=":material/chevron_right:", key="deliveries_older"):
            keep("cursor", page.next_cursor)
            st.rerun()
        st.caption(t("delivery.page_older" if cursor else "delivery.page_newest", count=len(page.deliveries)))


def draw_table(deliveries: Sequence[Delivery], endpoints: dict[int, str]) -> None:
    """Draw messages as a table, `endpoints` by their id where they differ; a row opens its message."""
    _open_chosen()
    st.session_state[_DRAWN] = [one.id for one in deliveries]
    needed = {number for one in deliveries for number in one.active_model_ids or ()}
    models = known_models(needed)
    rows = pd.DataFrame(
        {
            "written": [one.created_at for one in deliveries],
            "status": [f"{SIGNS[one.status]} {status_words(one.status)}" for one in deliveries],
            "type": [type_words(one) for one in deliveries],
            "endpoint": [endpoints.get(one.endpoint_id, f"#{one.endpoint_id}") for one in deliveries],
            "models": [", ".join(model_name(models, number) for number in one.active_model_ids or ()) or formats.NOTHING
                       for one in deliveries],
            "coin": [one.coin_id or formats.NOTHING for one in deliveries],
            "answer": [answer_words(one.last_status_code, one.last_error) for one in deliveries],
            "attempts": [one.attempts for one in deliveries],
            "took": [_took(one) for one in deliveries],
        }
    )  # fmt: skip
    dataframe(
        rows, hide_index=True, key=_TABLE, on_select="rerun", selection_mode="single-row",
        height=ROW_PIXELS * (min(len(rows), MOST_ROWS) + 1) + 3,
        row_height=ROW_PIXELS,
        column_order=[name for name in rows.columns if name != "endpoint" or endpoints],
        column_config={
            "written": moment_column(t("delivery.column_written", clock=zone().key), width=150),
            "status": st.column_config.TextColumn(t("delivery.status"), width=110),
            "type": st.column_config.TextColumn(t("delivery.type"), width=90),
            "endpoint": st.column_config.TextColumn(t("delivery.endpoint"), width="medium"),
            "models": st.column_config.TextColumn(t("delivery.column_models"), width="medium"),
            "coin": st.column_config.TextColumn(t("delivery.coin"), width=130),
            "answer": st.column_config.TextColumn(t("delivery.column_answer"), width=110),
            "attempts": st.column_config.NumberColumn(t("delivery.column_attempts"), width=80),
            "took": st.column_config.TextColumn(t("delivery.column_took"), width=100),
        },
    )  # fmt: skip
    st.caption(t("delivery.row_opens"))


def _took(delivery: Delivery) -> str:
    """Give how long it took from writing it until it was taken; after a resend it is counted from there."""
    if delivery.delivered_at is None:
        return formats.NOTHING
    passed = (delivery.delivered_at - (delivery.resent_at or delivery.created_at)).total_seconds()
    return formats.number(passed, 2, "s")


def _open_chosen() -> None:
    """Open the row that was clicked: of the list as it was when it was clicked, not of the one that came since."""
    chosen = st.session_state.get(_TABLE, {}).get("selection", {}).get("rows", [])
    drawn: list[int] = st.session_state.get(_DRAWN, [])
    if chosen and chosen[0] < len(drawn):
        to_view(delivery=drawn[chosen[0]])
