"""What an operator does to a paper account: trade by itself, open by hand, tell a price, rules, begin anew."""

from typing import Any

import streamlit as st
from pydantic import ValidationError

from shared.contracts.packages import PackageDetails
from shared.contracts.paper import Account, ChangeAccount, OpenPosition, PriceUpdate, Side
from streamlit_ui import formats
from streamlit_ui.app_pages import package_manifest
from streamlit_ui.client import packages as client
from streamlit_ui.client.transport import ServiceError
from streamlit_ui.session import services, t
from streamlit_ui.states import guarded, note, once, release

LEAST_PRICE = 1e-15
MOST_PRICE = 1e15
MOST_USDT = 1e12
RULES: dict[str, tuple[float, float, float]] = {
    "size_pct": (0.01, 100.0, 0.5),
    "min_size_usdt": (0.0, 1e9, 5.0),
    "max_positions": (1, 1000, 1),
    "max_exposure_pct": (0.01, 100.0, 1.0),
    "leverage": (1.0, 125.0, 1.0),
    "take_profit_pct": (0.01, 100_000.0, 0.5),
    "stop_loss_pct": (0.01, 100.0, 0.5),
    "max_hours": (0.01, 87_600.0, 1.0),
    "fee_pct": (0.0, 50.0, 0.01),
    "min_confidence": (0.0, 100.0, 5.0),
}
"""Smallest, largest, step."""


def draw(package: PackageDetails, account: Account) -> None:
    """Draw what can be done."""
    with st.container(horizontal=True, gap="small"):
        if account.auto_trade:
            if once(st.button, t("paper.stop"), icon=":material/pause:", key="paper_stop"):
                _change(package, ChangeAccount(auto_trade=False), t("paper.stopped"))
        elif st.button(
            t("paper.start"), icon=":material/play_arrow:", key="paper_start", disabled=package.status == "ARCHIVED"
        ):
            _ask_start(package, account)
        if st.button(t("paper.open"), icon=":material/add:", key="paper_open"):
            _ask_open(package, account)
        if st.button(t("paper.tell"), icon=":material/sell:", key="paper_tell", help=t("paper.tell_help")):
            _ask_price(package, account)
        if st.button(t("paper.edit"), icon=":material/rule:", key="paper_edit"):
            _ask_rules(package, account)
        if st.button(t("paper.reset"), icon=":material/restart_alt:", key="paper_reset"):
            _ask_reset(package, account)


def market_of(package: PackageDetails, account: Account) -> str:
    """Give the market an account is about: its own, or that of the package."""
    manifest = package_manifest.read(package)
    return account.symbol or (manifest.market.symbol if manifest else None) or ""


def _latest_price(package: PackageDetails, symbol: str) -> float | None:
    """Give the newest close there is, as a proposal; none when nobody knows one."""
    manifest = package_manifest.read(package)
    if not symbol or manifest is None or manifest.market.source != "candles":
        return None
    try:
        candles = client.list_candles(services().prediction, symbol, f"{manifest.market.interval_seconds}s", limit=1)
    except ServiceError:
        return None
    return candles.candles[0].close if candles.candles else None


def _change(package: PackageDetails, change: ChangeAccount, done: str) -> None:
    with guarded():
        client.change_account(services().prediction, package.id, change)
        note(done)
        st.rerun()


def _ask_start(package: PackageDetails, account: Account) -> None:
    @st.dialog(t("paper.start_title"), icon=":material/play_arrow:")
    def asking() -> None:
        st.write(t("paper.start_words"))
        symbol = st.text_input(t("paper.symbol"), value=market_of(package, account), key="start_symbol").strip()
        if once(st.button, t("paper.start"), type="primary", disabled=not symbol, key="start_do", width="stretch"):
            _change(
                package, ChangeAccount(auto_trade=True, symbol=symbol), t("paper.started", symbol=formats.plain(symbol))
            )
        release("start_do")

    asking()


def _ask_open(package: PackageDetails, account: Account) -> None:
    symbol = market_of(package, account)
    latest = _latest_price(package, symbol)

    @st.dialog(t("paper.open"), icon=":material/add:")
    def asking() -> None:
        st.write(t("paper.open_words"))
        chosen = st.text_input(t("paper.symbol"), value=symbol, key="open_symbol").strip()
        side: Side = st.segmented_control(
            t("paper.side"), ["LONG", "SHORT"], default="LONG", format_func=side_words, key="open_side", required=True
        )
        price = _price_input("open_price", latest)
        size = st.number_input(
            t("paper.size_own"), min_value=0.01, max_value=MOST_USDT, value=None, key="open_size", format="%.2f",
            placeholder=t("paper.size_by_rules"), help=t("paper.size_help"),
        )  # fmt: skip
        if once(
            st.button, t("paper.open_do"), type="primary", disabled=not chosen or price is None, key="open_do",
            width="stretch",
        ):  # fmt: skip
            with guarded():
                told = {"size_usdt": size} if size is not None else {}
                wanted = OpenPosition(model_id=package.id, symbol=chosen, side=side, price=price or 0.0, **told)
                made = client.open_position(services().prediction, wanted)
                usdt = formats.number(made.size_usdt, 2)
                symbol_words, at = formats.plain(made.symbol), formats.price(made.entry_price)
                note(t("paper.opened", side=made.side, size=usdt, symbol=symbol_words, price=at))
                st.rerun()
        release("open_do")

    asking()


