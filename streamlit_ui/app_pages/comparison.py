"""Models on the rows they share: the list of comparisons, and one with its verdict, figures and differences."""

import pandas as pd
import streamlit as st
from pydantic import ValidationError

from shared.contracts.results import Comparison
from shared.contracts.training import Model
from streamlit_ui.app_pages import row_table
from streamlit_ui.app_pages.card_figures import absent, figures, titled_picture, warn
from streamlit_ui.app_pages.comparison_results import MEASURES, Found
from streamlit_ui.app_pages.comparison_table import figure_rows, setting_rows, show
from streamlit_ui.app_pages.test_result import named
from streamlit_ui.charts import curves as charts
from streamlit_ui.client import models as client
from streamlit_ui.client.missing import if_there
from streamlit_ui.client.transport import UnexpectedAnswer
from streamlit_ui.formats import NOTHING, moment, number, plain, share, with_sign
from streamlit_ui.places import go, link
from streamlit_ui.session import services, t
from streamlit_ui.states import confirm, empty, live, note
from streamlit_ui.tables import dataframe, moment_column

MOST_SHOWN = 200


def draw_list() -> None:
    """Draw the comparisons, newest first."""
    found = client.list_comparisons(services().training, limit=MOST_SHOWN)
    if not found.comparisons:
        empty(t("comparison.none"))
        return
    names = named()
    st.caption(t("comparison.shown", count=number(len(found.comparisons)), all=number(found.total)))
    rows = [
        {
            "models": " · ".join(names.get(each, t("models.gone", id=each)) for each in one.model_ids),
            "winner": t("comparison.no_winner")
            if one.winner_id is None
            else f"★ {names.get(one.winner_id, t('models.gone', id=one.winner_id))}",
            "start": one.test_start, "end": one.test_end, "warnings": len(one.warnings), "made": one.created_at,
        }
        for one in found.comparisons
    ]  # fmt: skip
    column = st.column_config
    chosen = row_table.draw(
        pd.DataFrame(rows), [one.id for one in found.comparisons], key="comparisons_table",
        column_config={
            "models": column.TextColumn(t("places.models"), width="large"),
            "winner": column.TextColumn(t("comparison.winner"), width="medium"),
            "start": moment_column(t("card.window_start"), seconds=False),
            "end": moment_column(t("card.window_end"), seconds=False),
            "warnings": column.NumberColumn(t("models.warnings"), format="%d", width="small"),
            "made": moment_column(t("comparison.made"), seconds=False),
        },
    )  # fmt: skip
    st.caption(t("models.how_one"))
    if chosen.opened is not None:
        go("models", comparison=chosen.opened)


def draw(comparison_id: int) -> None:
    """Draw one comparison."""
    link("models", t("comparison.all"), icon=":material/arrow_back:", view="comparisons")
    one = if_there(client.get_comparison, services().training, comparison_id)
    if one is None:
        empty(t("comparison.missing", id=comparison_id), icon=":material/search_off:")
        return
    try:
        found = Found.model_validate(one.results or {})
    except ValidationError as error:
        raise UnexpectedAnswer("training", f"/comparisons/{comparison_id}: {error.errors()[0]['msg']}") from error
    models = [client.get_model(services().training, each) for each in one.model_ids]
    _head(one, models)
    _verdict(one, found, models)
    warn(one.warnings)
    if not found.models:
        absent(t("comparison.figures"))
        return
    _shared(found)
    _figures(found, models)
    _differences(found, {model.id: model.name for model in models})
    _curves(found)


def _head(one: Comparison, models: list[Model]) -> None:
    st.title(t("comparison.title", count=len(models)), anchor=False)
    st.markdown(
        t(
            "comparison.on", start=moment(one.test_start, seconds=False), end=moment(one.test_end, seconds=False),
            made=moment(one.created_at, seconds=False),
        )
    )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="center"):
        for model in models:
            link("models", plain(model.name), icon=":material/deployed_code:", id=model.id)
        if st.button(t("comparison.delete"), icon=":material/delete:", key="delete_comparison"):
            _ask_delete(one.id)


def _ask_delete(comparison_id: int) -> None:
    def delete() -> None:
        client.delete_comparison(services().training, comparison_id)
        note(t("comparison.deleted"))
        go("models", view="comparisons")

    confirm(t("comparison.delete"), t("comparison.delete_words"), action=t("card.delete"), do=delete)


