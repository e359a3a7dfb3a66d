"""What can be done with an endpoint; whatever cannot be undone asks first."""

from datetime import datetime, timedelta
from functools import partial

import streamlit as st

from shared.contracts.webhook import ChangeWebhook, Webhook
from streamlit_ui import formats
from streamlit_ui.app_pages.delivery_words import title, to_view
from streamlit_ui.app_pages.endpoint_secret import Fresh, fresh_keeper
from streamlit_ui.client import webhooks
from streamlit_ui.session import services, t, zone
from streamlit_ui.states import confirm, guarded, note, once, release

DEFAULT_LOOK_BACK = timedelta(hours=1)


def draw(endpoint: Webhook) -> None:
    """Draw a button for each."""
    with st.container(horizontal=True):
        trial = once(st.button, t("delivery.test"), icon=":material/send:", type="primary", key="test_endpoint")
        change = st.button(t("delivery.change"), icon=":material/edit:", key="change_endpoint")
        if endpoint.enabled:
            switch = st.button(t("delivery.switch_off"), icon=":material/pause:", key="switch_endpoint")
        else:
            switch = once(st.button, t("delivery.switch_on"), icon=":material/play_arrow:", key="switch_endpoint")
        recover = st.button(t("delivery.recover"), icon=":material/history:", key="recover_endpoint")
        rotate = st.button(t("delivery.rotate"), icon=":material/key:", key="rotate_endpoint")
        delete = st.button(
            t("delivery.delete"), icon=":material/delete:", key="delete_endpoint", disabled=endpoint.is_builtin,
            help=t("delivery.builtin_stays") if endpoint.is_builtin else None,
        )  # fmt: skip
    with guarded():
        if trial:
            sent = webhooks.send_test(services().prediction, endpoint.id)
            to_view(endpoint=endpoint.id, test=sent.id)
        if change:
            to_view(endpoint=endpoint.id, edit=1)
        if switch:
            _switch(endpoint)
    if recover:
        _ask_since(endpoint)
    if rotate:
        confirm(
            t("delivery.rotate_title"), t("delivery.rotate_words", endpoint=formats.plain(title(endpoint))),
            action=t("delivery.rotate_action"), do=partial(_rotate, endpoint),
        )  # fmt: skip
    if delete:
        confirm(
            t("delivery.delete_title"), t("delivery.delete_words", endpoint=formats.plain(title(endpoint))),
            action=t("delivery.delete"), typed=title(endpoint), do=partial(_delete, endpoint),
        )  # fmt: skip


def _switch(endpoint: Webhook) -> None:
    if endpoint.enabled:
        confirm(
            t("delivery.off_title"), t("delivery.off_words", endpoint=formats.plain(title(endpoint))),
            action=t("delivery.switch_off"), do=partial(_set_enabled, endpoint, is_on=False),
        )  # fmt: skip
        return
    _set_enabled(endpoint, is_on=True)
    st.rerun()


def _set_enabled(endpoint: Webhook, *, is_on: bool) -> None:
    webhooks.change_webhook(services().prediction, endpoint.id, ChangeWebhook(enabled=is_on))
    note(t("delivery.switched_on" if is_on else "delivery.switched_off", endpoint=formats.plain(title(endpoint))))


def _rotate(endpoint: Webhook) -> None:
    keep = fresh_keeper()
    made = webhooks.rotate_secret(services().prediction, endpoint.id)
    keep(Fresh(endpoint=title(endpoint), secret=made.secret, words=made.message))


def _delete(endpoint: Webhook) -> None:
    webhooks.delete_webhook(services().prediction, endpoint.id)
    note(t("delivery.deleted", endpoint=formats.plain(title(endpoint))))
    to_view()


def _ask_since(endpoint: Webhook) -> None:
    """Ask since when what was lost goes out again, and say how many messages that were."""

    @st.dialog(t("delivery.recover_title"), icon=":material/history:")
    def asking() -> None:
        st.markdown(t("delivery.recover_words"))
        first = datetime.now(zone()).replace(second=0, microsecond=0, tzinfo=None) - DEFAULT_LOOK_BACK
        since = st.datetime_input(
            t("delivery.recover_since", clock=zone().key), value=first, step=60, key="recover_since",
            format="YYYY-MM-DD",
        )  # fmt: skip
        if once(st.button, t("delivery.recover_action"), type="primary", key="recover_do", width="stretch") and since:
            with guarded():
                done = webhooks.recover(services().prediction, endpoint.id, since=since.replace(tzinfo=zone()))
                _say_recovered(done.recovered, more=done.more)
        release("recover_do")
        if st.button(t("delivery.close"), key="recover_close", width="stretch"):
            st.rerun()

    asking()


def _say_recovered(count: int, *, more: bool) -> None:
    if not count:
        st.info(t("delivery.recovered_none"), icon=":material/inbox:")
    else:
        st.success(t("delivery.recovered", count=formats.number(count)), icon=":material/check:")
    if more:
        st.warning(t("delivery.recovered_more"), icon=":material/more_horiz:")
