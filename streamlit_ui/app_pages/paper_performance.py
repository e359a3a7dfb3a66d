"""How a paper account does: figures of its closed positions, by why they ended and by side."""

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from shared.contracts.paper_reports import Performance, Slice
from streamlit_ui import formats
from streamlit_ui.app_pages.paper_orders import side_words
from streamlit_ui.app_pages.paper_positions import reason_words
from streamlit_ui.session import t
from streamlit_ui.states import empty
from streamlit_ui.tables import dataframe

FEW_TRADES = 30


def draw(found: Performance) -> None:
    """Draw the figures."""
    st.subheader(t("paper.performance"))
    if not found.trades:
        empty(t("paper.no_trades"), icon=":material/query_stats:")
        return
    figures = {
        "trades": (formats.number(found.trades), t("paper.won", wins=formats.number(found.wins))),
        "win_rate": (formats.share(found.win_rate), None),
        "profit_factor": (formats.number(found.profit_factor, 2), None),
        "expectancy": (formats.number(found.expectancy, 2), _averages(found)),
        "sharpe": (formats.number(found.sharpe_per_trade, 2), None),
        "max_drawdown": (formats.percent(found.max_drawdown_pct, signed=False), None),
        "pnl": (formats.number(found.pnl, 2), t("paper.after_fees", fees=formats.number(found.fees, 2))),
        "exposure_time": (formats.percent(found.exposure_time_pct, 1, signed=False), None),
    }
    with st.grid(4, min_column_width=150):
        for name, (value, below) in figures.items():
            st.metric(
                in_usdt(name) if name == "expectancy" else t(f"paper.{name}"), value, border=True, delta=below,
                delta_arrow="off", delta_color="gray", height="stretch", help=t(f"paper.{name}_help"),
            )  # fmt: skip
    if found.trades < FEW_TRADES:
        st.caption(f":material/info: {t('paper.few_trades', trades=found.trades)}")
    left, right = st.columns(2, gap="medium")
    with left:
        _draw_slices(t("paper.by_reason"), {reason_words(name): one for name, one in found.by_close_reason.items()})
    with right:
        _draw_slices(t("paper.by_side"), {side_words(name): one for name, one in found.by_side.items()})


def in_usdt(name: str) -> str:
    """Give the name of a figure with its unit."""
    return t("paper.in_usdt", figure=t(f"paper.{name}"))


def _averages(found: Performance) -> str:
    return " / ".join(formats.number(one, 2) for one in (found.average_win, found.average_loss))


def _draw_slices(title: str, slices: Mapping[str, Slice]) -> None:
    rows = [
        {"of": name, "trades": one.trades, "won": one.wins / one.trades if one.trades else None, "pnl": one.pnl}
        for name, one in slices.items()
    ]
    dataframe(
        pd.DataFrame(rows), hide_index=True, width="stretch",
        column_config={
            "of": title, "trades": st.column_config.NumberColumn(t("paper.trades"), format="localized"),
            "won": st.column_config.ProgressColumn(t("paper.win_rate"), format="percent", min_value=0, max_value=1),
            "pnl": st.column_config.NumberColumn(t("paper.pnl"), format="%+.2f"),
        },
    )  # fmt: skip
