"""How a card shows single figures, and says that a section is not there."""

from collections.abc import Sequence

import altair as alt
import streamlit as st

from shared.contracts.training import Warned
from streamlit_ui.app_pages import catalogue
from streamlit_ui.formats import number, plain
from streamlit_ui.session import t
from streamlit_ui.states import empty

_NARROWEST = 150
_MOST_COLUMNS = 6
_MANY_PER_DAY = 100


def figures(shown: Sequence[tuple[str, str, str | None]], *, width: int = _NARROWEST, columns: int = 0) -> None:
    """Draw figures side by side, so many in a row: label, value with unit, what it means."""
    with st.grid(columns or min(len(shown), _MOST_COLUMNS), min_column_width=width, gap="small"):
        for label, value, meaning in shown:
            st.metric(label, value, help=meaning, border=True, height="stretch")


def per_day(value: float | None) -> str:
    """Write a number of alerts a day; what is scaled up from a short time is not known to a tenth."""
    return number(value, 1 if value is not None and value < _MANY_PER_DAY else 0)


def absent(section: str) -> None:
    """Say that a model was made before this section was."""
    empty(t("card.absent", section=section), icon=":material/history:")


def warn(warnings: Sequence[Warned]) -> None:
    """Show in full what a user should know."""
    if not warnings:
        return
    lines = "\n".join(f"- {catalogue.warning(one)} :gray[{plain(one.code)}]" for one in warnings)
    st.warning(lines, icon=":material/warning:", title=t("card.warnings", count=len(warnings)))


def picture(chart: alt.Chart | alt.LayerChart | alt.FacetChart, words: str, *, width: int | None = None) -> None:
    """Draw a chart that `words` describe; tests check it against the schema, which takes longer than drawing it."""
    st.vega_lite_chart(spec=chart.to_dict(validate=False), width=width or "stretch", alt=words)


def titled_picture(title: str, chart: alt.Chart | alt.LayerChart | alt.FacetChart, words: str) -> None:
    """Show a chart among others, below its title, which explains it."""
    with st.container():
        st.markdown(f"**{title}**", help=words)
        picture(chart, words)
