"""What became of predictions: calibration, alerts over time, phases, drift."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import altair as alt

from shared.contracts.statistics import CalibrationBin, Figures
from streamlit_ui.charts.palette import ALERT, DOWN, NEUTRAL, SERIES, UP
from streamlit_ui.formats import number, share
from streamlit_ui.session import UTC, t, zone

Chart = alt.Chart | alt.LayerChart | alt.FacetChart
Stretch = tuple[datetime, Figures]
Interval = tuple[float, float]
HEIGHT = 300
_LEAST_BARS = 12
_ROW_PIXELS = 34
_ROOM = 1.08
_SHORT_NAME = 24
_DECADES = [10**power for power in range(8)]
_DAY = timedelta(days=1)


def fates(figures: Figures) -> Chart:
    """Draw how many predictions are right, wrong, waiting and lost."""
    right = figures.prediction.tp + figures.prediction.tn
    counts = {
        "right": right,
        "wrong": figures.resolved - right,
        "pending": figures.pending,
        "unresolved": figures.unresolved,
    }
    names = [t(f"statistics.fate_{name}") for name in counts]
    values = [
        {"fate": name, "order": place, "rows": rows, "count": number(rows)}
        for place, (name, rows) in enumerate(zip(names, counts.values(), strict=True))
    ]
    drawn: alt.Chart = (
        chart(values, height=110)
        .mark_bar(height=26)
        .encode(
            x=alt.X("rows:Q", stack="normalize", title=None, axis=alt.Axis(format=".0%", grid=False, tickCount=5)),
            color=colours("fate:N", names, [UP, DOWN, SERIES[0], NEUTRAL]),
            order="order:Q",
            tooltip=[tip("fate", ""), tip("count", t("statistics.predictions"))],
        )
    )
    return drawn


def reliability(live: Sequence[CalibrationBin], hold_out: Sequence[CalibrationBin]) -> Chart:
    """Draw what was said against what came true, live and in the hold-out; on the diagonal both agree."""
    names = [t("statistics.live_figures"), t("statistics.hold_out")]
    values = [
        {
            "series": name, "said": one.mean_probability, "came": one.observed_rate, "rows": number(one.rows),
            "said_words": share(one.mean_probability), "came_words": share(one.observed_rate),
        }
        for name, bins in zip(names, (live, hold_out), strict=True)
        for one in bins
    ]  # fmt: skip
    edges = [edge for one in (*live, *hold_out) for edge in (one.mean_probability, one.observed_rate)]
    reach = min(1.0, _ROOM * max(edges, default=1.0))
    scale = alt.Scale(domain=[0, reach], nice=False)
    agreed = chart([{"at": 0}, {"at": reach}]).mark_line(strokeDash=[2, 4], color=NEUTRAL).encode(x="at:Q", y="at:Q")
    base = chart(values).encode(
        x=alt.X("said:Q", scale=scale, title=t("statistics.said"), axis=alt.Axis(format=".0%")),
        y=alt.Y("came:Q", scale=scale, title=t("statistics.came"), axis=alt.Axis(format=".0%")),
        color=colours("series:N", names, [SERIES[0], SERIES[1]]),
        tooltip=[
            tip("series", ""), tip("said_words", t("statistics.said")), tip("came_words", t("statistics.came")),
            tip("rows", t("statistics.rows")),
        ],
    )  # fmt: skip
    lines = base.mark_line(strokeWidth=2).encode(
        strokeDash=alt.StrokeDash("series:N", scale=alt.Scale(domain=names, range=[[1, 0], [6, 4]]), legend=None)
    )
    points = base.mark_point(filled=True, size=70, opacity=1).encode(
        shape=alt.Shape("series:N", scale=alt.Scale(domain=names, range=["circle", "square"]), legend=None)
    )
    return alt.layer(agreed, lines, points).properties(height=HEIGHT)


def bin_counts(live: Sequence[CalibrationBin], hold_out: Sequence[CalibrationBin]) -> Chart:
    """Draw how many rows each point of the reliability diagram rests on, and how wide its bin is."""
    names = [t("statistics.live_figures"), t("statistics.hold_out")]
    values = [
        {
            "series": name, "lower": one.lower, "upper": one.upper, "rows": one.rows, "words": number(one.rows),
            "bin": f"{number(one.lower * 100, 1)}–{number(one.upper * 100, 1)} %",
        }
        for name, bins in zip(names, (live, hold_out), strict=True)
        for one in bins
        if one.rows
    ]  # fmt: skip
    scale = alt.Scale(type="log", nice=False, domainMin=1)
    base = chart(values, height=HEIGHT).encode(
        y=alt.Y("rows:Q", scale=scale, title=t("statistics.rows"), axis=alt.Axis(values=_DECADES, format=",.0f")),
        color=colours("series:N", names, [SERIES[0], SERIES[1]]),
        tooltip=[tip("series", ""), tip("bin", t("statistics.said")), tip("words", t("statistics.rows"))],
    )
    x = alt.X("lower:Q", title=t("statistics.said"), axis=alt.Axis(format=".0%"))
    middle = base.transform_calculate(middle="(datum.lower + datum.upper) / 2")
    shape = alt.Shape("series:N", scale=alt.Scale(domain=names, range=["circle", "square"]), legend=None)
    return alt.layer(
        base.mark_rule(strokeWidth=3).encode(x=x, x2="upper:Q"),
        middle.mark_point(filled=True, size=70, opacity=1).encode(x="middle:Q", shape=shape),
    )


def volume(stretches: Sequence[Stretch], length: timedelta) -> Chart:
    """Draw how many predictions each stretch of time has."""
    values = [
        _span(start, length) | {"rows": figures.predictions, "words": number(figures.predictions)}
        for start, figures in stretches
    ]
    drawn: alt.Chart = (
        chart(values, height=220)
        .mark_bar(color=SERIES[0])
        .encode(
            x=_time_axis(stretches, length),
            y=alt.Y("rows:Q", title=t("statistics.predictions"), axis=alt.Axis(tickCount=4, format=",.0f")),
            tooltip=[tip("when", t("statistics.time")), tip("words", t("statistics.predictions"))],
        )
    )  # fmt: skip
    return drawn


def alerts(stretches: Sequence[Stretch], length: timedelta) -> Chart:
    """Draw the alerts of each stretch of time by what became of them."""
    names = [t(f"statistics.alert_{name}") for name in ("hit", "miss", "pending", "unresolved")]
    values = [
        _span(start, length) | {"fate": name, "order": place, "rows": rows, "words": number(rows)}
        for start, figures in stretches
        for place, (name, rows) in enumerate(
            zip(
                names,
                (figures.alert.tp, figures.alert.fp, figures.alert.pending, figures.alert.unresolved),
                strict=True,
            )
        )
        if rows
    ]
    drawn: alt.Chart = (
        chart(values, height=260)
        .mark_bar()
        .encode(
            x=_time_axis(stretches, length),
            y=alt.Y("rows:Q", title=t("statistics.alerts"), axis=alt.Axis(tickCount=4, format=",.0f")),
            color=colours("fate:N", names, [UP, DOWN, SERIES[0], NEUTRAL]),
            order="order:Q",
            tooltip=[tip("when", t("statistics.time")), tip("fate", ""), tip("words", t("statistics.alerts"))],
        )
    )  # fmt: skip
    return drawn


def precision(stretches: Sequence[Stretch], length: timedelta) -> Chart:
    """Draw the precision of each stretch of time beside its base rate."""
    names = [t("statistics.precision_alert"), t("statistics.precision_prediction"), t("statistics.base_rate")]
    values = [
        _span(start, length) | {"series": name, "share": value, "words": share(value), "n": number(known)}
        for start, figures in stretches
        for name, value, known in (
            (names[0], figures.alert.precision, figures.alert.tp + figures.alert.fp),
            (names[1], figures.prediction.precision, figures.prediction.tp + figures.prediction.fp),
            (names[2], figures.base_rate, figures.resolved),
        )
        if value is not None
    ]
    base = chart(values, height=260).encode(
        x=_time_axis(stretches, length),
        y=alt.Y("share:Q", title=t("statistics.share"), scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format=".0%")),
        color=colours("series:N", names, [ALERT, SERIES[0], SERIES[1]]),
        tooltip=[
            tip("when", t("statistics.time")), tip("series", ""), tip("words", t("statistics.share")),
            tip("n", t("statistics.known")),
        ],
    )  # fmt: skip
    dashes = alt.StrokeDash("series:N", scale=alt.Scale(domain=names, range=[[1, 0], [6, 4], [2, 3]]), legend=None)
    shapes = alt.Shape(
        "series:N", scale=alt.Scale(domain=names, range=["circle", "square", "triangle-up"]), legend=None
    )
    points = base.mark_point(filled=True, size=45, opacity=1).encode(shape=shapes)
    return alt.layer(base.mark_line(strokeWidth=2).encode(strokeDash=dashes), points)


def phases(rows: Iterable[tuple[str, Figures, Interval | None]]) -> Chart:
    """Draw the precision of alerts by phase, with its 95 % interval, beside the base rate."""
    found = list(rows)
    names = [t("statistics.precision_alert"), t("statistics.base_rate")]
    bars = [
        {
            "phase": name, "series": names[0], "share": figures.alert.precision,
            "words": share(figures.alert.precision), "n": number(figures.alert.tp + figures.alert.fp),
        }
        for name, figures, _ in found
        if figures.alert.precision is not None
    ]  # fmt: skip
    spans = [{"phase": name, "low": span[0], "high": span[1]} for name, _, span in found if span is not None]
    ticks = [
        {"phase": name, "series": names[1], "share": figures.base_rate, "words": share(figures.base_rate),
         "n": number(figures.resolved)}
        for name, figures, _ in found
        if figures.base_rate is not None
    ]  # fmt: skip
    order = [name for name, _, _ in found]
    y = alt.Y("phase:N", sort=order, title=None, scale=alt.Scale(domain=order), axis=alt.Axis(labelLimit=140))
    edges = [span[1] for _, _, span in found if span is not None] + [
        figures.base_rate or 0.0 for _, figures, _ in found
    ]
    scale = alt.Scale(domain=[0, min(1.0, _ROOM * max(edges))], nice=False)
    x = alt.X("share:Q", title=t("statistics.share"), scale=scale, axis=alt.Axis(format=".0%", tickCount=8))
    tooltip = [
        tip("phase", t("statistics.phase")), tip("series", ""), tip("words", t("statistics.share")),
        tip("n", t("statistics.known")),
    ]  # fmt: skip
    colour = colours("series:N", names, [ALERT, SERIES[1]])
    return alt.layer(
        chart(bars).mark_bar(height=14).encode(x=x, y=y, color=colour, tooltip=tooltip),
        chart(spans).mark_rule(color=NEUTRAL, strokeWidth=2).encode(x="low:Q", x2="high:Q", y=y),
        chart(ticks).mark_tick(thickness=4, size=24).encode(x=x, y=y, color=colour, tooltip=tooltip),
    ).properties(height=110 + _ROW_PIXELS * max(1, len(order)))


def _span(start: datetime, length: timedelta) -> dict[str, Any]:
    """Give where a stretch stands on the axis: its wall clock, which Vega draws as it comes."""
    begin = start.astimezone(_clock(length)).replace(tzinfo=None)
    return {"start": begin.isoformat(), "when": begin.strftime("%Y-%m-%d %H:%M")}


def _clock(length: timedelta) -> ZoneInfo:
    """Hours stand on the clock of the session; days are those of UTC everywhere."""
    return zone() if length < _DAY else UTC


def _time_axis(stretches: Sequence[Stretch], length: timedelta) -> alt.X:
    first, last = (edge(start for start, _ in stretches) for edge in (min, max))
    end = last + length
    domain = [_span(moment, length)["start"] for moment in (min(first, end - length * _LEAST_BARS), end)]
    words = alt.Axis(labelOverlap=True, format="%m-%d %H:%M" if length < _DAY else "%Y-%m-%d")
    return alt.X(
        "start:T", timeUnit="yearmonthdatehours" if length < _DAY else "yearmonthdate", bandPosition=0.5,
        title=t("statistics.time_of", zone=_clock(length).key), scale=alt.Scale(domain=domain), axis=words,
    )  # fmt: skip


def colours(field: str, names: list[str], chosen: Sequence[str], *, symbol_stroke: int = 0) -> alt.Color:
    """Tell series apart by colour, named above the chart; lines without points need a stroke in the legend."""
    columns = 2 if max(map(len, names)) <= _SHORT_NAME else 1
    legend = alt.Legend(title=None, orient="top", columns=columns, labelLimit=280, symbolStrokeWidth=symbol_stroke)
    return alt.Color(field, scale=alt.Scale(domain=names, range=list(chosen)), legend=legend)


def tip(field: str, title: str) -> alt.Tooltip:
    """Show a field as it is where the pointer stands."""
    return alt.Tooltip(f"{field}:N", title=title or " ")


def chart(values: list[dict[str, Any]], **properties: Any) -> alt.Chart:
    """Start a chart of values that stand in it as they are."""
    return alt.Chart(alt.Data(values=values), **properties)  # type: ignore[no-untyped-call]
