"""The paper account of a package: what it is worth, what it holds, what it did, and changing it."""

import streamlit as st

from shared.contracts.packages import PackageDetails
from shared.contracts.paper import Account
from shared.contracts.paper_reports import Dashboard
from streamlit_ui import formats
from streamlit_ui.app_pages import package_manifest, paper_orders, paper_performance, paper_positions
from streamlit_ui.app_pages.paper_performance import in_usdt
from streamlit_ui.client import packages as client
from streamlit_ui.session import services, t
from streamlit_ui.states import badge, live

LOOK_SECONDS = 10.0


def draw(package: PackageDetails) -> None:
    """Draw the tab: figures and positions are looked at again and again, what opens a dialog stands still."""
    found = client.get_dashboard(services().prediction, package.id)
    live(LOOK_SECONDS)(_draw_state)(package, [found])
    paper_orders.draw(package, found.account)
    if paper_positions.is_selected(found):
        # A dialog closes when what it was opened from is drawn anew.
        _draw_book(package, [found])
    else:
        live(LOOK_SECONDS)(_draw_book)(package, [found])
    _draw_rules(found.account)


def _draw_state(package: PackageDetails, read: list[Dashboard]) -> None:
    found = _latest(package, read)
    _draw_figures(found)
    _draw_trading(found)


def _draw_book(package: PackageDetails, read: list[Dashboard]) -> None:
    found = _latest(package, read)
    paper_positions.draw_open(found)
    paper_performance.draw(found.performance)
    paper_positions.draw_closed(package, found.closed, trades=found.performance.trades)


def _latest(package: PackageDetails, read: list[Dashboard]) -> Dashboard:
    """Give what was read with the page the first time, later what is new."""
    return read.pop() if read else client.get_dashboard(services().prediction, package.id)


def _draw_figures(found: Dashboard) -> None:
    account, done = found.account, found.performance
    with st.grid(4, min_column_width=150):
        st.metric(
            in_usdt("equity"), formats.number(account.equity, 2), border=True, help=t("paper.equity_help"),
            delta=formats.percent(done.return_pct) if round(done.return_pct, 2) else 0, height="stretch",
            delta_description=t("paper.since_start", initial=formats.number(account.initial_balance)),
        )  # fmt: skip
        st.metric(
            in_usdt("balance"), formats.number(account.balance, 2), border=True, help=t("paper.balance_help"),
            delta=_signed(account.unrealised_pnl), delta_description=t("paper.unrealised"), height="stretch",
        )  # fmt: skip
        st.metric(
            in_usdt("exposure"), formats.number(account.exposure_usdt, 2), border=True,
            help=t("paper.exposure_help"), delta_arrow="off", delta_color="gray", height="stretch",
            delta=t(
                "paper.of_equity", share=formats.percent(account.exposure_pct, 1, signed=False),
                most=formats.percent(account.rules.max_exposure_pct, 1, signed=False),
            ),
        )  # fmt: skip
        st.metric(
            in_usdt("available"), formats.number(account.available_usdt, 2), border=True, delta_arrow="off",
            help=t("paper.available_help"), delta_color="gray", height="stretch",
            delta=t("paper.slots", open=account.open_positions, most=account.rules.max_positions),
        )  # fmt: skip


def _signed(usdt: float) -> str | int:
    return formats.with_sign(usdt, 2) if round(usdt, 2) else 0


def _draw_trading(found: Dashboard) -> None:
    account = found.account
    if account.auto_trade:
        state = badge("busy", t("paper.auto_on", symbol=formats.plain(account.symbol or "")))
        reached = account.traded_until
        told = (
            t("paper.auto_until", moment=formats.moment(reached, seconds=False)) if reached else t("paper.auto_first")
        )
    else:
        state, told = badge("off", t("paper.auto_off")), t("paper.auto_off_help")
    gate = badge("good", t("paper.opens")) if found.opens else badge("warning", t("paper.opens_not"))
    st.markdown(f"{state} {gate}  \n:small[:gray[{told}]]")
    if account.trouble:
        st.warning(f"**{t('paper.trouble')}** {formats.plain(account.trouble)}", icon=":material/warning:")
    if not found.opens and found.reason:
        st.info(formats.plain(found.reason), icon=":material/lock:")


def _draw_rules(account: Account) -> None:
    rules = account.rules
    told = {
        "size_pct": t("paper.size_words", share=_pct(rules.size_pct), least=formats.number(rules.min_size_usdt, 2)),
        "max_positions": formats.number(rules.max_positions),
        "max_exposure_pct": t("paper.exposure_words", share=_pct(rules.max_exposure_pct)),
        "leverage": f"{formats.number(rules.leverage, 1)} ×",
        "take_profit_pct": t(
            "paper.margin_words", share=_pct(rules.take_profit_pct), move=_move(rules.take_profit_pct, rules.leverage)
        ),
        "stop_loss_pct": t(
            "paper.margin_words", share=_pct(rules.stop_loss_pct), move=_move(rules.stop_loss_pct, rules.leverage)
        ),
        "max_hours": formats.number(rules.max_hours, 1, "h"),
        "fee_pct": t("paper.fee_words", share=_pct(rules.fee_pct)),
        "min_confidence": formats.number(rules.min_confidence, 0, "%"),
    }
    with st.expander(t("paper.rules"), icon=":material/rule:"):
        package_manifest.facts({t(f"paper.rule_{name}"): value for name, value in told.items()})
        times = [t("paper.account_id", id=formats.code(account.account_id)), t("paper.round", number=account.round)]
        times.append(t("paper.created", moment=formats.moment(account.created_at, seconds=False)))
        if account.reset_at:
            times.append(t("paper.was_reset", moment=formats.moment(account.reset_at, seconds=False)))
        if account.clock:
            times.append(t("paper.clock", moment=formats.moment(account.clock)))
        st.caption(" · ".join(times))


def _pct(value: float) -> str:
    return formats.percent(value, 2, signed=False)


def _move(margin_pct: float, leverage: float) -> str:
    return formats.percent(margin_pct / leverage, 2, signed=False)
