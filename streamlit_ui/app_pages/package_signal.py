"""What a package says of a market now, drawn behind its candles, and acting on it."""

import re
from datetime import timedelta
from typing import Literal

import pandas as pd
import streamlit as st

from shared.contracts.candles import interval_text
from shared.contracts.packages import Manifest, PackageDetails
from shared.contracts.paper import SignalTaken, TakeSignal
from shared.contracts.signals import PackageSignal
from streamlit_ui import formats
from streamlit_ui.address import select
from streamlit_ui.app_pages import package_candles, package_manifest
from streamlit_ui.charts.forecast import Quantiles, forecast_chart
from streamlit_ui.client import packages as client
from streamlit_ui.client.transport import Refused
from streamlit_ui.session import services, t
from streamlit_ui.states import empty, guarded, live, once, release
from streamlit_ui.tables import dataframe

LOOK_SECONDS = 30.0
SPANS = (1, 2, 4)
"""How many times as long as the forecast the past is shown; as long is the usual."""
MOST_CANDLES = 999
MOST_SYMBOLS = 1000
DEAR = 1000.0
CHEAP = 0.1
HOURS = (1, 4, 12, 24, 48)
_TAKEN = "signal_taken"
_COUNTED = re.compile(r"have (\d+) of (\d+) candles")
_BARE = {"displayModeBar": False, "scrollZoom": False}
_ICONS = {"LONG": ":material/trending_up:", "SHORT": ":material/trending_down:", "FLAT": ":material/trending_flat:"}
_COLOURS: dict[str, Literal["green", "red", "gray"]] = {"LONG": "green", "SHORT": "red", "FLAT": "gray"}
_ARROWS: dict[str, Literal["up", "down", "off"]] = {"bullish": "up", "bearish": "down", "neutral": "off"}


def draw(package: PackageDetails) -> None:
    """Draw the tab."""
    manifest = package_manifest.read(package)
    if package.status == "ARCHIVED" or package.warmup_status == "FAILED":
        empty(t("signal.no_answer"), icon=":material/do_not_disturb_on:")
        return
    if package.status == "UPLOADED" or manifest is None:
        empty(t("signal.not_checked"), icon=":material/policy:")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        symbol = _choose_symbol(manifest)
        bars = select(
            t("signal.bars"), _bars(manifest), name="bars", words=lambda one: _reach(one, manifest), width=140
        )
    if not symbol:
        empty(t("signal.no_symbol"), icon=":material/candlestick_chart:")
        return
    live(LOOK_SECONDS)(_draw_signal)(package, manifest, symbol, bars)


def _choose_symbol(manifest: Manifest) -> str | None:
    market = manifest.market
    if market.source == "coin_metrics":
        with st.container(width=420):
            return st.text_input(t("signal.mint"), value=market.symbol or "", key="signal_mint").strip() or None
    interval = interval_text(market.interval_seconds)
    series = client.list_symbols(services().prediction, limit=MOST_SYMBOLS).series
    there = [one.symbol for one in series if one.interval == interval]
    names = list(dict.fromkeys([*([market.symbol] if market.symbol else []), *there]))
    if not names:
        return None
    return select(
        t("signal.symbol"), names, name="symbol", width=195,
        words=lambda one: t("signal.own", symbol=one) if one == market.symbol else one,
    )  # fmt: skip


def _bars(manifest: Manifest) -> list[int]:
    # What a page of candles holds is the most.
    return list(dict.fromkeys(min(one * manifest.forecast.prediction_length, MOST_CANDLES) for one in SPANS))


def _reach(bars: int, manifest: Manifest) -> str:
    return t("signal.reach", span=formats.duration(bars * manifest.market.interval_seconds))


def _draw_signal(package: PackageDetails, manifest: Manifest, symbol: str, bars: int) -> None:
    prediction = services().prediction
    try:
        with st.spinner(t("signal.asking"), show_time=True):
            said = client.get_signal(prediction, package.id, symbol=symbol)
    except Refused as error:
        if not (counted := _COUNTED.search(error.message)):
            raise
        if error.message != package.warmup_error:
            st.warning(f"**{t('signal.too_few')}**\n\n{formats.plain(error.message)}", icon=":material/hourglass_top:")
        _draw_missing(int(counted[1]), int(counted[2]), symbol=symbol, manifest=manifest)
        return
    if package.warmup_status != "DONE":
        # The question warmed it up: the badges above are of before.
        st.rerun()
    _draw_figures(said)
    if said.diagnostics.age:
        st.warning(formats.plain(said.diagnostics.age), icon=":material/schedule:")
    with guarded():
        _draw_chart(package, manifest, said, bars)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _draw_horizons(said, manifest)
    with right:
        _draw_act(package, said)
    with st.expander(t("signal.diagnostics"), icon=":material/troubleshoot:"):
        _draw_diagnostics(said)


def _draw_missing(have: int, needed: int, *, symbol: str, manifest: Manifest) -> None:
    words = t("signal.have", have=formats.number(have), needed=formats.number(needed))
    missing = (needed - have) * manifest.market.interval_seconds
    st.progress(min(have / needed, 1.0), text=f"{words} · {t('signal.missing_for', span=formats.duration(missing))}")
    if manifest.market.source == "candles":
        package_candles.draw_coverage(symbol, interval_text(manifest.market.interval_seconds))


