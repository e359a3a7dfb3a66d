"""The course of a coin: value and volume, what models said of it, and the move one of them foretold."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import altair as alt
import pandas as pd

from shared.contracts.prediction import HistoryRow
from streamlit_ui.charts.palette import ALERT, DOWN, NEUTRAL, SERIES, UP
from streamlit_ui.formats import price, share
from streamlit_ui.session import t, zone

PRICE_PIXELS: Final = 380
VOLUME_PIXELS: Final = 190
_AXIS_PIXELS: Final = 74
"""Room for the numbers of both charts, so that their times stand below each other."""
SHAPES: Final = {"alert": "triangle-up", "yes": "diamond", "no": "circle"}
COLOURS: Final = {"alert": ALERT, "yes": SERIES[1], "no": NEUTRAL}
SIZES: Final = {"alert": 110, "yes": 55, "no": 14}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A prediction on the curve."""

    at: datetime
    value: float
    kind: str
    """alert, yes or no."""
    model: str
    probability: float
    outcome: str
    """In words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What one prediction was about."""

    start: datetime
    end: datetime | None
    """Start + horizon; None where the model asks of the row itself."""
    value: float | None
    """Of the target at the row; None where that row is not in view."""
    threshold: float | None
    """What the target must reach; None where that is no value of this chart."""
    highest: float | None
    """Known once the outcome is."""
    lowest: float | None
    is_rise: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """All that the picture shows."""

    rows: Sequence[HistoryRow]
    column: str
    """Of the rows: the target of the model, or price_close."""
    marks: Sequence[Mark]
    move: Move | None


def has_candles(course: Course) -> bool:
    """Tell whether open, high and low are there."""
    return course.column == "price_close" and any(
        None not in (row.price_open, row.price_high, row.price_low, row.price_close) for row in course.rows
    )


def line_chart(course: Course) -> alt.LayerChart | alt.FacetChart:
    """Draw the value as a line."""
    frame = pd.DataFrame(
        {"at": wall(row.timestamp), "value": getattr(row, course.column), "shown": price(getattr(row, course.column))}
        for row in course.rows
    )
    y = alt.Y("value:Q", title=axis_title(course), scale=alt.Scale(zero=False, nice=True), axis=_value_axis())
    x = alt.X("at:T", title=None, scale=_time_scale(course), axis=alt.Axis(labels=False, tickCount=8))
    line = (
        alt.Chart(frame)
        .mark_line(color=SERIES[0], strokeWidth=2)
        .encode(
            x=x, y=y, tooltip=[alt.Tooltip("at:T", title=clock_title(), format="%H:%M:%S"),
                               alt.Tooltip("shown:N", title=course.column)],
        )
    )  # fmt: skip
    layers: list[Any] = []
    if course.move is not None:
        layers += _move_layers(course.move)
    layers.append(line)
    if course.marks:
        layers.append(_mark_layer(course.marks))
    if course.move is not None and course.move.value is not None:
        ring = pd.DataFrame([{"at": wall(course.move.start), "value": course.move.value}])
        layers.append(
            alt.Chart(ring).mark_point(shape="circle", size=340, strokeWidth=2.5, color=ALERT, filled=False)
            .encode(x="at:T", y="value:Q")
        )  # fmt: skip
    return alt.layer(*layers).properties(height=PRICE_PIXELS)


def volume_chart(course: Course) -> Any:
    """Draw what was bought above the line and what was sold below it."""
    frame = pd.DataFrame(
        {
            "at": wall(row.timestamp),
            "volume": sign * amount,
            "side": t(f"coin.{side}"),
            "shown": f"{price(amount)} SOL",
        }
        for row in course.rows
        for side, amount, sign in (("bought", row.buy_volume_sol, 1), ("sold", row.sell_volume_sol, -1))
        if amount
    )
    if frame.empty:
        frame = pd.DataFrame({"at": [], "volume": [], "side": [], "shown": []})
    colours = alt.Scale(domain=[t("coin.bought"), t("coin.sold")], range=[UP, DOWN])
    return (
        alt.Chart(frame)
        .mark_bar(width=3)
        .encode(
            x=alt.X("at:T", title=clock_title(), scale=_time_scale(course), axis=_time_axis()),
            y=alt.Y("volume:Q", title=t("coin.volume"), axis=_volume_axis()),
            color=alt.Color("side:N", scale=colours, title=None, legend=alt.Legend(orient="top", offset=2)),
            tooltip=[alt.Tooltip("at:T", title=clock_title(), format="%H:%M:%S"), alt.Tooltip("side:N", title=" "),
                     alt.Tooltip("shown:N", title=t("coin.volume"))],
        )
        .properties(height=VOLUME_PIXELS)
    )  # fmt: skip


