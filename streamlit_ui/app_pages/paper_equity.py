"""Equity of a paper account over time, beside buying and holding, and how far it fell."""

import streamlit as st

from shared.contracts.packages import PackageDetails
from shared.contracts.paper_reports import Equity
from streamlit_ui import formats
from streamlit_ui.address import keep, told_id
from streamlit_ui.app_pages.paper_performance import in_usdt
from streamlit_ui.charts.equity import drawdown_chart, drawdowns, equity_chart
from streamlit_ui.client import packages as client
from streamlit_ui.session import services, t
from streamlit_ui.states import empty, live

LOOK_SECONDS = 15.0
MOST_POINTS = 1000
_PICK = "pick_round"


def draw(package: PackageDetails) -> None:
    """Draw the tab."""
    account = client.get_account(services().prediction, package.id)
    wanted = told_id("round")
    chosen = account.round if wanted is None or wanted > account.round else wanted
    if account.round:
        st.session_state[_PICK] = chosen
        chosen = st.selectbox(
            t("paper.which_round"), list(range(account.round, -1, -1)), key=_PICK, width=260,
            help=t("paper.round_help"),
            format_func=lambda one: t("paper.round_now" if one == account.round else "paper.round", number=one),
            on_change=_keep_round, args=(account.round,),
        )  # fmt: skip
    live(LOOK_SECONDS)(_draw)(package, chosen, account.initial_balance)


def _keep_round(latest: int) -> None:
    keep("round", st.session_state[_PICK], latest)


def _draw(package: PackageDetails, round_: int, initial: float) -> None:
    found = client.get_equity(services().prediction, package.id, round_=round_, limit=MOST_POINTS)
    if not found.points:
        empty(t("paper.no_equity"), icon=":material/show_chart:")
        return
    _draw_figures(found, initial)
    if len(found.points) == 1:
        empty(t("paper.one_point"), icon=":material/show_chart:")
        return
    st.altair_chart(
        equity_chart(found.points, initial=initial, symbol=found.symbol), width="stretch", key="equity_chart",
        alt=t("paper.equity_alt", package=package.name),
    )  # fmt: skip
    st.altair_chart(
        drawdown_chart(found.points), width="stretch", key="drawdown_chart",
        alt=t("paper.drawdown_alt", package=package.name),
    )  # fmt: skip
    shown, total = formats.number(len(found.points)), formats.number(found.total)
    told = [t("paper.thinned", shown=shown, total=total)] if len(found.points) < found.total else []
    if all(point.buy_and_hold is None for point in found.points):
        told.append(t("paper.no_hold"))
    st.caption(" · ".join([*told, t("paper.equity_note")]))


def _draw_figures(found: Equity, initial: float) -> None:
    last = found.points[-1]
    held = last.buy_and_hold
    with st.grid(4, min_column_width=150):
        st.metric(
            in_usdt("equity"), formats.number(last.equity, 2), border=True, height="stretch",
            delta=formats.percent(100 * (last.equity / initial - 1)) if round(last.equity - initial, 1) else 0,
        )  # fmt: skip
        st.metric(
            in_usdt("holding"), formats.number(held, 2), border=True, height="stretch",
            delta=formats.percent(100 * (held / initial - 1)) if held is not None and held != initial else None,
            help=t("paper.hold_help"),
        )  # fmt: skip
        st.metric(
            in_usdt("ahead"), formats.NOTHING if held is None else formats.number(last.equity - held, 2),
            border=True, help=t("paper.ahead_help"), height="stretch",
        )  # fmt: skip
        st.metric(
            t("paper.max_drawdown"), formats.percent(-100 * min(drawdowns(found.points)), signed=False), border=True,
            help=t("paper.max_drawdown_help"), height="stretch",
        )  # fmt: skip
