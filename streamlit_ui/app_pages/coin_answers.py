"""One prediction in full: what was said, what came of it, who was told; and what all models say now."""

from datetime import timedelta
from typing import Any, Final

import pandas as pd
import streamlit as st

from shared.contracts.deliveries import Delivery
from shared.contracts.prediction import ActiveModel, Predict, Predicted, Prediction
from streamlit_ui.app_pages.delivery_words import title
from streamlit_ui.app_pages.known_models import model_name, phase_name, phases
from streamlit_ui.app_pages.prediction_table import answer_words, outcome_words
from streamlit_ui.app_pages.questions import question
from streamlit_ui.client.predictions import predict
from streamlit_ui.client.webhooks import list_deliveries, list_webhooks
from streamlit_ui.formats import age, code, moment, number, percent, plain, share
from streamlit_ui.places import link
from streamlit_ui.session import services, t
from streamlit_ui.states import Level, badge, once
from streamlit_ui.tables import dataframe

MOST_DELIVERIES: Final = 20
_WRITTEN_WITHIN: Final = timedelta(minutes=1)
_LEVELS: Final[dict[str, Level]] = {"delivered": "good", "pending": "busy", "failed": "bad", "expired": "warning"}


def show(chosen: Prediction, model: ActiveModel | None) -> None:
    """Show one prediction."""
    name = model.name if model else model_name({}, chosen.active_model_id)
    with st.container(border=True):
        st.markdown(f"**{plain(name)}**" + (f" · :gray[{plain(question(model))}]" if model else ""))
        with st.grid(4, min_column_width=150):
            _fact(t("predictions.answer"), answer_words(chosen))
            said = t("coin.against", probability=share(chosen.probability), threshold=share(chosen.threshold))
            _fact(t("predictions.probability"), said)
            _fact(t("coin.said_at"), moment(chosen.data_timestamp))
            _fact(t("predictions.outcome"), outcome_words(chosen))
            _fact(t("coin.realised"), percent(chosen.actual_change_pct, 1))
            extremes = f"{percent(chosen.highest_change_pct, 1)} / {percent(chosen.lowest_change_pct, 1)}"
            _fact(t("coin.extremes"), extremes)
            judged = moment(chosen.evaluated_at) if chosen.evaluated_at else t("coin.not_yet")
            _fact(t("coin.judged"), judged)
            _fact(t("coin.phase"), plain(phase_name(phases(), chosen.phase_id_at_time)))


def _fact(label: str, value: str) -> None:
    st.markdown(f":small[:gray[{label}]]  \n{value}")


def deliveries(chosen: Prediction) -> None:
    """Show who was told of it, and what came of that."""
    st.subheader(t("coin.deliveries"))
    prediction = services().prediction
    found = list_deliveries(
        prediction, coin_id=chosen.coin_id, active_model_id=chosen.active_model_id, limit=MOST_DELIVERIES,
        date_from=chosen.created_at - _WRITTEN_WITHIN, date_to=chosen.created_at + _WRITTEN_WITHIN,
    ).deliveries  # fmt: skip
    sent = [one for one in found if one.data_timestamp == chosen.data_timestamp]
    if not sent:
        st.caption(t("coin.not_sent_alert" if chosen.is_alert else "coin.not_sent"))
        return
    endpoints = {one.id: title(one) for one in list_webhooks(prediction).webhooks}
    for one in sent:
        with st.container(horizontal=True, vertical_alignment="center"):
            status = badge(_LEVELS[one.status], t(f"coin.delivery_{one.status}"))
            name = endpoints.get(one.endpoint_id) or t("coin.endpoint_gone", id=one.endpoint_id)
            st.markdown(f"{status} {code(name)}  \n:small[:gray[{_course_of(one)}]]", width="stretch")
            link("delivery", t("coin.to_delivery"), icon=":material/arrow_forward:", delivery=one.id)


def _course_of(one: Delivery) -> str:
    words = [t("coin.attempts", count=number(one.attempts))]
    if one.last_status_code is not None:
        words.append(f"HTTP {one.last_status_code}")
    if one.last_error and one.status != "delivered":
        words.append(plain(one.last_error))
    if one.delivered_at is not None:
        words.append(t("coin.taken", ms=number((one.delivered_at - one.created_at).total_seconds() * 1000)))
    elif one.status == "pending":
        words.append(t("coin.written_ago", age=age(one.created_at)))
    return " · ".join(words)


def ask(coin_id: str, models: dict[int, ActiveModel]) -> None:
    """Ask all active models about the newest row, at the press of a button."""
    key = f"answers_{coin_id}"
    st.subheader(t("coin.ask_title"), help=t("coin.ask_help"))
    if once(st.button, t("coin.ask"), icon=":material/play_circle:", key="ask"):
        st.session_state[key] = predict(services().prediction, Predict(coin_id=coin_id))
    answer: Predicted | None = st.session_state.get(key)
    if answer is None:
        return
    st.caption(t("coin.asked_of", moment=moment(answer.timestamp), age=age(answer.timestamp)))
    rows: list[dict[str, Any]] = []
    for one in sorted(
        answer.predictions, key=lambda found: found.probability / max(found.threshold, 1e-9), reverse=True
    ):
        known = models.get(one.active_model_id)
        said = f"▲ {t('predictions.alert')}" if one.is_alert else None
        rows.append(
            {
                "model": known.name if known else one.model_name,
                "answer": said or (f"◆ {t('predictions.yes')}" if one.prediction else f"● {t('predictions.no')}"),
                "probability": one.probability,
                "threshold": one.threshold,
                "alert": known.alert_threshold if known else None,
            }
        )
    config = st.column_config
    dataframe(
        pd.DataFrame(rows), hide_index=True, alt=t("coin.ask_alt"), key="asked_table",
        column_config={
            "model": config.TextColumn(t("predictions.model"), width=220),
            "answer": config.TextColumn(t("predictions.answer"), width=90),
            "probability": config.ProgressColumn(
                t("predictions.probability"), min_value=0.0, max_value=1.0, format="percent", width=180
            ),
            "threshold": config.NumberColumn(t("predictions.threshold"), format="percent", width=110),
            "alert": config.NumberColumn(t("coin.alert_threshold"), format="percent", width=120),
        },
    )  # fmt: skip
