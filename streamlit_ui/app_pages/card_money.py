"""What the alerts would have earned."""

import streamlit as st

from shared.contracts.card import CardEarnings, CardMoney
from streamlit_ui.app_pages.card_figures import absent, picture
from streamlit_ui.app_pages.card_measured import Earned
from streamlit_ui.charts.periods import earnings
from streamlit_ui.formats import NOTHING, number, percent, plain, share
from streamlit_ui.session import t


def draw(money: CardMoney | None, *, direction: str | None = "up") -> None:
    """Draw the section of a card, or of a test."""
    if money is None:
        if direction == "up":
            absent(t("card.tab_money"))
        else:
            st.info(t("card.money_none"), icon=":material/info:")
        return
    earned(money)
    st.subheader(t("card.costs"), anchor=False)
    slippage = t("card.slippage_depth") if money.slippage_pct is None else percent(money.slippage_pct, signed=False)
    st.markdown(
        t(
            "card.costs_told", fee=percent(money.fee_pct, signed=False), slippage=slippage,
            size=number(money.trade_size_sol, 2),
        )
    )  # fmt: skip


def earned(money: CardMoney | Earned) -> None:
    """Draw what the alerts would have brought, counted in three ways."""
    st.caption(t("card.money_help"))
    parts = [(t("card.every_alert"), t("card.every_alert_help"), money.every_alert)]
    parts.append((t("card.one_position"), t("card.one_position_help"), money.one_position))
    if money.seen_again is not None:
        parts.append((t("card.seen_again"), t("card.seen_again_help"), money.seen_again))
    with st.grid(3, min_column_width=270, gap="small"):
        for name, meaning, one in parts:
            with st.container(border=True):
                _earned(name, meaning, one)
    picture(earnings([(name, one) for name, _, one in parts]), t("card.earnings_alt"))
    rows = [
        t("card.silent_alerts", count=number(money.silent_alerts)) if money.silent_alerts is not None else None,
        t("card.without_outcome", count=number(money.alerts_without_outcome)),
        t("card.assumed_reserves", count=number(money.assumed_reserves)) if money.assumed_reserves else None,
    ]
    st.markdown("\n".join(f"- {row}" for row in rows if row))


def _earned(name: str, meaning: str, one: CardEarnings) -> None:
    st.markdown(f"**{name}**", help=meaning)
    st.metric(t("card.mean"), percent(one.mean_pct), help=t("card.mean_help"))
    interval = NOTHING if one.low_pct is None else f"{percent(one.low_pct)} … {percent(one.high_pct)}"
    first = f"| {t('card.interval')} | {interval} |\n|:--|--:|\n"
    shown = [
        (t("card.median"), percent(one.median_pct)), (t("card.share_positive"), share(one.share_positive)),
        (t("card.worst_best"), f"{percent(one.worst_pct, 0)} / {percent(one.best_pct, 0)}"),
        (t("card.trades"), number(one.trades)), (t("card.total_sol"), number(one.total_sol, 2, "SOL")),
        (t("card.per_day_sol"), number(one.per_day_sol, 2, "SOL")),
    ]  # fmt: skip
    st.markdown(first + "\n".join(f"| {label} | {value} |" for label, value in shown))
    if one.interval_note:
        st.caption(f":material/info: {plain(one.interval_note)}")
