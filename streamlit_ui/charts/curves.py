"""Curves of a hold-out or a test: precision and recall, ROC, calibration, thresholds, confusion."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd

from shared.contracts.card import CardBin, CardConfusion, CardPrecisionPoint, CardRatePoint, CardThresholdPoint
from streamlit_ui.charts.palette import ALERT, DOWN, NEUTRAL, SERIES, UP
from streamlit_ui.formats import number, percent, share
from streamlit_ui.session import is_dark, t

Layered = alt.LayerChart | alt.FacetChart
HEIGHT = 300
_DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 4])
_SHAPES = ("circle", "square", "triangle-up", "diamond", "cross")
_MIDDLE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A threshold with its name, drawn where it lies."""

    name: str
    threshold: float
    point: CardThresholdPoint
    """The measured point next to it."""
    is_chosen: bool = False


def precision_recall(
    curves: Mapping[str, Sequence[CardPrecisionPoint]], *, base_rate: float | None, marks: Sequence[Mark] = ()
) -> Layered:
    """Draw precision over recall, one line a model; a dashed line is what guessing gives."""
    rows = [
        {"series": name, "x": one.recall, "y": one.precision, "order": order, "told": number(one.threshold, 3)}
        for name, points in curves.items()
        for order, one in enumerate(points)
    ]
    layers: list[alt.Chart | Layered] = [_lines(rows, list(curves), x=t("curves.recall"), y=t("curves.precision"))]
    if base_rate is not None:
        layers.append(_level(base_rate, t("curves.guessing", rate=share(base_rate))))
    places = [(one, one.point.recall, one.point.precision) for one in marks]
    return alt.layer(*layers, *_points(places)).properties(height=HEIGHT)


def roc(curves: Mapping[str, Sequence[CardRatePoint]], *, marks: Sequence[Mark] = ()) -> Layered:
    """Draw the true positive rate over the false positive rate; a mark lies where its recall is reached."""
    rows = [
        {"series": name, "x": one.fpr, "y": one.tpr, "order": order, "told": number(one.threshold, 3)}
        for name, points in curves.items()
        for order, one in enumerate(points)
    ]
    first = next(iter(curves.values()), ())
    places: list[tuple[Mark, float | None, float]] = []
    for mark in marks:
        at = min(
            (one for one in first if one.threshold is not None),
            key=lambda one: abs((one.threshold or 0) - mark.point.threshold), default=None,
        )  # fmt: skip
        if at is not None:
            places.append((mark, at.fpr, at.tpr))
    lines = _lines(rows, list(curves), x=t("curves.fpr"), y=t("curves.tpr"))
    return alt.layer(_diagonal(), lines, *_points(places)).properties(height=HEIGHT)


def calibration(series: Mapping[str, Sequence[CardBin]]) -> Layered:
    """Draw what happened over what was said; on the dashed line probabilities can be taken at their word."""
    rows = [
        {
            "series": name, "x": one.mean_probability, "y": one.observed_rate, "order": one.mean_probability,
            "told": number(one.rows),
        }
        for name, bins in series.items()
        for one in bins
    ]  # fmt: skip
    highest = [max(one.mean_probability, one.observed_rate) for bins in series.values() for one in bins]
    top = max([0.05, *highest]) * 1.05
    lines = _lines(
        rows, list(series), x=t("curves.said"), y=t("curves.happened"), told=t("curves.rows"), top=min(1.0, top),
        points=True,
    )  # fmt: skip
    return alt.layer(_diagonal(min(1.0, top)), lines).properties(height=HEIGHT)


def rates_by_threshold(points: Sequence[CardThresholdPoint], marks: Sequence[Mark]) -> Layered:
    """Draw precision and recall over the threshold."""
    names = [t("curves.precision"), t("curves.recall")]
    rows = [
        {"series": name, "x": one.threshold, "y": value, "order": one.threshold, "told": number(one.threshold, 3)}
        for one in points
        for name, value in zip(names, (one.precision, one.recall), strict=True)
        if value is not None
    ]
    lines = _lines(rows, names, x=t("curves.threshold"), y=t("curves.rate"))
    return alt.layer(lines, *_rules(marks)).properties(height=HEIGHT)


