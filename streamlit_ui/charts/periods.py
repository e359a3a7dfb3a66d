"""What changes from one stretch of time, fold or part to the next."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import altair as alt
import pandas as pd

from shared.contracts.card import CardEarnings
from streamlit_ui.charts.palette import NEUTRAL, SERIES
from streamlit_ui.formats import moment, number, percent, share
from streamlit_ui.session import t, zone

Layered = alt.LayerChart | alt.FacetChart
Unit = Literal["share", "percent", "score"]
# The height of a chart holds its axis, too.
_AXIS = 56
_LONG = timedelta(days=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A figure of one stretch of time."""

    start: datetime
    value: float | None
    beside: float | None = None
    """What it is measured against."""
    told: str = ""
    """How much it rests on."""


def over_time(
    steps: Sequence[Step], *, title: str, unit: Unit, beside: str | None = None, zero: bool = False, height: int = 200
) -> Layered:
    """Draw a figure over the stretches of time; dashed, what it is measured against."""
    rows = [
        # Without a zone the browser draws the moment as it stands: on the session's clock.
        {
            "start": one.start.astimezone(zone()).strftime("%Y-%m-%dT%H:%M:%S"), "value": one.value,
            "beside": one.beside, "when": moment(one.start, seconds=False), "shown": _shown(one.value, unit),
            "shown_beside": _shown(one.beside, unit), "told": one.told,
        }
        for one in steps
    ]  # fmt: skip
    frame = pd.DataFrame(
        rows, columns=["start", "value", "beside", "when", "shown", "shown_beside", "told"]
    )  # fmt: skip
    tooltip = [
        alt.Tooltip("when:N", title=t("card.from")),
        alt.Tooltip("shown:N", title=title),
        *([alt.Tooltip("shown_beside:N", title=beside)] if beside else []),
        *([alt.Tooltip("told:N", title=t("card.rests_on"))] if any(one.told for one in steps) else []),
    ]
    is_long = bool(steps) and steps[-1].start - steps[0].start > _LONG
    axis = alt.Axis(format="~p") if unit == "share" else alt.Axis()
    base = alt.Chart(frame).encode(
        x=alt.X(
            "start:T",
            title=None,
            axis=alt.Axis(labelOverlap=True, tickCount=6, format="%m-%d" if is_long else "%H:%M"),
        ),
        tooltip=tooltip,
    )
    line = base.mark_line(strokeWidth=2, color=SERIES[0], point=alt.OverlayMarkDef(size=36, color=SERIES[0])).encode(
        y=alt.Y("value:Q", title=title, axis=axis, scale=alt.Scale(zero=unit == "share"))
    )
    layers: list[alt.Chart] = [line]
    if beside:
        layers.append(base.mark_line(strokeDash=[5, 3], strokeWidth=1.5, color=NEUTRAL).encode(y=alt.Y("beside:Q")))
    if zero:
        layers.append(
            alt.Chart(pd.DataFrame({"y": [0]})).mark_rule(color=NEUTRAL, strokeDash=[4, 4]).encode(y=alt.Y("y:Q"))
        )
    return alt.layer(*layers).properties(height=height)


def folds(train: Sequence[float | None], test: Sequence[float | None], *, title: str) -> Layered:
    """Draw a score of each fold on the rows it was fitted on and on the rows after them."""
    parts = (t("card.fold_train"), t("card.fold_test"))
    rows = [
        {"fold": str(fold + 1), "part": part, "score": score, "told": number(score, 3)}
        for part, scores in zip(parts, (train, test), strict=True)
        for fold, score in enumerate(scores)
        if score is not None
    ]
    gaps = [
        {"fold": str(fold + 1), "low": low, "high": high}
        for fold, (low, high) in enumerate(zip(train, test, strict=False))
        if low is not None and high is not None
    ]
    legend = alt.Legend(orient="bottom", title=None)
    points = (
        alt.Chart(pd.DataFrame(rows, columns=["fold", "part", "score", "told"]))
        .mark_point(size=110, filled=True, opacity=1)
        .encode(
            x=alt.X("fold:N", title=t("card.fold"), axis=alt.Axis(labelAngle=0)),
            y=alt.Y("score:Q", title=title, scale=alt.Scale(zero=True)),
            color=alt.Color("part:N", scale=alt.Scale(domain=list(parts), range=[NEUTRAL, SERIES[0]]), legend=legend),
            shape=alt.Shape("part:N", scale=alt.Scale(domain=list(parts), range=["square", "circle"]), legend=legend),
            tooltip=[
                alt.Tooltip("fold:N", title=t("card.fold")),
                alt.Tooltip("part:N", title=t("card.part")),
                alt.Tooltip("told:N", title=title),
            ],
        )
    )
    between = (
        alt.Chart(pd.DataFrame(gaps, columns=["fold", "low", "high"]))
        .mark_rule(color=NEUTRAL, strokeWidth=2, opacity=0.5)
        .encode(x=alt.X("fold:N"), y=alt.Y("low:Q"), y2=alt.Y2("high:Q"))
    )
    return alt.layer(between, points).properties(height=260)


