"""Candles of a market with what a package forecasts behind the last of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import plotly.graph_objects as go

from shared.contracts.candles import Candle
from shared.contracts.paper import PaperPosition
from shared.contracts.signals import PackageSignal
from streamlit_ui.charts import SEPARATORS
from streamlit_ui.charts.palette import DOWN, NEUTRAL, SERIES, UP
from streamlit_ui.session import language, t, zone

HEIGHT = 460
_BAND = "rgba(47, 111, 222, 0.22)"
_CLEAR = "rgba(0, 0, 0, 0)"
_TICKS = {"en": "%H:%M\n%b %d, %Y", "de": "%H:%M\n%d.%m.%Y"}
_MOMENT = "%Y-%m-%d %H:%M"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiles:
    """Which quantiles the edges of the band are, in percent."""

    lower: float
    upper: float


def forecast_chart(
    candles: Sequence[Candle], said: PackageSignal, *, band: Quantiles, held: Sequence[PaperPosition] = ()
) -> go.Figure:
    """Draw candles, the median and the band of the forecast, and open positions of the market."""
    interval = timedelta(seconds=said.diagnostics.interval_seconds)
    last_close = said.diagnostics.candle_close_time
    shown = sorted((one for one in candles if one.open_time < last_close), key=lambda one: one.open_time)
    times = [last_close, *said.forecast_values.times]
    figure = go.Figure()
    _add_candles(figure, shown, interval)
    _add_band(figure, times, said, band)
    for position in held:
        _add_position(figure, position, start=shown[0].open_time if shown else last_close, end=times[-1])
    figure.add_vline(x=_clock(last_close), line={"color": NEUTRAL, "width": 1, "dash": "dot"})
    figure.update_layout(
        height=HEIGHT, separators=SEPARATORS[language()], hovermode="x", dragmode="zoom",
        margin={"l": 8, "r": 8, "t": 8, "b": 8}, paper_bgcolor=_CLEAR, plot_bgcolor=_CLEAR,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "xanchor": "left"},
    )  # fmt: skip
    figure.update_xaxes(
        title=t("signal.axis_time", zone=zone().key),
        rangeslider_visible=False,
        showgrid=False,
        tickformat=_TICKS[language()],
    )
    figure.update_yaxes(
        title=t("signal.axis_price", symbol=said.symbol), side="right", tickformat=",~r", fixedrange=True
    )
    return figure


def _add_candles(figure: go.Figure, candles: Sequence[Candle], interval: timedelta) -> None:
    # Rising ones are hollow, falling ones filled: told apart without their colour.
    figure.add_trace(
        go.Candlestick(
            x=[_clock(one.open_time + interval) for one in candles],
            open=[one.open for one in candles], high=[one.high for one in candles],
            low=[one.low for one in candles], close=[one.close for one in candles],
            increasing={"line": {"color": UP, "width": 1}, "fillcolor": _CLEAR},
            decreasing={"line": {"color": DOWN, "width": 1}, "fillcolor": DOWN},
            name=t("signal.candles"), xhoverformat=_MOMENT,
        )
    )  # fmt: skip


def _add_band(figure: go.Figure, times: Sequence[datetime], said: PackageSignal, band: Quantiles) -> None:
    values, now = said.forecast_values, said.current_price
    x = [_clock(one) for one in times]
    edge: dict[str, Any] = {"x": x, "mode": "lines", "xhoverformat": _MOMENT, "yhoverformat": ",.5~r"}
    line = {"color": SERIES[0], "width": 1, "dash": "dot"}
    name = t("signal.band", lower=f"{band.lower:g}", upper=f"{band.upper:g}")
    figure.add_trace(
        go.Scatter(
            **edge, y=[now, *values.upper_price], line=line, showlegend=False,
            name=t("signal.quantile", share=f"{band.upper:g}"),
        )
    )  # fmt: skip
    figure.add_trace(
        go.Scatter(**edge, y=[now, *values.lower_price], line=line, fill="tonexty", fillcolor=_BAND, name=name)
    )
    figure.add_trace(
        go.Scatter(
            **edge, y=[now, *values.median_price], line={"color": SERIES[0], "width": 2.5}, name=t("signal.median")
        )
    )


def _add_position(figure: go.Figure, position: PaperPosition, *, start: datetime, end: datetime) -> None:
    begin, upper = max(start, position.opened_at), "top" if position.side == "SHORT" else "bottom"
    lower = "bottom" if upper == "top" else "top"
    # Lines that lie close have their words at other ends, above the upper and below the lower one.
    levels = [
        (t("signal.entry", side=position.side), position.entry_price, SERIES[3], "solid", (begin, "left", upper)),
        (t("signal.take_profit"), position.take_profit_price, UP, "dash", (end, "right", upper)),
        (t("signal.stop_loss"), position.stop_loss_price, DOWN, "dash", (end, "right", lower)),
    ]
    for name, price, colour, dash, (at, side, edge) in levels:
        if price is None:
            continue
        figure.add_trace(
            go.Scatter(
                x=[_clock(begin), _clock(end)], y=[price, price], mode="lines", name=name,
                line={"color": colour, "width": 1.5, "dash": dash}, showlegend=False, hoverinfo="skip",
            )
        )  # fmt: skip
        figure.add_annotation(
            x=_clock(at), y=price, text=name, showarrow=False, xanchor=side, yanchor=edge,
            font={"color": colour, "size": 11},
        )  # fmt: skip


def _clock(moment: datetime) -> datetime:
    """Give a moment as the clock of the session shows it: Plotly knows no time zones."""
    return moment.astimezone(zone()).replace(tzinfo=None)