def money_by_threshold(points: Sequence[CardThresholdPoint], marks: Sequence[Mark]) -> Layered:
    """Draw the expected value of an alert over the threshold; below zero an alert loses money."""
    rows = [
        {
            "x": one.threshold, "y": one.expected_value_pct, "value": percent(one.expected_value_pct),
            "total": percent(one.total_return_pct), "alerts": number(one.alerts_per_day, 1),
        }
        for one in points
        if one.expected_value_pct is not None
    ]  # fmt: skip
    line = (
        alt.Chart(pd.DataFrame(rows, columns=["x", "y", "value", "total", "alerts"]))
        .mark_line(color=SERIES[2], strokeWidth=2, point=alt.OverlayMarkDef(size=12, filled=True, color=SERIES[2]))
        .encode(
            x=_rate_axis("x", t("curves.threshold")),
            y=alt.Y("y:Q", title=t("curves.expected_value")),
            tooltip=[
                alt.Tooltip("x:Q", title=t("curves.threshold"), format=".3f"),
                alt.Tooltip("value:N", title=t("curves.expected_value_short")),
                alt.Tooltip("total:N", title=t("curves.total_return")),
                alt.Tooltip("alerts:N", title=t("curves.alerts_per_day")),
            ],
        )
    )
    zero = alt.Chart(pd.DataFrame({"y": [0]})).mark_rule(color=NEUTRAL, strokeDash=[4, 4]).encode(y=alt.Y("y:Q"))
    return alt.layer(zero, line, *_rules(marks)).properties(height=HEIGHT)


def confusion(matrix: CardConfusion) -> Layered:
    """Draw hold-out rows by truth and prediction: how many, and which share of their truth."""
    yes, no = t("curves.yes"), t("curves.no")
    cells = [
        (yes, yes, matrix.tp, matrix.tp + matrix.fn, True), (yes, no, matrix.fn, matrix.tp + matrix.fn, False),
        (no, yes, matrix.fp, matrix.fp + matrix.tn, False), (no, no, matrix.tn, matrix.fp + matrix.tn, True),
    ]  # fmt: skip
    rows = [
        {
            "truth": truth, "said": said, "share": count / whole if whole else 0,
            "count": f"{'✓' if right else '✗'} {number(count)}", "part": share(count / whole if whole else None),
            "right": right,
        }
        for truth, said, count, whole, right in cells
    ]  # fmt: skip
    base = alt.Chart(pd.DataFrame(rows)).encode(
        x=alt.X("said:N", title=t("curves.prediction"), sort=[yes, no], axis=alt.Axis(orient="top", labelAngle=0)),
        y=alt.Y("truth:N", title=t("curves.truth"), sort=[yes, no]),
        tooltip=[
            alt.Tooltip("count:N", title=t("curves.rows")),
            alt.Tooltip("part:N", title=t("curves.part_of_truth")),
        ],
    )
    boxes = base.mark_rect(cornerRadius=6).encode(
        color=alt.Color("right:N", scale=alt.Scale(domain=[True, False], range=[UP, DOWN]), legend=None),
        opacity=alt.Opacity("share:Q", scale=alt.Scale(domain=[0, 1], range=[0.12, 0.55]), legend=None),
    )
    counts = base.mark_text(fontSize=16, fontWeight=600, dy=-8, color=_ink()).encode(text=alt.Text("count:N"))
    parts = base.mark_text(fontSize=12, dy=12, color=_ink()).encode(text=alt.Text("part:N"))
    return alt.layer(boxes, counts, parts).properties(height=190)


def _ink() -> str:
    return "#e6eaf1" if is_dark() else "#1b2330"


def _rate_axis(field: str, title: str, top: float = 1.0) -> alt.X:
    return alt.X(
        f"{field}:Q", title=title, scale=alt.Scale(domain=[0, top], nice=False), axis=alt.Axis(format="~g", tickCount=6)
    )


def _lines(
    rows: Sequence[Mapping[str, Any]], names: Sequence[str], *, x: str, y: str, told: str | None = None,
    top: float = 1.0, points: bool = False,
) -> alt.Chart:  # fmt: skip
    legend = (
        alt.Legend(orient="bottom", title=None, columns=2, labelLimit=300, symbolType="stroke")
        if len(names) > 1
        else None
    )
    colours = alt.Scale(domain=list(names), range=list(SERIES[: len(names)]))
    dashes = alt.Scale(domain=list(names), range=list(_DASHES[: len(names)]))
    frame = pd.DataFrame([dict(row) for row in rows], columns=["series", "x", "y", "order", "told"])
    overlay = alt.OverlayMarkDef(size=36, filled=True) if points else False
    drawn: alt.Chart = (
        alt.Chart(frame)
        .mark_line(strokeWidth=2, point=overlay)
        .encode(
            x=_rate_axis("x", x, top),
            y=alt.Y("y:Q", title=y, scale=alt.Scale(domain=[0, top], nice=False), axis=alt.Axis(format="~p")),
            color=alt.Color("series:N", scale=colours, legend=legend),
            strokeDash=alt.StrokeDash("series:N", scale=dashes, legend=legend),
            order=alt.Order("order:Q"),
            tooltip=[
                *([alt.Tooltip("series:N", title=t("curves.series"))] if len(names) > 1 else []),
                alt.Tooltip("x:Q", title=x, format=".3f"),
                alt.Tooltip("y:Q", title=y, format=".1%"),
                alt.Tooltip("told:N", title=told or t("curves.threshold")),
            ],
        )
    )
    return drawn


