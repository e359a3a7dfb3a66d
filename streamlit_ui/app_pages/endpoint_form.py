"""The form of an endpoint, new or changed."""

from dataclasses import dataclass
from typing import Any, Final, get_args

import pandas as pd
import streamlit as st

from shared.contracts.fields import SendMode
from shared.contracts.webhook import LONGEST_LIFE_SECONDS, MASK, MOST_AT_ONCE, ChangeWebhook, NewWebhook, Webhook
from streamlit_ui.app_pages import endpoint_detail
from streamlit_ui.app_pages.delivery_words import title, to_view
from streamlit_ui.app_pages.endpoint_secret import Fresh, fresh_keeper
from streamlit_ui.app_pages.known_models import known_models, model_name
from streamlit_ui.client.webhooks import change_webhook, create_webhook
from streamlit_ui.formats import plain
from streamlit_ui.places import link
from streamlit_ui.session import services, t
from streamlit_ui.states import guarded, note, once

FORM_PIXELS: Final = 760
USUAL_AT_ONCE: Final = 8
MODES: Final[tuple[SendMode, ...]] = get_args(SendMode)
USUAL_MODES: Final[list[SendMode]] = ["alerts_only"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """What stands in the form."""

    url: str
    headers: dict[str, str]
    repeated: tuple[str, ...]
    """Names of headers that stand there more than once."""
    active_model_ids: list[int] | None
    send_modes: list[SendMode]
    expires_after_seconds: int | None
    max_concurrency: int

    def values(self) -> dict[str, Any]:
        """Give the fields as requests name them."""
        return {
            "url": self.url,
            "headers": self.headers,
            "active_model_ids": self.active_model_ids,
            "send_modes": self.send_modes,
            "expires_after_seconds": self.expires_after_seconds,
            "max_concurrency": self.max_concurrency,
        }


def draw_new() -> None:
    """Draw the form of a new endpoint."""
    link("delivery", t("delivery.all_endpoints"), icon=":material/arrow_back:")
    st.title(t("delivery.new"))
    filled = _form(None, action=t("delivery.create"))
    if filled is None or _is_repeated(filled):
        return
    with guarded():
        # Not judged here: what is wrong is told by the service, in one place and one way.
        keep = fresh_keeper()
        made = create_webhook(services().prediction, NewWebhook.model_construct(**filled.values()))
        keep(Fresh(endpoint=title(made), secret=made.secret))
        to_view(endpoint=made.id)


def draw_change(endpoint_id: int) -> None:
    """Draw the form of an endpoint that is there."""
    endpoint = endpoint_detail.known(endpoint_id)
    if endpoint is None:
        link("delivery", t("delivery.all_endpoints"), icon=":material/arrow_back:")
        return
    link("delivery", plain(title(endpoint)), icon=":material/arrow_back:", endpoint=endpoint_id)
    st.title(t("delivery.change_title"))
    filled = _form(endpoint, action=t("delivery.save"))
    if filled is None or _is_repeated(filled):
        return
    changed = changes(endpoint, filled)
    with guarded():
        if changed:
            change_webhook(services().prediction, endpoint_id, ChangeWebhook.model_construct(**changed))
            note(t("delivery.saved", endpoint=plain(title(endpoint))))
        else:
            note(t("delivery.nothing_changed"), icon=":material/info:")
        to_view(endpoint=endpoint_id)


def changes(endpoint: Webhook, filled: Filled) -> dict[str, Any]:
    """Give the fields that are to be set; stored values of headers are known by their mask alone."""
    before = endpoint.model_dump()
    return {
        name: value
        for name, value in filled.values().items()
        if (sorted(value) != sorted(before[name]) if name == "send_modes" else value != before[name])
    }


def read_headers(rows: pd.DataFrame) -> tuple[dict[str, str], tuple[str, ...]]:
    """Give the headers of the table, and the names that stand in it more than once; empty rows are none."""
    headers: dict[str, str] = {}
    repeated = []
    for name, value in zip(rows["name"], rows["value"], strict=True):
        name_text, value_text = ("" if pd.isna(part) else str(part).strip() for part in (name, value))
        if not name_text and not value_text:
            continue
        if name_text.lower() in {known.lower() for known in headers}:
            repeated.append(name_text)
        headers[name_text] = value_text
    return headers, tuple(repeated)


def _is_repeated(filled: Filled) -> bool:
    for name in filled.repeated:
        st.error(t("delivery.header_twice", name=plain(name)), icon=":material/block:")
    return bool(filled.repeated)


def _form(endpoint: Webhook | None, *, action: str) -> Filled | None:
    models = known_models((endpoint and endpoint.active_model_ids) or ())
    chosen = (endpoint and endpoint.active_model_ids) or []
    life = endpoint.expires_after_seconds if endpoint else None
    with st.form("endpoint", width=FORM_PIXELS):
        is_builtin = endpoint is not None and endpoint.is_builtin
        url = st.text_input(
            t("delivery.fact_url"), value=endpoint.url if endpoint else "", key="endpoint_url", disabled=is_builtin,
            placeholder="https://bot.example.com/pumpcast",
            help=t("delivery.url_builtin" if is_builtin else "delivery.url_help"),
        )  # fmt: skip
        modes = st.pills(
            t("delivery.fact_sends"), MODES, selection_mode="multi", key="endpoint_modes",
            default=endpoint.send_modes if endpoint else USUAL_MODES,
            format_func=lambda mode: t(f"delivery.mode_{mode}"), help=t("delivery.modes_help"),
        )  # fmt: skip
        ids = st.multiselect(
            t("delivery.fact_models"), sorted({*models, *chosen}, reverse=True), default=chosen, key="endpoint_models",
            format_func=lambda one: f"{model_name(models, one)} · #{one}", placeholder=t("delivery.all_models"),
            help=t("delivery.models_help"),
        )  # fmt: skip
        st.markdown(t("delivery.fact_headers"), help=t("delivery.headers_help"))
        rows = _headers_table(endpoint)
        left, right = st.columns(2)
        seconds = left.number_input(
            t("delivery.life_seconds"), min_value=1, max_value=LONGEST_LIFE_SECONDS, value=life, step=60,
            key="endpoint_life", placeholder=t("delivery.life_of_horizon"), help=t("delivery.life_help"),
        )  # fmt: skip
        at_once = right.number_input(
            t("delivery.fact_at_once"), min_value=1, max_value=MOST_AT_ONCE, key="endpoint_at_once",
            value=endpoint.max_concurrency if endpoint else USUAL_AT_ONCE, help=t("delivery.at_once_help"),
        )  # fmt: skip
        is_sent = once(st.form_submit_button, action, type="primary", key="endpoint_send")
    if not is_sent:
        return None
    headers, repeated = read_headers(rows)
    return Filled(
        url=url.strip(), headers=headers, repeated=repeated, active_model_ids=sorted(ids) or None,
        send_modes=list(modes), expires_after_seconds=seconds, max_concurrency=at_once,
    )  # fmt: skip


def _headers_table(endpoint: Webhook | None) -> pd.DataFrame:
    # An empty row invites to write in it.
    stored = dict.fromkeys(endpoint.headers, MASK) if endpoint and endpoint.headers else {"": ""}
    rows = pd.DataFrame({"name": list(stored), "value": list(stored.values())}, dtype="string")
    edited: pd.DataFrame = st.data_editor(
        rows, num_rows="dynamic", hide_index=True, key="endpoint_headers",
        column_config={
            "name": st.column_config.TextColumn(t("delivery.header_name"), width="medium"),
            "value": st.column_config.TextColumn(t("delivery.header_value"), width="large"),
        },
    )  # fmt: skip
    return edited
