"""The page delivery: endpoints of webhooks, and every message to them."""

import streamlit as st

from streamlit_ui.address import select, told, told_id
from streamlit_ui.app_pages import (
    delivery_list,
    delivery_message,
    endpoint_cards,
    endpoint_detail,
    endpoint_form,
    endpoint_secret,
)
from streamlit_ui.formats import plain
from streamlit_ui.session import t
from streamlit_ui.states import guarded

VIEWS = ("endpoints", "messages", "receivers")


def render() -> None:
    """Draw the view that the address names."""
    endpoint_secret.show_fresh()
    delivery_id, endpoint_id = told_id("delivery"), told_id("endpoint")
    for name, id_ in (("delivery", delivery_id), ("endpoint", endpoint_id)):
        if id_ is None and (nonsense := told(name)):
            words = "delivery.no_message" if name == "delivery" else "delivery.no_endpoint"
            st.error(t(words, id=plain(nonsense)), icon=":material/search_off:")
    if delivery_id is not None:
        delivery_message.draw(delivery_id)
    elif told("new"):
        endpoint_form.draw_new()
    elif endpoint_id is not None and told("edit"):
        endpoint_form.draw_change(endpoint_id)
    elif endpoint_id is not None:
        endpoint_detail.draw(endpoint_id)
    else:
        _draw_all()


def _draw_all() -> None:
    st.title(t("places.delivery"))
    st.caption(t("delivery.about"))
    view = select(
        t("delivery.view"), VIEWS, name="view", words=lambda one: t(f"delivery.view_{one}"),
        widget=st.segmented_control, label_visibility="collapsed",
    )  # fmt: skip
    with guarded():
        match view:
            case "endpoints":
                endpoint_cards.draw()
            case "messages":
                delivery_list.draw()
            case _:
                endpoint_secret.draw_receivers()
