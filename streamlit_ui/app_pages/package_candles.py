"""Candles that packages live on: markets, how far they reach, what is missing, feeds from exchanges."""

from datetime import datetime

import pandas as pd
import streamlit as st

from shared.contracts.candle_feeds import CandleFeed
from streamlit_ui import formats
from streamlit_ui.address import select
from streamlit_ui.client import packages as client
from streamlit_ui.session import services, t
from streamlit_ui.states import badge, empty, guarded
from streamlit_ui.tables import dataframe, moment_column

MOST_SYMBOLS = 1000
MOST_GAPS = 200


def draw() -> None:
    """Draw the view."""
    with guarded():
        _draw_markets()
    with guarded():
        _draw_feeds()


def draw_coverage(symbol: str, interval: str) -> None:
    """Draw what there is of a market, and the holes in it."""
    found = client.get_coverage(services().prediction, symbol, interval)
    holes = t("packages.in_gaps", count=formats.number(found.total_gaps)) if found.total_gaps else t("packages.no_gaps")
    with st.grid(4, min_column_width=150):
        st.metric(t("packages.candles"), formats.number(found.candles), border=True, height="stretch")
        _draw_moment(t("packages.first"), found.first)
        _draw_moment(t("packages.last"), found.last)
        st.metric(
            t("packages.missing"), formats.number(found.missing), border=True, help=t("packages.missing_help"),
            delta=holes, delta_arrow="off", delta_color="orange" if found.total_gaps else "green",
            height="stretch",
        )  # fmt: skip
    if not found.gaps:
        return
    rows = [{"since": gap.since, "until": gap.until, "missing": gap.missing} for gap in found.gaps[:MOST_GAPS]]
    dataframe(
        pd.DataFrame(rows), hide_index=True, width="stretch",
        column_config={
            "since": moment_column(t("packages.gap_since"), seconds=False),
            "until": moment_column(t("packages.gap_until"), seconds=False),
            "missing": st.column_config.NumberColumn(t("packages.gap_missing"), format="localized"),
        },
    )  # fmt: skip
    if found.total_gaps > len(rows):
        st.caption(t("packages.more_gaps", shown=len(rows), total=formats.number(found.total_gaps)))


def _draw_moment(label: str, moment: datetime | None) -> None:
    day, _, clock = formats.moment(moment, seconds=False).partition(" ")
    st.metric(label, day, border=True, height="stretch", delta=clock or None, delta_arrow="off", delta_color="gray")


def _draw_markets() -> None:
    st.subheader(t("packages.markets"))
    found = client.list_symbols(services().prediction, limit=MOST_SYMBOLS)
    if not found.series:
        empty(t("packages.no_candles"), icon=":material/candlestick_chart:")
        return
    markets = {f"{one.symbol} {one.interval}": one for one in found.series}
    rows = [
        {
            "symbol": one.symbol, "interval": one.interval, "first": one.first, "last": one.last,
            "age": formats.age(one.last),
        }
        for one in found.series
    ]  # fmt: skip
    dataframe(
        pd.DataFrame(rows), hide_index=True, width="stretch",
        column_config={
            "symbol": t("packages.symbol"), "interval": t("packages.interval"),
            "first": moment_column(t("packages.first"), seconds=False),
            "last": moment_column(t("packages.last"), seconds=False), "age": t("packages.newest"),
        },
    )  # fmt: skip
    if found.next_after:
        st.caption(t("packages.more_markets", count=formats.number(MOST_SYMBOLS)))
    chosen = markets[select(t("packages.coverage"), list(markets), name="market", width=320)]
    draw_coverage(chosen.symbol, chosen.interval)


def _draw_feeds() -> None:
    st.subheader(t("packages.feeds"))
    feeds = client.list_feeds(services().prediction).feeds
    if not feeds:
        empty(t("packages.no_feeds"), icon=":material/rss_feed:")
    for feed in feeds:
        with st.container(border=True):
            st.markdown(f"**{formats.plain(feed.feed)}** → {formats.code(feed.symbol)} {_state(feed)}")
            times = t("packages.feed_last", moment=formats.moment(feed.last_candle), age=formats.age(feed.last_candle))
            st.caption(times if feed.last_candle else t("packages.feed_none"))
            if feed.error:
                since = t("packages.feed_since", age=formats.age(feed.error_since)) if feed.error_since else ""
                st.error(f"{formats.plain(feed.error)}\n\n{since}".strip(), icon=":material/error:")
            if feed.note:
                st.warning(formats.plain(feed.note), icon=":material/info:")


def _state(feed: CandleFeed) -> str:
    if feed.error:
        return badge("bad", t("packages.feed_bad"))
    if feed.updated_at is None:
        return badge("off", t("packages.feed_off"))
    return badge("good", t("packages.feed_good"))
