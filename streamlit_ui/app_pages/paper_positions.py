"""Positions of a paper account: open ones to close, closed ones with why they ended."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from shared.contracts.packages import PackageDetails
from shared.contracts.paper import PaperPosition
from shared.contracts.paper_reports import Dashboard, HeldPosition
from streamlit_ui import formats
from streamlit_ui.address import keep, told
from streamlit_ui.app_pages.paper_orders import side_words
from streamlit_ui.client import packages as client
from streamlit_ui.session import services, t
from streamlit_ui.states import confirm, empty, note
from streamlit_ui.tables import dataframe, moment_column

MOST_CLOSED = 1000
_SELECTED = "paper_selected"
_REDRAW = "paper_redraw"


def is_selected(found: Dashboard) -> bool:
    """Tell whether a row is picked out."""
    state = st.session_state.get(_key(found))
    return bool(state and state["selection"]["rows"])


def _key(found: Dashboard) -> str:
    """Name the table by what it holds: where positions come or go, no other one slips under the mark."""
    return "_".join([_SELECTED, *(str(one.id) for one in found.positions)])


def draw_open(found: Dashboard) -> None:
    """Draw what is open: a row closes."""
    if st.session_state.pop(_REDRAW, False):
        # The whole page decides whether this part is drawn again and again.
        st.rerun()
    st.subheader(t("paper.open_positions", count=len(found.positions)))
    if not found.positions:
        empty(t("paper.none_open"), icon=":material/hourglass_empty:")
        return
    rows = [_open_row(one) for one in found.positions]
    event = dataframe(
        pd.DataFrame(rows), hide_index=True, width="stretch", on_select=_redraw, selection_mode="single-row",
        key=_key(found), column_config=_columns(),
    )  # fmt: skip
    picked = [found.positions[place] for place in event.selection.rows if place < len(found.positions)]
    if not picked:
        st.caption(f":material/touch_app: {t('paper.select_to_close')}")
        return
    _draw_close(picked[0])


def _redraw() -> None:
    st.session_state[_REDRAW] = True


def _draw_close(position: HeldPosition) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        price = st.number_input(
            t("paper.close_price"), value=None, min_value=1e-15, max_value=1e15, format="%.10g", width=240,
            placeholder=formats.price(position.current_price), help=t("paper.close_price_help"),
            key=f"close_price_{position.id}",
        )  # fmt: skip
        words = t("paper.close", side=position.side, symbol=formats.plain(position.symbol), id=position.id)
        if st.button(words, icon=":material/close:", type="primary", key="paper_close"):
            confirm(
                words,
                t(
                    "paper.close_words", size=formats.number(position.size_usdt, 2), side=position.side,
                    symbol=formats.plain(position.symbol), price=formats.price(price or position.current_price),
                    pnl=formats.number(position.unrealised_pnl, 2),
                ),
                action=t("paper.close_do"), do=partial(_close, position, price),
            )  # fmt: skip


def _close(position: HeldPosition, price: float | None) -> None:
    done = client.close_position(services().prediction, position.id, price=price)
    note(t("paper.closed", id=done.id, pnl=formats.number(done.pnl, 2), price=formats.price(done.exit_price)))


def draw_closed(package: PackageDetails, latest: Sequence[PaperPosition], *, trades: int) -> None:
    """Draw what was closed, newest first."""
    st.subheader(t("paper.closed_positions"))
    if not latest:
        empty(t("paper.none_closed"), icon=":material/history:")
        return
    shown = latest
    if told("closed") == "all":
        prediction = services().prediction
        shown = client.list_positions(prediction, package.id, status="CLOSED", limit=MOST_CLOSED).positions
    rows = [_closed_row(one) for one in shown]
    dataframe(pd.DataFrame(rows), hide_index=True, width="stretch", column_config=_columns())
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(t("paper.closed_count", shown=formats.number(len(shown)), trades=formats.number(trades)))
        if len(shown) == len(latest) and trades > len(latest):
            st.button(
                t("paper.show_all", most=formats.number(MOST_CLOSED)), type="tertiary", key="paper_all",
                icon=":material/expand_more:", on_click=keep, args=("closed", "all"),
            )  # fmt: skip


def _open_row(one: HeldPosition) -> dict[str, object]:
    return {
        "side": side_words(one.side), "symbol": one.symbol, "size": one.size_usdt, "entry": one.entry_price,
        "now": one.current_price, "unrealised": one.unrealised_pnl, "margin": one.margin_return_pct,
        "tp": one.take_profit_price, "sl": one.stop_loss_price, "left": formats.duration(max(one.seconds_left, 0)),
        "opened": one.opened_at, "by": t(f"paper.by_{one.opened_by}"), "id": one.id,
    }  # fmt: skip


def _closed_row(one: PaperPosition) -> dict[str, object]:
    held = (one.closed_at - one.opened_at).total_seconds() if one.closed_at else None
    return {
        "closed": one.closed_at, "side": side_words(one.side), "symbol": one.symbol,
        "reason": reason_words(one.close_reason), "pnl": one.pnl, "margin": one.margin_return_pct,
        "size": one.size_usdt, "entry": one.entry_price, "exit": one.exit_price, "fees": one.fees,
        "held": formats.duration(held), "by": t(f"paper.by_{one.opened_by}"), "round": one.round, "id": one.id,
    }  # fmt: skip


def reason_words(reason: str | None) -> str:
    """Say why a position ended."""
    return t(f"paper.reason_{reason}") if reason else formats.NOTHING


def _columns() -> dict[str, Any]:
    column = st.column_config
    usdt = partial(column.NumberColumn, format="%+.2f")
    price = partial(column.NumberColumn, format="%.6g")
    when = partial(moment_column, seconds=False)
    return {
        "side": column.TextColumn(t("paper.side"), width=90), "symbol": t("paper.symbol"),
        "size": column.NumberColumn(t("paper.size"), format="%.2f", help=t("paper.size_help")),
        "entry": price(t("paper.entry")), "now": price(t("paper.now")), "exit": price(t("paper.exit")),
        "unrealised": usdt(t("paper.unrealised_usdt"), help=t("paper.unrealised_help")),
        "pnl": usdt(t("paper.pnl"), help=t("paper.pnl_help")),
        "margin": column.NumberColumn(t("paper.margin_return"), format="%+.2f %%", help=t("paper.margin_help")),
        "tp": price(t("paper.take_profit")), "sl": price(t("paper.stop_loss")), "left": t("paper.left"),
        "opened": when(t("paper.opened_at")), "closed": when(t("paper.closed_at")), "held": t("paper.held"),
        "fees": column.NumberColumn(t("paper.fees_usdt"), format="%.3f"), "reason": t("paper.reason"),
        "by": t("paper.opened_by"), "round": t("paper.round_short"),
        "id": column.NumberColumn("#", format="%d", width=60),
    }  # fmt: skip
