"""What a paper account was worth over time, beside buying and holding, and how far it fell from its peaks."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any

import altair as alt
import pandas as pd
from babel.numbers import format_decimal, format_percent

from shared.contracts.paper_reports import EquityPoint
from streamlit_ui.charts.palette import DOWN, NEUTRAL, SERIES
from streamlit_ui.session import language, t, zone

HEIGHT = 320
DRAWDOWN_HEIGHT = 150
_ROOM = 52


def drawdowns(points: Sequence[EquityPoint]) -> list[float]:
    """Give how far each point lies below the highest before it: a share from −1 to 0."""
    peaks = accumulate((point.equity for point in points), max)
    return [point.equity / peak - 1 if peak > 0 else 0.0 for point, peak in zip(points, peaks, strict=True)]


def equity_chart(points: Sequence[EquityPoint], *, initial: float, symbol: str | None) -> Any:
    """Draw equity, what the same money held in the market would be worth, and where it began."""
    account, held = t("paper.account"), t("paper.hold", symbol=symbol or "")
    rows = [
        {
            "time": _clock(point.recorded_at),
            "shown": _shown(point.recorded_at),
            "line": line,
            "usdt": value,
            "told": _told(value),
        }
        for point in points
        for line, value in ((account, point.equity), (held, point.buy_and_hold))
        if value is not None
    ]
    lines = list(dict.fromkeys(str(row["line"]) for row in rows))
    base = alt.Chart(pd.DataFrame(rows))
    curve = base.mark_line(interpolate="step-after", strokeWidth=2).encode(
        x=_time(),
        y=alt.Y("usdt:Q", title=t("paper.axis_equity"), axis=_values(",.0f"), scale=alt.Scale(zero=False, nice=True)),
        color=alt.Color(
            "line:N", title=None, legend=alt.Legend(orient="top", labelLimit=300),
            scale=alt.Scale(domain=lines, range=[SERIES[0], SERIES[1]][: len(lines)]),
        ),
        strokeDash=alt.StrokeDash("line:N", legend=None, scale=alt.Scale(domain=lines, range=[[1, 0], [6, 4]])),
    )  # fmt: skip
    points_under = base.mark_point(filled=True, size=60, opacity=0).encode(
        x=_time(), y="usdt:Q", tooltip=_tooltip(t("paper.usdt"))
    )
    began = alt.Chart(pd.DataFrame([{"usdt": initial}])).mark_rule(color=NEUTRAL, strokeDash=[2, 3]).encode(
        y="usdt:Q"
    )  # fmt: skip
    return alt.layer(began, curve, points_under).properties(height=HEIGHT)


def drawdown_chart(points: Sequence[EquityPoint]) -> Any:
    """Draw how far equity lies below its highest so far."""
    rows = [
        {
            "time": _clock(point.recorded_at),
            "shown": _shown(point.recorded_at),
            "line": t("paper.drawdown"),
            "fall": fall,
            "told": format_percent(fall, "0.00 %", locale=language()),
        }
        for point, fall in zip(points, drawdowns(points), strict=True)
    ]
    return (
        alt.Chart(pd.DataFrame(rows))
        .mark_area(interpolate="step-after", color=DOWN, opacity=0.35, line={"color": DOWN, "strokeWidth": 1.5})
        .encode(
            x=_time(),
            y=alt.Y("fall:Q", title=t("paper.axis_drawdown"), axis=_values(".2~%", ticks=4)),
            tooltip=_tooltip(t("paper.drawdown")),
        )
        .properties(height=DRAWDOWN_HEIGHT)
    )


def _time() -> alt.X:
    return alt.X("time:T", title=t("paper.axis_time", zone=zone().key), scale=alt.Scale(type="utc"), axis=_times())


def _times() -> alt.Axis:
    return alt.Axis(format="%d.%m. %H:%M" if language() == "de" else "%b %d %H:%M", labelOverlap=True, tickCount=8)


def _values(pattern: str, *, ticks: int = 6) -> alt.Axis:
    """Write numbers so; room is kept so that charts below each other are in line."""
    return alt.Axis(format=pattern, tickCount=ticks, minExtent=_ROOM)


def _tooltip(title: str) -> list[alt.Tooltip]:
    return [
        alt.Tooltip("shown:N", title=t("paper.time")),
        alt.Tooltip("line:N", title=" "),
        alt.Tooltip("told:N", title=title),
    ]


def _clock(moment: datetime) -> str:
    """Give the clock of the session as if it were UTC: the chart shows what stands in it, wherever the browser is."""
    return moment.astimezone(zone()).replace(tzinfo=UTC).isoformat()


def _told(usdt: float) -> str:
    return format_decimal(usdt, "#,##0.00", locale=language())


def _shown(moment: datetime) -> str:
    return moment.astimezone(zone()).strftime("%Y-%m-%d %H:%M:%S")