def earnings(parts: Sequence[tuple[str, CardEarnings]]) -> Layered:
    """Draw the mean return of each way of counting with its interval, and zero."""
    rows = [
        {
            "name": name, "mean": one.mean_pct, "low": one.low_pct, "high": one.high_pct,
            "told": percent(one.mean_pct), "interval": f"{percent(one.low_pct)} … {percent(one.high_pct)}",
        }
        for name, one in parts
    ]  # fmt: skip
    names = [name for name, _ in parts]
    frame = pd.DataFrame(rows, columns=["name", "mean", "low", "high", "told", "interval"])
    base = alt.Chart(frame).encode(
        y=alt.Y("name:N", sort=names, title=None, axis=alt.Axis(labelLimit=200)),
        tooltip=[
            alt.Tooltip("name:N", title=t("card.counted")),
            alt.Tooltip("told:N", title=t("card.mean")),
            alt.Tooltip("interval:N", title=t("card.interval")),
        ],
    )
    spread = base.mark_rule(strokeWidth=3, color=SERIES[0], opacity=0.5).encode(x=alt.X("low:Q"), x2=alt.X2("high:Q"))
    point = base.mark_point(size=120, filled=True, color=SERIES[0], opacity=1).encode(
        x=alt.X("mean:Q", title=t("card.mean_axis"))
    )
    zero = alt.Chart(pd.DataFrame({"x": [0]})).mark_rule(color=NEUTRAL, strokeDash=[4, 4]).encode(x=alt.X("x:Q"))
    return alt.layer(zero, spread, point).properties(height=34 * len(parts) + _AXIS)


def waterfall(steps: Sequence[tuple[str, int, int]], *, whole: int) -> Layered:
    """Draw rows as bars from `low` to `high`: what is left out on the way from all rows to each part."""
    rows = [
        {
            "name": name, "low": low, "high": high,
            "told": f"{number(high - low)} ({share((high - low) / whole if whole else None)})",
            "kind": "left_out" if place else "kept",
        }
        for name, low, high, place in ((*step, step[0].startswith("−")) for step in steps)
    ]  # fmt: skip
    names = [name for name, _, _ in steps]
    base = alt.Chart(pd.DataFrame(rows, columns=["name", "low", "high", "told", "kind"])).encode(
        y=alt.Y("name:N", sort=names, title=None, axis=alt.Axis(labelLimit=200, ticks=False, labelPadding=6)),
        tooltip=[alt.Tooltip("name:N", title=t("card.part")), alt.Tooltip("told:N", title=t("card.rows_axis"))],
    )
    colours = alt.Scale(domain=["kept", "left_out"], range=[SERIES[0], NEUTRAL])
    bars = base.mark_bar(height=16, opacity=0.85).encode(
        x=alt.X(
            "low:Q", title=t("card.rows_axis"), axis=alt.Axis(format=",.0f"), scale=alt.Scale(domain=[0, whole * 1.18])
        ),
        x2=alt.X2("high:Q"),
        color=alt.Color("kind:N", scale=colours, legend=None),
    )
    texts = base.mark_text(align="left", dx=6, color=NEUTRAL).encode(x=alt.X("high:Q"), text=alt.Text("told:N"))
    return alt.layer(bars, texts).properties(height=30 * len(rows) + _AXIS)


def by_phase(rows: Sequence[tuple[str, float, int]]) -> Layered:
    """Draw the share of positive rows by phase."""
    frame = pd.DataFrame(
        [{"name": name, "rate": rate, "told": share(rate), "rows": number(count)} for name, rate, count in rows],
        columns=["name", "rate", "told", "rows"],
    )
    base = alt.Chart(frame).encode(
        y=alt.Y("name:N", sort=None, title=None, axis=alt.Axis(labelLimit=200, ticks=False, labelPadding=6)),
        tooltip=[
            alt.Tooltip("name:N", title=t("card.phase")),
            alt.Tooltip("told:N", title=t("card.base_rate")),
            alt.Tooltip("rows:N", title=t("card.rows_axis")),
        ],
    )
    bars = base.mark_bar(color=SERIES[0], opacity=0.8, height=16).encode(
        x=alt.X("rate:Q", title=t("card.base_rate"), axis=alt.Axis(format="~p"))
    )
    texts = base.mark_text(align="left", dx=5, color=NEUTRAL).encode(x=alt.X("rate:Q"), text=alt.Text("told:N"))
    return alt.layer(bars, texts).properties(height=len(rows) * 34 + _AXIS)


def _shown(value: float | None, unit: Unit) -> str:
    match unit:
        case "share":
            return share(value)
        case "percent":
            return percent(value)
        case "score":
            return number(value, 3)
