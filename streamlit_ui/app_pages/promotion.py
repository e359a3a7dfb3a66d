"""Live or shadow: the line of a model, how a shadow does against the live one, who takes whose place, and the log."""

from typing import get_args

import streamlit as st

from shared.contracts.prediction import ActiveModel
from shared.contracts.promotions import MOST_PAIRS, AutoPromotion, Metric, Promote, Promotion
from streamlit_ui.app_pages import challenge
from streamlit_ui.app_pages.changes import Change, draw_save, key
from streamlit_ui.app_pages.known_models import model_name
from streamlit_ui.client.active_models import get_challenge, list_active, list_promotions, promote, roll_back
from streamlit_ui.formats import plain
from streamlit_ui.session import services, t
from streamlit_ui.states import confirm, empty, guarded, note
from streamlit_ui.tables import dataframe, moment_column

_SHARES = ("precision", "alert_precision")
_FIELD_PIXELS = 170
_LOG_ROWS = 50


def draw(model: ActiveModel) -> None:
    """Draw mode and line, the contest, and what was live when."""
    models = {one.id: one for one in list_active(services().prediction, include_inactive=True).models}
    log = list_promotions(services().prediction, active_model_id=model.id, limit=_LOG_ROWS).promotions
    if model.mode == "shadow" and model.is_active:
        _draw_contest(model, models)
    else:
        _draw_live(model, models, log)
    with st.container(border=True):
        _draw_fields(model, sorted({one.line for one in models.values() if one.line is not None}))
    _draw_log(log, models)


def _draw_contest(model: ActiveModel, models: dict[int, ActiveModel]) -> None:
    st.subheader(t("manage.contest"))
    if model.line is None:
        empty(t("manage.no_contest"))
    else:
        with guarded():
            challenge.draw(get_challenge(services().prediction, model.id), models)
    if st.button(t("manage.promote"), type="primary", icon=":material/publish:", help=t("manage.promote_help")):
        _ask_promote(model)


def _ask_promote(model: ActiveModel) -> None:
    reason = st.session_state.get(key("reason", model)) or None

    def do() -> None:
        promote(services().prediction, model.id, Promote(reason=reason) if reason else Promote())
        note(t("manage.promoted", name=plain(model.name)))

    words = (
        t("manage.promote_words", name=plain(model.name))
        if model.line
        else t("manage.promote_alone", name=plain(model.name))
    )
    confirm(t("manage.promote"), words, action=t("manage.promote"), do=do)


def _draw_live(model: ActiveModel, models: dict[int, ActiveModel], log: list[Promotion]) -> None:
    """Say why there is no contest, and offer to undo the promotion that made the model live."""
    if model.mode == "shadow":
        empty(t("manage.rests"))
        return
    last = next((one for one in log if one.action == "promote" and one.active_model_id == model.id), None)
    if last is None or any(one.undoes == last.id for one in log):
        return
    back = last.replaced_active_model_id
    returning = t("manage.roll_back_alone")
    if back is not None:
        returning = t("manage.roll_back_to", name=plain(model_name(models, back)))
    st.markdown(returning)
    if st.button(t("manage.roll_back"), icon=":material/undo:"):

        def do() -> None:
            roll_back(services().prediction, model.id, st.session_state.get(key("reason", model)) or None)
            note(t("manage.rolled_back", name=plain(model.name)))

        confirm(t("manage.roll_back"), returning, action=t("manage.roll_back"), do=do)


