"""What an imported model predicts and what is sent of it: coins, phases, send modes, pauses."""

import re
from typing import get_args

import streamlit as st

from shared.contracts.fields import SendMode
from shared.contracts.model_settings import LONGEST_COOLDOWN_SECONDS
from shared.contracts.prediction import ActiveModel
from streamlit_ui.app_pages.changes import Change, draw_save, key
from streamlit_ui.client.jobs import list_phases
from streamlit_ui.client.transport import ServiceError
from streamlit_ui.formats import number
from streamlit_ui.session import services, t
from streamlit_ui.states import show_error

_COOLDOWNS = ("cooldown_alert_seconds", "cooldown_positive_seconds", "cooldown_negative_seconds")
_FIELD_PIXELS = 120
_STEP_SECONDS = 60
_AREA_PIXELS = 180


def draw(model: ActiveModel) -> None:
    """Draw the fields, and what was changed in them."""
    left, right = st.columns(2, gap="medium")
    with left, st.container(border=True):
        st.markdown(f"**{t('manage.what_is_sent')}**")
        st.caption(t("manage.what_is_sent_why" if model.mode == "live" else "manage.shadow_sends_nothing"))
        modes = _ask_send_modes(model)
        pauses = _ask_cooldowns(model)
    with right, st.container(border=True):
        st.markdown(f"**{t('manage.what_is_predicted')}**")
        st.caption(t("manage.what_is_predicted_why"))
        filters = _ask_coins(model)
        phases = _ask_phases(model)
    draw_save(model, [*modes, *pauses, *filters, *phases])


def _ask_send_modes(model: ActiveModel) -> list[Change]:
    chosen = st.pills(
        t("manage.field_send_modes"), get_args(SendMode), selection_mode="multi", default=model.send_modes,
        format_func=lambda one: t(f"manage.send_{one}"), key=key("send_modes", model), help=t("manage.send_modes_help"),
    )  # fmt: skip
    if set(chosen) == set(model.send_modes):
        return []
    before, after = (", ".join(t(f"manage.send_{one}") for one in modes) for modes in (model.send_modes, chosen))
    return [Change(field="send_modes", value=list(chosen), before=before, after=after or t("manage.nothing_sent"))]


def _ask_cooldowns(model: ActiveModel) -> list[Change]:
    found = []
    st.caption(t("manage.pauses"))
    with st.grid(3, min_column_width=_FIELD_PIXELS):
        for name in _COOLDOWNS:
            present: int = getattr(model, name)
            chosen = st.number_input(
                t(f"manage.field_{name}"), 0, LONGEST_COOLDOWN_SECONDS, present, step=_STEP_SECONDS,
                key=key(name, model), help=t("manage.cooldown_help"),
            )  # fmt: skip
            if chosen != present:
                before, after = (number(seconds, unit="s") for seconds in (present, chosen))
                found.append(Change(field=name, value=chosen, before=before, after=after))
    return found


def _ask_coins(model: ActiveModel) -> list[Change]:
    mode = st.segmented_control(
        t("manage.field_coin_filter_mode"), ("all", "whitelist"), default=model.coin_filter_mode, required=True,
        format_func=lambda one: t(f"manage.coins_{one}"), key=key("coins", model),
    )  # fmt: skip
    found = []
    if mode != model.coin_filter_mode:
        before, after = (t(f"manage.coins_{one}") for one in (model.coin_filter_mode, mode))
        found.append(Change(field="coin_filter_mode", value=mode, before=before, after=after))
    if mode != "whitelist":
        return found
    text = st.text_area(
        t("manage.field_coin_whitelist"), "\n".join(model.coin_whitelist), height=_AREA_PIXELS,
        key=key("whitelist", model), help=t("manage.whitelist_help"),
    )  # fmt: skip
    coins = list(dict.fromkeys(re.split(r"[\s,;]+", text.strip()))) if text.strip() else []
    st.caption(t("manage.coins", n=number(len(coins))))
    if coins != model.coin_whitelist:
        before, after = (t("manage.coins", n=number(len(some))) for some in (model.coin_whitelist, coins))
        found.append(Change(field="coin_whitelist", value=coins, before=before, after=after))
    return found


def _ask_phases(model: ActiveModel) -> list[Change]:
    names = _phase_names()
    present = sorted(model.phases or [])
    options = sorted({*names, *present})

    def words(phase: int) -> str:
        return names.get(phase, t("manage.phase", id=phase))

    chosen = sorted(
        st.multiselect(
            t("manage.field_phases"), options, default=present, format_func=words, key=key("phases", model),
            placeholder=t("manage.all_phases"), help=t("manage.phases_help"),
        )
    )  # fmt: skip
    if chosen == present:
        return []
    before, after = (", ".join(map(words, some)) or t("manage.all_phases") for some in (present, chosen))
    return [Change(field="phases", value=chosen or None, before=before, after=after)]


def _phase_names() -> dict[int, str]:
    try:
        return {phase.id: phase.name for phase in list_phases(services().training).phases}
    except ServiceError as error:
        show_error(error)
        return {}
