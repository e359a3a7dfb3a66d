"""The page predictions: what models say as they say it; a click opens the coin."""

from typing import Any, Final

import streamlit as st

from streamlit_ui.address import keep, told
from streamlit_ui.app_pages import coin, prediction_filters
from streamlit_ui.app_pages.known_models import known_models
from streamlit_ui.app_pages.prediction_table import table
from streamlit_ui.client.predictions import list_predictions
from streamlit_ui.formats import number
from streamlit_ui.places import link
from streamlit_ui.session import services, t
from streamlit_ui.states import badge, empty, guarded, live

ROWS: Final = 50
LIVE_SECONDS: Final = 2
_TABLE: Final = "predictions_table"
_LONGEST_COIN: Final = 100


def render() -> None:
    """Draw the page."""
    chosen = told("coin")
    if chosen is not None:
        coin.render(chosen[:_LONGEST_COIN])
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title(t("places.predictions"), width="stretch")
        wanted = st.text_input(
            t("predictions.find_coin"), placeholder=t("predictions.find_coin"), label_visibility="collapsed",
            icon=":material/search:", width=260, max_chars=_LONGEST_COIN,
        )  # fmt: skip
    if wanted.strip():
        _open(wanted.strip(), None)
    filters = prediction_filters.draw(known_models())
    cursor = told("cursor")
    is_live = _is_live(cursor)
    if is_live:
        _stream(filters)
    else:
        with guarded():
            _page(filters, cursor)


def _is_live(cursor: str | None) -> bool:
    if cursor is not None:
        return False
    is_paused = told("paused") == "1"
    with st.container(horizontal=True, vertical_alignment="center"):
        words = badge("off", t("predictions.paused")) if is_paused else badge("good", t("predictions.streaming"))
        st.markdown(words, width="content")
        label = t("predictions.resume" if is_paused else "predictions.pause")
        icon = ":material/play_arrow:" if is_paused else ":material/pause:"
        if st.button(label, icon=icon, type="tertiary", key="pause"):
            keep("paused", None if is_paused else "1")
            st.rerun()
    return not is_paused


@live(LIVE_SECONDS)
def _stream(filters: dict[str, Any]) -> None:
    _page(filters, None)


def _page(filters: dict[str, Any], cursor: str | None) -> None:
    page = list_predictions(services().prediction, limit=ROWS, cursor=cursor, **filters)
    if not page.predictions:
        _nothing(is_filtered=bool(filters))
        return
    models = known_models({one.active_model_id for one in page.predictions})
    opened = table(page.predictions, models, key=_TABLE)
    if opened is not None:
        _open(opened.coin_id, opened.id)
    with st.container(horizontal=True, vertical_alignment="center"):
        if cursor is not None and st.button(t("predictions.newest"), icon=":material/first_page:", key="newest"):
            keep("cursor", None)
            st.rerun()
        if page.next_cursor and st.button(
            t("predictions.older"), icon=":material/chevron_right:", icon_position="right", key="older"
        ):
            keep("cursor", page.next_cursor)
            st.rerun()
        alerts = sum(one.is_alert for one in page.predictions)
        st.caption(t("predictions.shown", rows=number(len(page.predictions)), alerts=number(alerts)), width="content")


def _open(coin_id: str, prediction_id: int | None) -> None:
    # Written at once, it is one step back.
    added = {"coin": coin_id, "prediction": prediction_id}
    st.query_params.update({name: str(value) for name, value in added.items() if value is not None})
    st.rerun()


def _nothing(*, is_filtered: bool) -> None:
    if is_filtered:
        empty(t("predictions.no_match"), icon=":material/filter_alt_off:")
        if st.button(t("predictions.clear"), icon=":material/close:", key="clear"):
            prediction_filters.clear()
            st.rerun()
        return
    empty(t("predictions.none"))
    link("import")
