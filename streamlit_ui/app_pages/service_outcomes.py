"""Statistics of all models together: outcomes, the books, and the models to look into."""

import streamlit as st

from shared.contracts.prediction import ActiveModel
from shared.contracts.statistics import Books, ServiceStatistics
from streamlit_ui import address
from streamlit_ui.app_pages import outcome_figures
from streamlit_ui.app_pages.model_states import state_words
from streamlit_ui.app_pages.questions import question
from streamlit_ui.formats import number, plain
from streamlit_ui.places import link
from streamlit_ui.session import t, term
from streamlit_ui.states import badge, empty
from streamlit_ui.tables import dataframe, moment_column


def draw(found: ServiceStatistics, models: list[ActiveModel]) -> None:
    """Draw outcomes, the table of models and the books."""
    if found.figures.predictions:
        outcome_figures.draw_key_figures(found.figures, None)
        outcome_figures.draw_fates(found.figures)
    else:
        empty(t("statistics.nothing_yet"))
    st.subheader(t("statistics.by_model"))
    if models:
        _draw_models(models)
    else:
        empty(t("statistics.no_models"))
        link("import")
    _draw_books(found.books)


def _draw_models(models: list[ActiveModel]) -> None:
    st.caption(t("statistics.open_one"))
    table = {
        t("statistics.model"): [model.name for model in models],
        t("statistics.question"): [question(model) for model in models],
        t("statistics.state"): [state_words(model) for model in models],
        t("statistics.predictions"): [model.total_predictions for model in models],
        t("statistics.last_prediction"): [model.last_prediction_at for model in models],
    }
    shown = dataframe(
        table, hide_index=True, on_select="rerun", selection_mode="single-row", key=f"statistics_models_{len(models)}",
        column_config={
            t("statistics.model"): st.column_config.TextColumn(width="medium"),
            t("statistics.predictions"): st.column_config.NumberColumn(format="localized"),
            t("statistics.last_prediction"): moment_column(),
        },
    )  # fmt: skip
    rows = shown.selection.rows
    if rows:
        address.keep("model", models[rows[0]].id)
        st.rerun()


def _draw_books(books: Books) -> None:
    """Show that every row that was owed an answer has one, or a reason why not."""
    st.subheader(t("statistics.books"))
    level = badge("good", t("statistics.balanced")) if books.balanced else badge("bad", t("statistics.unbalanced"))
    st.markdown(f"{level} {t('statistics.books_why')}")
    with st.grid(min_column_width=160):
        for name, value in (
            ("rows", books.rows), ("owed", books.owed), ("predictions", books.predictions),
            ("skipped", sum(books.skipped.values())),
        ):  # fmt: skip
            st.metric(
                t(f"statistics.books_{name}"), number(value), border=True, help=t(f"statistics.books_{name}_help")
            )
    if books.skipped:
        reasons = ", ".join(
            f"{plain(term(f'system.reason_{reason}', reason))} {number(count)}"
            for reason, count in sorted(books.skipped.items())
        )
        st.caption(t("statistics.skipped_because", reasons=reasons))