def _diagonal(top: float = 1.0) -> alt.Chart:
    ends = pd.DataFrame({"x": [0, top], "y": [0, top]})
    line = alt.Chart(ends).mark_line(color=NEUTRAL, strokeDash=[4, 4], strokeWidth=1)
    drawn: alt.Chart = line.encode(x=alt.X("x:Q"), y=alt.Y("y:Q"))
    return drawn


def _level(height: float, words: str) -> Layered:
    base = alt.Chart(pd.DataFrame({"x": [0.0], "y": [height], "words": [words]})).encode(y=alt.Y("y:Q"))
    rule = base.mark_rule(color=NEUTRAL, strokeDash=[4, 4])
    text = base.mark_text(align="left", dx=6, dy=-7, color=NEUTRAL, fontSize=11).encode(
        x=alt.X("x:Q"), text=alt.Text("words:N")
    )
    return alt.layer(rule, text)


def _points(places: Sequence[tuple[Mark, float | None, float]]) -> list[alt.Chart]:
    # The chosen one is drawn last and largest: it may lie on another.
    rows = [
        {
            "name": mark.name, "x": x, "y": y, "threshold": number(mark.threshold, 3),
            "size": 220 if mark.is_chosen else 90,
        }
        for mark, x, y in sorted(places, key=lambda place: place[0].is_chosen)
        if x is not None
    ]  # fmt: skip
    if not rows:
        return []
    names = [str(row["name"]) for row in rows]
    legend = alt.Legend(orient="bottom", title=None, symbolFillColor=ALERT, symbolStrokeColor=ALERT)
    return [
        alt.Chart(pd.DataFrame(rows))
        .mark_point(filled=True, opacity=1, stroke=_ink(), strokeWidth=1)
        .encode(
            x=alt.X("x:Q"),
            y=alt.Y("y:Q"),
            size=alt.Size("size:Q", scale=None),
            shape=alt.Shape(
                "name:N", legend=legend, scale=alt.Scale(domain=names, range=list(reversed(_SHAPES[: len(names)])))
            ),
            color=alt.value(ALERT),
            tooltip=[
                alt.Tooltip("name:N", title=t("curves.mark")),
                alt.Tooltip("threshold:N", title=t("curves.threshold")),
                alt.Tooltip("x:Q", format=".3f", title="x"),
                alt.Tooltip("y:Q", format=".3f", title="y"),
            ],
        )
    ]


def _rules(marks: Sequence[Mark]) -> list[alt.Chart]:
    if not marks:
        return []
    # Names of thresholds that lie close together stand one below the other.
    rows = [
        {
            "x": mark.threshold, "words": f"{mark.name} {number(mark.threshold, 3)}", "row": 10 + 14 * row,
            "align": "right" if mark.threshold > _MIDDLE else "left", "chosen": mark.is_chosen,
        }
        for row, mark in enumerate(marks)
    ]  # fmt: skip
    frame = pd.DataFrame(rows)
    rules = [
        alt.Chart(frame[frame["chosen"] == chosen])
        .mark_rule(color=colour, strokeDash=dash, strokeWidth=width)
        .encode(x=alt.X("x:Q"))
        for chosen, colour, dash, width in ((False, NEUTRAL, [4, 3], 1), (True, ALERT, [1, 0], 2))
        if (frame["chosen"] == chosen).any()
    ]
    texts = [
        alt.Chart(frame[frame["align"] == side])
        .mark_text(align=side, dx=-5 if side == "right" else 5, fontSize=11, color=_ink())
        .encode(x=alt.X("x:Q"), y=alt.Y("row:Q", scale=None, axis=None), text=alt.Text("words:N"))
        for side in ("left", "right")
        if (frame["align"] == side).any()
    ]
    return [*rules, *texts]
