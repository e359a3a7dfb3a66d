"""The page overview: what needs attention first, then how much and how well, what is active, what came last."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import streamlit as st

from shared.contracts.prediction import ActiveModel, Prediction
from shared.contracts.statistics import ModelStatistics
from streamlit_ui.address import select
from streamlit_ui.app_pages import key_figures
from streamlit_ui.app_pages.attention import Finding, find
from streamlit_ui.app_pages.key_figures import precision_words
from streamlit_ui.app_pages.known_models import forget_models, known_models, model_name
from streamlit_ui.app_pages.live_periods import LivePeriod, live_periods
from streamlit_ui.app_pages.model_states import mode_badge
from streamlit_ui.app_pages.prediction_table import table
from streamlit_ui.app_pages.questions import question
from streamlit_ui.app_pages.situations import MOST_MODELS, Overview, look, side_by_side
from streamlit_ui.charts.activity import Stretch, live_chart
from streamlit_ui.client.active_models import deactivate, get_statistics, list_promotions
from streamlit_ui.client.predictions import list_predictions
from streamlit_ui.client.transport import Unreachable
from streamlit_ui.formats import age, code, compact, duration, number, plain, share, size
from streamlit_ui.places import Name, go, link
from streamlit_ui.session import services, t
from streamlit_ui.states import badge, confirm, empty, live, note, show_error

MOST_FINDINGS: Final = 6
MOST_ALERTS: Final = 10
MOST_PERIODS: Final = 8
MOST_CHANGES: Final = 200
LONGEST_REASON: Final = 66
_ASKED: Final = "overview_deactivate"


def render() -> None:
    """Draw the page."""
    st.title(t("places.overview"))
    _ask_first()
    _state()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(t("overview.last_alerts"), width="stretch")
        which = select(
            t("overview.which_alerts"), ["newest", "decided"], name="alerts", widget=st.segmented_control,
            words=lambda one: t(f"overview.alerts_{one}"), label_visibility="collapsed",
        )  # fmt: skip
    _alerts(which)
    st.subheader(t("overview.live_when"), help=t("overview.live_when_help"))
    _periods()


@live(10)
def _state() -> None:
    seen = look()
    is_new = _is_new(seen)
    if is_new:
        _how_to_begin(seen)
    _attention(find(seen.situation), seen)
    if seen.error is not None:
        show_error(seen.error)
        return
    if seen.situation.service is not None and not is_new:
        key_figures.draw(seen.situation.service, seen.situation.statistics, models=len(seen.situation.models))
    if not is_new:
        _models(seen)


def _is_new(seen: Overview) -> bool:
    """Tell whether nothing was ever imported here."""
    return seen.error is None and not seen.situation.models and not known_models()


def _how_to_begin(seen: Overview) -> None:
    with st.container(border=True, key="how_to_begin"):
        st.subheader(t("overview.begin"))
        steps: list[tuple[Name, bool]] = [("train", seen.has_trained), ("import", False)]
        for place, (name, is_done) in enumerate(steps, 1):
            with st.container(horizontal=True, vertical_alignment="center"):
                sign = ":green[:material/check_circle:]" if is_done else f"**{place}.**"
                st.markdown(f"{sign} {t(f'overview.begin_{name}')}", width="stretch")
                link(name)
        st.markdown(f"**3.** {t('overview.begin_watch')}")


def _attention(findings: Sequence[Finding], seen: Overview) -> None:
    models = len(seen.situation.models)
    if seen.error is None and seen.looked_at < models:
        st.caption(t("attention.looked_at", looked_at=number(seen.looked_at), models=number(models)))
    elif not findings:
        st.success(t("attention.all_well"), icon=":material/check_circle:")
    if not findings:
        return
    with st.container(border=True, gap="small", key="attention"):
        st.markdown(f"**{t('attention.title', count=number(len(findings)))}**")
        for one in findings[:MOST_FINDINGS]:
            _finding(one)
        if len(findings) > MOST_FINDINGS:
            with st.expander(t("attention.rest", count=number(len(findings) - MOST_FINDINGS)), key="attention_rest"):
                for one in findings[MOST_FINDINGS:]:
                    _finding(one)


def _finding(one: Finding) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"{badge(one.severity, t(f'attention.{one.severity}'))} {_sentence(one)}", width="stretch")
        label = None if one.code == "more" else t(f"attention.fix_{one.place}")
        link(one.place, label, icon=":material/arrow_forward:", **one.query)


def _sentence(one: Finding) -> str:
    """Write values out: the finding knows numbers, the reader wants units."""
    values: dict[str, Any] = dict(one.values)
    written: dict[str, Callable[[Any], str]] = {
        "moment": age, "seconds": duration, "bytes": size, "share": share, "promised": share,
        "reason": _short, "endpoint": code, "service": lambda name: t(f"words.{name}"),
        "kind": lambda kind: t(f"attention.kind_{kind}"),
    }  # fmt: skip
    return t(f"attention.{one.code}", **{name: written.get(name, plain)(value) for name, value in values.items()})


def _short(reason: str) -> str:
    """Give the beginning of what a service says; the page of the fix shows all of it."""
    return plain(reason if len(reason) <= LONGEST_REASON else f"{reason[:LONGEST_REASON]}…")


def _models(seen: Overview) -> None:
    st.subheader(t("overview.active_models"))
    if not seen.shown:
        empty(t("overview.no_models"))
        link("import")
        return
    figures = {one.active_model_id: one for one in seen.situation.statistics}
    with st.grid("auto", min_column_width=300):
        for model in seen.shown:
            with st.container(border=True, height="stretch", gap="small"):
                _card(model, figures.get(model.id))
    if len(seen.situation.models) > len(seen.shown):
        rest = len(seen.situation.models) - MOST_MODELS
        link("manage", t("overview.more_models", count=number(rest)))


def _card(model: ActiveModel, figures: ModelStatistics | None) -> None:
    st.markdown(f"**{plain(model.name)}** {mode_badge(model)}  \n:gray[{plain(question(model))}]")
    with st.grid(2, min_column_width=120, gap="xsmall"):
        _fact(t("overview.predictions_of"), compact(model.total_predictions))
        _fact(t("overview.last_prediction"), age(model.last_prediction_at))
        alert = figures.total.alert if figures else None
        known = alert.tp + alert.fp if alert else 0
        _fact(t("overview.precision_of"), precision_words(alert.precision if alert else None, known))
        promised = figures.hold_out.alert if figures and figures.hold_out else None
        _fact(t("overview.promised"), share(promised.precision if promised else None))
    with st.container(horizontal=True, vertical_alignment="center"):
        link("statistics", t("overview.to_statistics"), model=model.id)
        link("manage", t("overview.to_manage"), model=model.id)
        st.space("stretch")
        pressed = st.button(
            t("overview.deactivate"), key=f"deactivate_{model.id}", icon=":material/pause:", type="tertiary"
        )
        if pressed:
            st.session_state[_ASKED] = (model.id, model.name)
            st.rerun()


def _fact(label: str, value: str) -> None:
    st.markdown(f":small[:gray[{label}]]  \n{value}")


def _ask_first() -> None:
    """Ask in the page itself: a dialog of a part that redraws by itself would be closed by it."""
    asked: tuple[int, str] | None = st.session_state.pop(_ASKED, None)
    if asked is None:
        return
    active_id, name = asked

    def do() -> None:
        deactivate(services().prediction, active_id)
        forget_models()
        note(t("overview.deactivated", model=plain(name)))

    confirm(
        t("overview.deactivate_title"), t("overview.deactivate_words", model=plain(name)),
        action=t("overview.deactivate"), do=do,
    )  # fmt: skip


@live(4)
def _alerts(which: str) -> None:
    try:
        found = _decided_alerts() if which == "decided" else _alerts_of()
        models = known_models({one.active_model_id for one in found})
    except Unreachable:
        st.caption(t("overview.silent"))
        return
    if not found:
        empty(t(f"overview.no_alerts_{which}"), icon=":material/notifications_off:")
        return
    opened = table(found, models, key="overview_alerts", without=("answer", "threshold"))
    if opened is not None:
        go("predictions", coin=opened.coin_id, prediction=opened.id)
    link("predictions", t("overview.all_alerts"), alerts="only")


def _alerts_of(outcome: str | None = None) -> list[Prediction]:
    page = list_predictions(services().prediction, is_alert=True, outcome=outcome, limit=MOST_ALERTS)
    return page.predictions


def _decided_alerts() -> list[Prediction]:
    found = [*_alerts_of("tp"), *_alerts_of("fp")]
    return sorted(found, key=lambda one: (one.data_timestamp, one.id), reverse=True)[:MOST_ALERTS]


@live(30)
def _periods() -> None:
    prediction = services().prediction
    try:
        changes = list_promotions(prediction, limit=MOST_CHANGES).promotions
        found = live_periods(changes)[:MOST_PERIODS]
        models = known_models({one.active_model_id for one in found})
        figures = side_by_side(
            lambda one: get_statistics(prediction, one.active_model_id, since=one.start, until=one.end), found
        )
    except Unreachable:
        st.caption(t("overview.silent"))
        return
    if not found:
        empty(t("overview.never_live"), icon=":material/timeline:")
        return
    stretches = [_stretch(one, models, done) for one, done in zip(found, figures, strict=True)]
    st.altair_chart(live_chart(stretches), width="stretch", alt=t("overview.live_when_alt"))
    st.caption(t("overview.whole_hours", shown=number(len(found))))


def _stretch(one: LivePeriod, models: dict[int, ActiveModel], done: ModelStatistics) -> Stretch:
    alert = done.total.alert
    words = precision_words(alert.precision, alert.tp + alert.fp)
    return Stretch(
        model=done.name or model_name(models, one.active_model_id), start=one.start, end=one.end or datetime.now(UTC),
        is_open=one.end is None,
        label=words if alert.tp + alert.fp else t("overview.none_known"),
    )  # fmt: skip
