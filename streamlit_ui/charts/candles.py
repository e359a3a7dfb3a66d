"""The course of a coin as candles: the one picture that Plotly draws."""

from typing import Final

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from streamlit_ui.charts import SEPARATORS
from streamlit_ui.charts.palette import ALERT, DOWN, NEUTRAL, UP
from streamlit_ui.charts.price import (
    COLOURS,
    PRICE_PIXELS,
    SHAPES,
    SIZES,
    VOLUME_PIXELS,
    Course,
    Move,
    axis_title,
    clock_title,
    move_words,
    wall,
)
from streamlit_ui.formats import share
from streamlit_ui.session import language, t

_FROM_AREA: Final = 0.05
"""From the area of a mark in Altair to its width in Plotly, about."""


def candle_chart(course: Course) -> go.Figure:
    """Draw the price as candles, volume below."""
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.76, 0.24], vertical_spacing=0.04)
    times = [wall(row.timestamp) for row in course.rows]
    figure.add_trace(
        go.Candlestick(
            x=times, open=[row.price_open for row in course.rows], high=[row.price_high for row in course.rows],
            low=[row.price_low for row in course.rows], close=[row.price_close for row in course.rows],
            increasing={"line": {"color": UP}, "fillcolor": UP},
            # Filled or hollow, not by colour alone.
            decreasing={"line": {"color": DOWN}, "fillcolor": "rgba(0,0,0,0)"},
            name=t("coin.candles"), showlegend=False,
        ),
        row=1, col=1,
    )  # fmt: skip
    for kind in ("no", "yes", "alert"):
        marks = [mark for mark in course.marks if mark.kind == kind]
        if not marks:
            continue
        figure.add_trace(
            go.Scatter(
                x=[wall(mark.at) for mark in marks], y=[mark.value for mark in marks], mode="markers",
                name=t(f"predictions.{kind}"),
                marker={"symbol": SHAPES[kind], "size": 3 + SIZES[kind] * _FROM_AREA, "color": COLOURS[kind]},
                text=[f"{mark.model}<br>{share(mark.probability)} · {mark.outcome}" for mark in marks],
                hovertemplate="%{text}<extra></extra>",
            ),
            row=1, col=1,
        )  # fmt: skip
    volume = [row.volume_sol for row in course.rows]
    figure.add_trace(
        go.Bar(x=times, y=volume, marker={"color": NEUTRAL}, name=t("coin.volume"), showlegend=False), row=2, col=1
    )
    if course.move is not None:
        _draw_move(figure, course.move)
    figure.update_layout(
        height=PRICE_PIXELS + VOLUME_PIXELS + 60, margin={"l": 8, "r": 8, "t": 24, "b": 8}, bargap=0.2,
        separators=SEPARATORS[language()],
        legend={"orientation": "h", "y": 1.08, "x": 0}, hovermode="closest", xaxis_rangeslider_visible=False,
    )  # fmt: skip
    figure.update_yaxes(title_text=axis_title(course), exponentformat="power", row=1, col=1)
    figure.update_yaxes(title_text=t("coin.volume"), row=2, col=1)
    figure.update_xaxes(title_text=clock_title(), row=2, col=1)
    return figure


def _draw_move(figure: go.Figure, move: Move) -> None:
    start = wall(move.start)
    figure.add_vline(x=start, line={"color": ALERT, "dash": "dot", "width": 1}, row=1, col=1)
    if move.value is not None:
        figure.add_trace(
            go.Scatter(
                x=[start], y=[move.value], mode="markers", showlegend=False, hoverinfo="skip",
                marker={"symbol": "circle-open", "size": 20, "color": ALERT, "line": {"width": 2.5}},
            ),
            row=1, col=1,
        )  # fmt: skip
    if move.end is None or move.threshold is None or move.value is None:
        return
    for level, words in ((move.highest, t("coin.highest")), (move.lowest, t("coin.lowest"))):
        if level is not None:
            figure.add_shape(
                type="line", x0=start, x1=wall(move.end), y0=level, y1=level, row=1, col=1,
                line={"color": NEUTRAL, "dash": "dot", "width": 1.5}, label={"text": words, "textposition": "middle"},
            )  # fmt: skip
    figure.add_shape(
        type="rect", x0=start, x1=wall(move.end), y0=move.value, y1=move.threshold, row=1, col=1,
        line={"color": UP if move.is_rise else DOWN, "dash": "dash", "width": 1},
        fillcolor=UP if move.is_rise else DOWN, opacity=0.16, layer="below",
        label={"text": move_words(move), "textposition": "bottom right"},
    )  # fmt: skip