def _move_layers(move: Move) -> list[Any]:
    colour = UP if move.is_rise else DOWN
    start = pd.DataFrame({"at": [wall(move.start)], "words": [t("coin.said_here")]})
    layers: list[Any] = [
        alt.Chart(start).mark_rule(color=ALERT, strokeDash=[2, 3], strokeWidth=1.5).encode(
            x="at:T", tooltip=alt.Tooltip("words:N", title=" ")
        )
    ]  # fmt: skip
    if move.end is None:
        return layers
    ends = {"at": wall(move.start), "until": wall(move.end)}
    levels = [
        {**ends, "value": level, "words": words}
        for level, words in (
            (move.threshold, move_words(move)),
            (move.highest, t("coin.highest")),
            (move.lowest, t("coin.lowest")),
        )
        if level is not None
    ]
    if move.threshold is not None and move.value is not None:
        box = pd.DataFrame([{**ends, "low": move.value, "high": move.threshold, "words": move_words(move)}])
        layers.append(
            alt.Chart(box).mark_rect(color=colour, opacity=0.14).encode(
                x="at:T", x2="until:T", y="low:Q", y2="high:Q", tooltip=alt.Tooltip("words:N", title=" ")
            )
        )  # fmt: skip
    if levels:
        rules = alt.Chart(pd.DataFrame(levels)).encode(x="at:T", y="value:Q")
        dashes = alt.condition(alt.datum.words == move_words(move), alt.value([6, 3]), alt.value([1, 3]))
        layers.append(rules.mark_rule(color=colour, strokeWidth=1.5).encode(x2="until:T", strokeDash=dashes))
        # Outside the box, above it or below it; what was asked at its beginning, what came of it at its end.
        here = move.value if move.value is not None else 0.0
        for rises in (True, False):
            beyond = alt.datum.value >= here if rises else alt.datum.value < here
            for asked, moment in ((True, "at:T"), (False, "until:T")):
                kind = alt.datum.words == move_words(move) if asked else alt.datum.words != move_words(move)
                words = rules.transform_filter(beyond & kind).mark_text(
                    align="left" if asked else "right", dx=5 if asked else -3, fontSize=11, color=colour,
                    baseline="bottom" if rises else "top", dy=-2 if rises else 3,
                )  # fmt: skip
                layers.append(words.encode(x=moment, text="words:N"))
    return layers


def move_words(move: Move) -> str:
    """Say what the target must reach."""
    return t("coin.must_rise" if move.is_rise else "coin.must_fall", value=price(move.threshold))


def _mark_layer(marks: Sequence[Mark]) -> Any:
    kinds = ["alert", "yes", "no"]
    names = [t(f"predictions.{kind}") for kind in kinds]
    frame = pd.DataFrame(
        {
            "at": wall(mark.at),
            "value": mark.value,
            "kind": t(f"predictions.{mark.kind}"),
            "model": mark.model,
            "probability": share(mark.probability),
            "outcome": mark.outcome,
        }
        for mark in marks
    )
    legend = alt.Legend(orient="top", offset=2, symbolFillColor=None)

    def scale(values: dict[str, Any]) -> alt.Scale:
        return alt.Scale(domain=names, range=[values[kind] for kind in kinds])

    return (
        alt.Chart(frame)
        .mark_point(filled=True, opacity=0.9, strokeWidth=0)
        .encode(
            x="at:T",
            y="value:Q",
            shape=alt.Shape("kind:N", scale=scale(SHAPES), title=None, legend=legend),
            color=alt.Color("kind:N", scale=scale(COLOURS), title=None, legend=legend),
            size=alt.Size("kind:N", scale=scale(SIZES), title=None, legend=legend),
            tooltip=[
                alt.Tooltip("at:T", title=clock_title(), format="%H:%M:%S"),
                alt.Tooltip("model:N", title=t("predictions.model")),
                alt.Tooltip("kind:N", title=t("predictions.answer")),
                alt.Tooltip("probability:N", title=t("predictions.probability")),
                alt.Tooltip("outcome:N", title=t("predictions.outcome")),
            ],
        )
    )


def _time_scale(course: Course) -> alt.Scale:
    times = [row.timestamp for row in course.rows]
    if course.move is not None:
        times += [course.move.start, *([course.move.end] if course.move.end else [])]
    # Vega reads a moment without an offset on the browser's clock, both here and in the rows.
    return alt.Scale(domain=[_date_time(min(times)), _date_time(max(times))])


def _date_time(value: datetime) -> alt.DateTime:
    wall = value.astimezone(zone())
    return alt.DateTime(
        year=wall.year, month=wall.month, date=wall.day, hours=wall.hour, minutes=wall.minute, seconds=wall.second
    )


def _time_axis() -> alt.Axis:
    return alt.Axis(format="%H:%M:%S", tickCount=6)


def _value_axis(ticks: int = 6) -> alt.Axis:
    return alt.Axis(format=".3~g", tickCount=ticks, minExtent=_AXIS_PIXELS, maxExtent=_AXIS_PIXELS)


def _volume_axis() -> alt.Axis:
    # What was sold is drawn downwards; it is no negative amount.
    return alt.Axis(
        labelExpr="format(abs(datum.value), '.3~g')", tickCount=3, minExtent=_AXIS_PIXELS, maxExtent=_AXIS_PIXELS
    )


def axis_title(course: Course) -> str:
    """Say what is drawn, and its unit."""
    return t("coin.price_axis") if course.column.startswith("price_") else course.column


def clock_title() -> str:
    """Say which clock the times are of."""
    return t("predictions.time", clock=zone().key)


def wall(value: datetime) -> str:
    """Write a moment without its offset: the chart shows the session's clock, whatever the browser's is."""
    return value.astimezone(zone()).replace(tzinfo=None).isoformat()