def _draw_fields(model: ActiveModel, lines: list[str]) -> None:
    st.markdown(f"**{t('manage.mode_and_line')}**")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        mode = st.segmented_control(
            t("manage.field_mode"), ("live", "shadow"), default=model.mode, required=True, key=key("mode", model),
            format_func=lambda one: t(f"model_states.{one}"), help=t("manage.mode_help"),
        )  # fmt: skip
        line = st.selectbox(
            t("manage.field_line"), lines, index=None if model.line is None else lines.index(model.line),
            key=key("line", model), accept_new_options=True, placeholder=t("manage.no_line"),
            help=t("manage.line_help"), width=260,
        )  # fmt: skip
        reason = st.text_input(
            t("manage.field_reason"), key=key("reason", model), help=t("manage.reason_help"), width=320, max_chars=1000
        )
    changes = []
    if mode != model.mode:
        before, after = (t(f"model_states.{one}") for one in (model.mode, mode))
        changes.append(Change(field="mode", value=mode, before=before, after=after))
    if (line or None) != model.line:
        before, after = (one or t("manage.no_line") for one in (model.line, line))
        changes.append(Change(field="line", value=line or None, before=before, after=after))
    if mode == "shadow":
        changes += _ask_auto(model)
    draw_save(model, changes, reason=reason)


def _ask_auto(model: ActiveModel) -> list[Change]:
    present = model.auto_promotion
    is_on = st.toggle(
        t("manage.field_auto_promotion"), present is not None, key=key("auto", model), help=t("manage.auto_help")
    )
    chosen = _ask_conditions(model) if is_on else None
    if chosen == present:
        return []
    before, after = (t("manage.never") if one is None else challenge.condition(one) for one in (present, chosen))
    value = None if chosen is None else chosen.model_dump()
    return [Change(field="auto_promotion", value=value, before=before, after=after)]


def _ask_conditions(model: ActiveModel) -> AutoPromotion:
    present = model.auto_promotion or AutoPromotion(metric="alert_precision", margin=0.02, min_outcomes=200)
    metrics = get_args(Metric)
    with st.grid(3, min_column_width=_FIELD_PIXELS):
        metric: Metric = st.selectbox(
            t("manage.auto_metric"), metrics, index=metrics.index(present.metric), key=key("auto_metric", model),
            format_func=lambda one: t(f"manage.metric_{one}"),
        )  # fmt: skip
        # A share is asked for in percentage points; the service takes 0..1.
        factor = 100.0 if metric in _SHARES else 1.0
        least, most = (0.0001, 1.0) if metric == "brier" else (0.01, 100.0)
        start = present.margin * factor if metric == present.metric else least * 100
        margin = st.number_input(
            t(f"manage.auto_margin_{'points' if metric != 'brier' else 'brier'}"), least, most,
            min(max(start, least), most), step=least * 100, format="%.4f" if metric == "brier" else "%.2f",
            key=key(f"auto_margin_{metric}", model), help=t("manage.auto_margin_help"),
        )  # fmt: skip
        outcomes = st.number_input(
            t("manage.auto_outcomes"), 1, MOST_PAIRS, present.min_outcomes, step=50, key=key("auto_outcomes", model),
            help=t("manage.auto_outcomes_help"),
        )  # fmt: skip
    return AutoPromotion(metric=metric, margin=round(margin / factor, 8), min_outcomes=int(outcomes))


def _draw_log(log: list[Promotion], models: dict[int, ActiveModel]) -> None:
    st.subheader(t("manage.log"))
    if not log:
        empty(t("manage.no_log"))
        return
    dataframe(
        {
            t("manage.log_when"): [one.created_at for one in log],
            t("manage.log_action"): [t(f"manage.action_{one.action}") for one in log],
            t("manage.name"): [model_name(models, one.active_model_id) for one in log],
            t("manage.log_replaced"): [
                "" if one.replaced_active_model_id is None else model_name(models, one.replaced_active_model_id)
                for one in log
            ],
            t("manage.field_line"): [one.line or "" for one in log],
            t("manage.log_by"): [one.made_by for one in log],
            t("manage.field_reason"): [one.reason or "" for one in log],
        },
        hide_index=True,
        column_config={
            t("manage.log_when"): moment_column(),
            t("manage.field_reason"): st.column_config.TextColumn(width="large"),
        },
    )
