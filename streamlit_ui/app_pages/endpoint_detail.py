"""One endpoint: how it is doing, what it is set to, and what can be done with it."""

from functools import partial
from typing import Final

import streamlit as st

from shared.contracts.webhook import Webhook, WebhookDetails
from streamlit_ui import formats
from streamlit_ui.address import told_id
from streamlit_ui.app_pages import endpoint_actions
from streamlit_ui.app_pages.delivery_list import draw_table
from streamlit_ui.app_pages.delivery_message import draw_trial
from streamlit_ui.app_pages.delivery_words import answer_words, endpoint_state, place_of, sends_words, title
from streamlit_ui.app_pages.first_answer import FirstAnswer
from streamlit_ui.app_pages.known_models import known_models, model_name
from streamlit_ui.client.missing import if_there
from streamlit_ui.client.webhooks import get_webhook, list_deliveries
from streamlit_ui.places import link
from streamlit_ui.session import services, t
from streamlit_ui.states import badge, empty, guarded, live

REFRESH_SECONDS: Final = 5
LATEST: Final = 20


def draw(endpoint_id: int) -> None:
    """Draw it."""
    link("delivery", t("delivery.all_endpoints"), icon=":material/arrow_back:")
    endpoint = known(endpoint_id)
    if endpoint is None:
        return
    st.title(formats.plain(title(endpoint)))
    endpoint_actions.draw(endpoint)
    if (trial := told_id("test")) is not None:
        with guarded():
            draw_trial(trial)
    _state(FirstAnswer(endpoint, ask=partial(_ask, endpoint_id)))
    with guarded():
        _facts(endpoint)
    st.subheader(t("delivery.latest"))
    _latest(endpoint_id)
    link("delivery", t("delivery.all_of_it"), icon=":material/filter_list:", view="messages", to=endpoint_id)


def _ask(endpoint_id: int) -> WebhookDetails:
    return get_webhook(services().prediction, endpoint_id)


def known(endpoint_id: int) -> WebhookDetails | None:
    """Give an endpoint; where there is none (any more), say so."""
    found = if_there(_ask, endpoint_id)
    if found is None:
        st.error(t("delivery.no_endpoint", id=endpoint_id), icon=":material/search_off:")
    return found


@live(REFRESH_SECONDS)
def _state(asked: FirstAnswer[WebhookDetails]) -> None:
    endpoint = asked.latest()
    level, words = endpoint_state(endpoint)
    parts = [badge(level, words)]
    if endpoint.is_builtin:
        parts.append(f":violet-badge[:material/hub: {t('delivery.builtin')}]")
    if endpoint.previous_secret_expires_at is not None:
        until = formats.moment(endpoint.previous_secret_expires_at, seconds=False)
        parts.append(f":blue-badge[:material/key: {t('delivery.two_sign', until=until)}]")
    st.markdown(" ".join(parts))
    if endpoint.disabled_reason:
        st.error(
            t("delivery.disabled_because", reason=formats.plain(endpoint.disabled_reason)), icon=":material/block:"
        )
    _day(endpoint)
    if (error := endpoint.last_error) is not None:
        with st.container(border=True):
            answer = answer_words(error.status_code, error.error)
            age = formats.age(error.created_at)
            st.markdown(t("delivery.last_error", answer=formats.plain(answer), attempt=error.attempt, age=age))
            link("delivery", t("delivery.open_message"), icon=":material/mail:", delivery=error.delivery_id)


def _day(endpoint: WebhookDetails) -> None:
    day = endpoint.last_24_hours
    ended = day.delivered + day.failed + day.expired
    grid = st.grid(4, min_column_width=150)
    grid.metric(
        t("delivery.metric_delivered"), formats.number(day.delivered), border=True, height="stretch",
        icon=":material/check_circle:", help=t("delivery.delivered_help"),
        delta=formats.share(day.delivered / ended) if ended else None, delta_color="off", delta_arrow="off",
    )  # fmt: skip
    for status, icon, count in (
        ("failed", "error", day.failed), ("expired", "timer_off", day.expired),
        ("pending", "hourglass_top", endpoint.pending),
    ):  # fmt: skip
        grid.metric(
            t(f"delivery.metric_{status}"), formats.number(count), border=True, height="stretch",
            icon=f":material/{icon}:",
            help=t(f"delivery.{status}_help"),
        )  # fmt: skip


def _facts(endpoint: Webhook) -> None:
    with st.expander(t("delivery.settings"), expanded=True, icon=":material/tune:"):
        left, right = st.columns(2)
        lines = (
            (left, "url", formats.code(place_of(endpoint.url))),
            (left, "sends", sends_words(endpoint)),
            (left, "models", _models(endpoint)),
            (left, "headers", ", ".join(formats.code(name) for name in endpoint.headers) or t("delivery.no_headers")),
            (right, "life", _life(endpoint)),
            (right, "at_once", formats.number(endpoint.max_concurrency)),
            (right, "last_taken", formats.age(endpoint.last_success_at)),
            (right, "created", formats.moment(endpoint.created_at)),
        )
        for column, name, value in lines:
            column.markdown(f":gray[{t(f'delivery.fact_{name}')}]  \n{value}")


def _life(endpoint: Webhook) -> str:
    seconds = endpoint.expires_after_seconds
    return t("delivery.life_of_horizon") if seconds is None else formats.duration(seconds)


def _models(endpoint: Webhook) -> str:
    ids = endpoint.active_model_ids
    if ids is None:
        return t("delivery.all_models")
    models = known_models(ids)
    return ", ".join(formats.plain(model_name(models, one)) for one in ids)


@live(REFRESH_SECONDS)
def _latest(endpoint_id: int) -> None:
    page = list_deliveries(services().prediction, limit=LATEST, endpoint_id=endpoint_id)
    if not page.deliveries:
        empty(t("delivery.no_messages"))
        return
    draw_table(page.deliveries, {})