def _verdict(one: Comparison, found: Found, models: list[Model]) -> None:
    winner = next((model.name for model in models if model.id == one.winner_id), None)
    sentence = plain(found.sentence or "")
    if winner is not None:
        st.success(sentence, icon=":material/trophy:", title=t("comparison.wins", name=plain(winner)))
    else:
        st.info(sentence, icon=":material/balance:", title=t("comparison.no_winner"))
    if found.rule:
        st.caption(f"**{t('comparison.rule')}** {plain(found.rule)}")


def _shared(found: Found) -> None:
    shared, intervals = found.shared, found.intervals
    figures(
        [
            (t("comparison.shared_rows"), number(shared.rows), t("comparison.shared_rows_help")),
            (t("card.coins"), number(shared.coins), None),
            (t("comparison.days"), number(shared.days, 2), None),
            (
                t("comparison.blocks"), number(intervals.get("blocks")),
                t("comparison.blocks_help", minutes=number(intervals.get("block_minutes"))),
            ),
        ]
    )  # fmt: skip


@live()
def _figures(found: Found, models: list[Model]) -> None:
    everything = st.toggle(t("comparison.show_all"), key="compare_all", help=t("comparison.show_all_help"))
    names = [model.name for model in models]
    st.subheader(t("comparison.figures"), anchor=False)
    show(figure_rows(found), names, everything=everything, label=t("comparison.measure"))
    st.subheader(t("comparison.settings"), anchor=False)
    show(setting_rows(models), names, everything=everything, label=t("comparison.setting"))


def _differences(found: Found, names: dict[int, str]) -> None:
    st.subheader(t("comparison.differences"), anchor=False)
    st.caption(t("comparison.differences_help", level=share(float(found.intervals.get("level", 0.95)), 0)))
    is_one_pair = len(found.differences) == 1
    rows = []
    for pair in found.differences:
        for measure in MEASURES:
            lead = pair.lead(measure)
            better = pair.better(measure)
            shown = _lead(measure, lead.difference)
            interval = NOTHING if lead.low is None else f"{_lead(measure, lead.low)} … {_lead(measure, lead.high)}"
            rows.append(
                {
                    "pair": f"{names.get(pair.model_a_id)} − {names.get(pair.model_b_id)}",
                    "measure": t(f"comparison.{measure}"), "difference": shown, "interval": interval,
                    "verdict": f"★ {names.get(better)}" if better else t("comparison.not_proved"),
                }
            )  # fmt: skip
    if is_one_pair:
        st.markdown(f"**{plain(rows[0]['pair'])}**")
    _notes(found)
    column = st.column_config
    dataframe(
        pd.DataFrame(rows, columns=["pair", "measure", "difference", "interval", "verdict"]),
        hide_index=True,
        column_order=None if not is_one_pair else ["measure", "difference", "interval", "verdict"],
        column_config={
            "pair": column.TextColumn(t("comparison.pair"), width="large"),
            "measure": column.TextColumn(t("comparison.measure")),
            "difference": column.TextColumn(t("comparison.difference"), width="small"),
            "interval": column.TextColumn(t("card.interval"), width="medium"),
            "verdict": column.TextColumn(t("comparison.better"), width="medium"),
        },
    )


def _notes(found: Found) -> None:
    notes = [pair.lead(measure).note for pair in found.differences for measure in MEASURES]
    for told in dict.fromkeys(one for one in notes if one):
        st.caption(f":material/info: {plain(told)}")


def _lead(measure: str, value: float | None) -> str:
    return with_sign(value, 2, t("words.points")) if measure == "expected_value_pct" else with_sign(value, 4)


def _curves(found: Found) -> None:
    base_rate = found.models[0].base_rate
    with st.grid(2, min_column_width=340, gap="medium"):
        ranked = {one.name: one.precision_recall_curve for one in found.models if one.precision_recall_curve}
        if ranked:
            titled_picture(t("card.pr"), charts.precision_recall(ranked, base_rate=base_rate), t("card.pr_help"))
        rates = {one.name: one.roc_curve for one in found.models if one.roc_curve}
        if rates:
            titled_picture(t("card.roc"), charts.roc(rates), t("card.roc_help"))
        bins = {one.name: one.calibration_bins for one in found.models if one.calibration_bins}
        if bins:
            titled_picture(t("card.calibration"), charts.calibration(bins), t("card.calibration_alt"))