def _draw_figures(said: PackageSignal) -> None:
    found = said.diagnostics
    with st.grid(4, min_column_width=150):
        st.metric(
            t("signal.signal"), said.signal, icon=_ICONS[said.signal], border=True, delta=t(f"signal.{said.sentiment}"),
            delta_arrow=_ARROWS[said.sentiment], delta_color=_COLOURS[said.signal],
            help=t("signal.signal_help"), height="stretch",
        )  # fmt: skip
        st.metric(
            t("signal.confidence"), formats.number(said.confidence), border=True,
            help=t("signal.confidence_help"), delta=t("signal.of_99"), delta_arrow="off",
            delta_color="gray", height="stretch",
        )  # fmt: skip
        st.metric(
            t("signal.price"), formats.price(said.current_price), border=True, delta=formats.plain(said.symbol),
            delta_arrow="off", delta_color="gray", help=t("signal.price_help"), height="stretch",
        )  # fmt: skip
        st.metric(
            t("signal.age"), formats.duration(found.age_seconds), border=True,
            delta=formats.moment(found.candle_close_time, seconds=False), delta_arrow="off",
            delta_color="orange" if found.age else "gray", help=t("signal.age_help"), height="stretch",
        )  # fmt: skip


def _draw_chart(package: PackageDetails, manifest: Manifest, said: PackageSignal, bars: int) -> None:
    prediction, candles = services().prediction, []
    if said.diagnostics.source == "candles":
        interval = interval_text(said.diagnostics.interval_seconds)
        candles = client.list_candles(prediction, said.symbol, interval, limit=bars + 1).candles
    held = client.list_positions(prediction, package.id, status="OPEN").positions
    quantiles = manifest.forecast.quantiles
    figure = forecast_chart(
        candles, said, band=Quantiles(lower=100 * quantiles[0], upper=100 * quantiles[-1]),
        held=[one for one in held if one.symbol == said.symbol],
    )  # fmt: skip
    st.plotly_chart(
        figure, theme="streamlit", config=_BARE,
        alt=t("signal.chart_alt", symbol=said.symbol, package=package.name), key="signal_chart",
    )  # fmt: skip


def _draw_horizons(said: PackageSignal, manifest: Manifest) -> None:
    st.subheader(t("signal.expected"))
    values, interval = said.forecast_values, said.diagnostics.interval_seconds
    outer = [manifest.forecast.quantiles[0], manifest.forecast.quantiles[-1]]
    low, high = (t("signal.quantile", share=f"{100 * one:g}") for one in outer)
    rows = []
    for hours in HOURS:
        step = round(timedelta(hours=hours).total_seconds() / interval) - 1
        if 0 <= step < len(values.times):
            rows.append(
                {
                    t("signal.in"): formats.number(hours, 0, "h"),
                    t("signal.median"): _with_change(values.median_price[step], said),
                    low: _with_change(values.lower_price[step], said),
                    high: _with_change(values.upper_price[step], said),
                }
            )
    dataframe(pd.DataFrame(rows), hide_index=True, width="stretch")
    st.caption(t("signal.expected_help"))


def _with_change(price: float, said: PackageSignal) -> str:
    digits = 2 if price >= DEAR else 4
    told = formats.number(price, digits) if price >= CHEAP else formats.price(price)
    return f"{told} ({formats.percent(100 * (price / said.current_price - 1))})"


def _draw_act(package: PackageDetails, said: PackageSignal) -> None:
    st.subheader(t("signal.act"))
    st.caption(t("signal.act_help"))
    words = t(
        "signal.act_on", signal=said.signal, symbol=formats.plain(said.symbol), price=formats.price(said.current_price)
    )
    if once(st.button, words, icon=_ICONS[said.signal], type="primary", key="signal_act", width="stretch"):
        wanted = TakeSignal(
            model_id=package.id, symbol=said.symbol, signal=said.signal, confidence=said.confidence,
            current_price=said.current_price,
        )  # fmt: skip
        told = st.session_state.setdefault(_TAKEN, {})
        with guarded():
            told[package.id] = client.take_signal(services().prediction, wanted)
        release("signal_act")
    if taken := st.session_state.get(_TAKEN, {}).get(package.id):
        _draw_taken(taken)


def _draw_taken(taken: SignalTaken) -> None:
    lines = [f"**{formats.plain(taken.reason)}**", *(f"- {formats.code(action)}" for action in taken.actions)]
    shown = st.success if taken.opened or taken.closed else st.info
    shown("\n".join(lines), icon=":material/check:" if taken.opened or taken.closed else ":material/info:")


def _draw_diagnostics(said: PackageSignal) -> None:
    found = said.diagnostics
    scaled = (
        t("signal.scaled_all")
        if not found.scaler.from_warmup_rows
        else formats.plain(", ".join(found.scaler.from_warmup_rows))
    )
    used = [formats.number(found.candles_used), formats.plain(found.source), interval_text(found.interval_seconds)]
    if found.candles_without_trades:
        used.append(t("signal.made_up", count=formats.number(found.candles_without_trades)))
    rows = {
        "lookback_rows": formats.number(found.lookback_rows_used),
        "candles_used": " · ".join(used),
        "feature_dim": formats.number(found.feature_dim),
        "scaler": f"{t(f'signal.scaler_{found.scaler.source}')} ({scaled})",
        "probe": package_manifest.probe_words(found.probe),
        "action_raw": ", ".join(formats.number(one, 4) for one in said.action_raw),
        "networks": formats.plain(f"{found.forecast_arch} · {found.policy_algorithm}"),
        "files": " · ".join(formats.code(f"{one[:12]}…") for one in (found.forecast_sha256, found.ppo_sha256)),
    }
    package_manifest.facts({t(f"signal.{name}"): value for name, value in rows.items()})