def _ask_price(package: PackageDetails, account: Account) -> None:
    symbol = market_of(package, account)
    latest = _latest_price(package, symbol)

    @st.dialog(t("paper.tell"), icon=":material/sell:")
    def asking() -> None:
        st.write(t("paper.tell_words"))
        chosen = st.text_input(t("paper.symbol"), value=symbol, key="tell_symbol").strip()
        price = _price_input("tell_price", latest)
        if once(
            st.button, t("paper.tell_do"), type="primary", disabled=not chosen or price is None, key="tell_do",
            width="stretch",
        ):  # fmt: skip
            with guarded():
                done = client.update_price(services().prediction, PriceUpdate(symbol=chosen, price=price or 0.0))
                note(t("paper.told", marked=done.marked, closed=len(done.closed)), icon=":material/sell:")
                for one in done.skipped:
                    note(f"{formats.plain(one.account_id)}: {formats.plain(one.reason)}", icon=":material/warning:")
                st.rerun()
        release("tell_do")

    asking()


def _price_input(key: str, latest: float | None) -> float | None:
    return st.number_input(
        t("paper.price"), min_value=LEAST_PRICE, max_value=MOST_PRICE, value=latest, key=key, format="%.10g",
        help=t("paper.price_help"),
    )  # fmt: skip


def _ask_rules(package: PackageDetails, account: Account) -> None:
    @st.dialog(t("paper.edit"), icon=":material/rule:", width="large")
    def asking() -> None:
        st.write(t("paper.edit_words"))
        now, given = account.rules.model_dump(), dict[str, Any]()
        with st.form("paper_rules", border=False):
            with st.grid(2, min_column_width=230):
                for name, (least, most, step) in RULES.items():
                    kind = int if name == "max_positions" else float
                    given[name] = st.number_input(
                        t(f"paper.rule_{name}"), min_value=kind(least), max_value=kind(most), value=kind(now[name]),
                        step=kind(step), help=t(f"paper.rule_{name}_help"), key=f"rule_{name}",
                    )  # fmt: skip
            saved = once(st.form_submit_button, t("paper.save"), type="primary", key="rules_do", width="stretch")
        changed = {name: value for name, value in given.items() if value != now[name]}
        if saved and not changed:
            st.info(t("paper.unchanged"))
        elif saved:
            _save_rules(package, changed)
        release("rules_do")

    asking()


def _save_rules(package: PackageDetails, changed: dict[str, Any]) -> None:
    try:
        change = ChangeAccount(**changed)
    except ValidationError as error:
        st.error("; ".join(formats.plain(one["msg"]) for one in error.errors()))
        return
    _change(package, change, t("paper.saved"))


def _ask_reset(package: PackageDetails, account: Account) -> None:
    @st.dialog(t("paper.reset_title"), icon=":material/warning:")
    def asking() -> None:
        initial = formats.number(account.initial_balance)
        st.write(t("paper.reset_words", open=account.open_positions, initial=initial))
        is_kept = st.toggle(t("paper.keep"), value=True, help=t("paper.keep_help"), key="reset_keep")
        typed = st.text_input(t("states.type", words=formats.code(account.account_id)), key="reset_typed")
        left, right = st.columns(2)
        if left.button(t("states.cancel"), key="reset_cancel", width="stretch"):
            st.rerun()
        is_meant = typed.strip() == account.account_id
        pressed = once(
            right.button, t("paper.reset"), type="primary", disabled=not is_meant, key="reset_do", width="stretch"
        )
        if pressed and is_meant:
            with guarded():
                client.reset_account(services().prediction, package.id, keep_history=is_kept)
                note(t("paper.reset_done", id=formats.plain(account.account_id)), icon=":material/restart_alt:")
                st.rerun()
        release("reset_do")

    asking()


def side_words(side: str) -> str:
    """Give a side with its sign."""
    return f"▲ {side}" if side == "LONG" else f"▼ {side}"
