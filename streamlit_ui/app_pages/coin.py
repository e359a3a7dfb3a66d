"""One coin: its course with what models said of it, one prediction in full, and the models asked now."""

from functools import partial
from typing import Final

import streamlit as st

from shared.contracts.prediction import ActiveModel, CoinHistory, Prediction
from streamlit_ui.address import keep, select, told_id
from streamlit_ui.app_pages import coin_answers
from streamlit_ui.app_pages.coin_course import MOST_ROWS, NEWEST_ROWS, course, window
from streamlit_ui.app_pages.first_answer import FirstAnswer
from streamlit_ui.app_pages.known_models import known_models, model_name, phase_name, phases
from streamlit_ui.app_pages.prediction_table import short_coin, table
from streamlit_ui.charts.candles import candle_chart
from streamlit_ui.charts.price import Course, has_candles, line_chart, volume_chart
from streamlit_ui.client.predictions import get_history, get_prediction
from streamlit_ui.client.transport import Refused
from streamlit_ui.formats import number, percent, plain, price
from streamlit_ui.session import services, t
from streamlit_ui.states import empty, guarded, live, show_error

LIVE_SECONDS: Final = 5
_TABLE: Final = "coin_table"
_LONGEST_TABLE: Final = 200


def render(coin_id: str) -> None:
    """Draw the coin."""
    if st.button(t("coin.back"), icon=":material/arrow_back:", type="tertiary", key="back"):
        for name in ("coin", "prediction", "marks", "view", "stretch"):
            keep(name, None)
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title(t("coin.title", coin=plain(short_coin(coin_id))), width="content")
        st.code(coin_id, language=None, width="content", wrap_lines=True)
    chosen = _chosen(coin_id)
    models = known_models()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        view = select(
            t("coin.view"), ["line", "candles"], name="view", words=lambda one: t(f"coin.view_{one}"),
            widget=st.segmented_control,
        )  # fmt: skip
        stretch = "newest"
        if chosen is not None:
            stretch = select(
                t("coin.stretch"), ["around", "newest"], name="stretch", words=lambda one: t(f"coin.stretch_{one}"),
                widget=st.segmented_control,
            )  # fmt: skip
        usual = chosen.active_model_id if chosen else 0
        others = [one for one in (0, *models) if one != usual]
        marks = select(
            t("coin.marks"), [usual, *others], name="marks", width=260,
            words=lambda one: model_name(models, one) if one else t("predictions.every_model"),
        )  # fmt: skip
    asked = FirstAnswer(chosen, ask=partial(_again, chosen)) if chosen else None
    _live_view(coin_id, view, marks, asked, is_around=stretch == "around")
    with guarded():
        coin_answers.ask(coin_id, models)


def _chosen(coin_id: str) -> Prediction | None:
    prediction_id = told_id("prediction")
    if prediction_id is None:
        return None
    try:
        found = get_prediction(services().prediction, prediction_id)
    except Refused as error:
        show_error(error)
        return None
    return found if found.coin_id == coin_id else None


def _again(chosen: Prediction) -> Prediction:
    """Ask anew for what may change."""
    return chosen if chosen.outcome is not None else get_prediction(services().prediction, chosen.id)


@live(LIVE_SECONDS)
def _live_view(coin_id: str, view: str, marks: int, asked: FirstAnswer[Prediction] | None, *, is_around: bool) -> None:
    """Draw all that changes by itself: rows come, a message is delivered, an outcome is told."""
    models = known_models()
    chosen = asked.latest() if asked else None
    model = models.get(chosen.active_model_id) if chosen else None
    if chosen is not None:
        coin_answers.show(chosen, model)
    around = chosen if is_around else None
    since, until = window(around, model) if around else (None, None)
    history = get_history(
        services().prediction, coin_id, active_model_id=marks or None, since=since, until=until,
        limit=MOST_ROWS if around else NEWEST_ROWS,
    )  # fmt: skip
    if not history.rows:
        empty(t("coin.no_rows"), icon=":material/show_chart:")
        return
    if chosen is None:
        _facts(history)
    is_in_view = chosen is not None and (is_around or chosen.data_timestamp >= history.rows[0].timestamp)
    _draw(course(history, models, chosen if is_in_view else None), view)
    if chosen is not None:
        with guarded():
            coin_answers.deliveries(chosen)
    st.subheader(t("coin.predictions"))
    _predictions(history, models)


def _facts(history: CoinHistory) -> None:
    last, first = history.rows[-1], history.rows[0]
    change = None
    if last.price_close and first.price_close:
        change = (last.price_close / first.price_close - 1) * 100
    with st.grid(5, min_column_width=150):
        st.metric(
            t("coin.price"), price(last.price_close), delta=percent(change, 1) if change is not None else None,
            delta_description=t("coin.in_view"), border=True, height="stretch", help=t("coin.price_help"),
        )  # fmt: skip
        st.metric(t("coin.market_cap"), number(last.market_cap_close, 1, "SOL"), border=True, height="stretch")
        traded = sum(row.volume_sol or 0 for row in history.rows)
        st.metric(t("coin.traded"), number(traded, 1, "SOL"), border=True, height="stretch", help=t("coin.traded_help"))
        curve = number(last.bonding_curve_pct, 1, "%")
        st.metric(t("coin.curve"), curve, border=True, height="stretch", help=t("coin.curve_help"))
        st.metric(t("coin.phase"), plain(phase_name(phases(), last.phase_id_at_time)), border=True, height="stretch")


def _draw(drawn: Course, view: str) -> None:
    if not drawn.rows:
        empty(t("coin.no_values", column=plain(drawn.column)), icon=":material/show_chart:")
        return
    if view == "candles" and has_candles(drawn):
        st.plotly_chart(candle_chart(drawn), width="stretch", alt=t("coin.candles_alt"), key="candles")
        return
    if view == "candles":
        st.caption(t("coin.no_candles"))
    st.altair_chart(line_chart(drawn), width="stretch", alt=t("coin.line_alt"))
    st.altair_chart(volume_chart(drawn), width="stretch", alt=t("coin.volume_alt"))
    if drawn.move is not None and drawn.move.threshold is not None:
        st.caption(t("coin.box"))


def _predictions(history: CoinHistory, models: dict[int, ActiveModel]) -> None:
    if not history.predictions:
        st.caption(t("coin.no_predictions"))
        return
    newest = sorted(history.predictions, key=lambda one: (one.data_timestamp, one.id), reverse=True)[:_LONGEST_TABLE]
    opened = table(newest, models, key=_TABLE, without=("coin",), height=330)
    if opened is not None and opened.id != told_id("prediction"):
        keep("prediction", opened.id)
        keep("marks", None)
        keep("stretch", None)
        st.rerun()
