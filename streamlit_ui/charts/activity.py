"""Which model was live when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import altair as alt
import pandas as pd

from streamlit_ui.charts.palette import NEUTRAL, SERIES
from streamlit_ui.formats import moment
from streamlit_ui.session import is_dark, t, zone

_ROW_PIXELS: Final = 44
_AXIS_PIXELS: Final = 50
_LONGEST_NAME: Final = 28
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A bar of the chart: a model that was live."""

    model: str
    start: datetime
    end: datetime
    is_open: bool
    """It still is."""
    label: str
    """How well it did, in words."""


def live_chart(stretches: Sequence[Stretch]) -> alt.LayerChart | alt.FacetChart:
    """Draw one row a stretch, in the order given; what is over is paler and says so in its tooltip."""
    data = pd.DataFrame(
        {
            "row": row,
            "model": one.model,
            "caption": f"{_short(one.model)}  ·  {one.label}",
            "start": _wall(one.start),
            "end": _wall(one.end),
            "is_open": one.is_open,
            "from": moment(one.start, seconds=False),
            "until": t("overview.until_now") if one.is_open else moment(one.end, seconds=False),
            "label": one.label,
        }
        for row, one in enumerate(stretches)
    )
    tooltip = [
        alt.Tooltip("model:N", title=t("overview.model")),
        alt.Tooltip("from:N", title=t("overview.from")),
        alt.Tooltip("until:N", title=t("overview.until")),
        alt.Tooltip("label:N", title=t("overview.realised")),
    ]
    length = max(one.end for one in stretches) - min(one.start for one in stretches)
    times = alt.Axis(labelOverlap=True, tickCount=5, format="%m-%d %H:%M" if length > _DAY else "%H:%M")
    base = alt.Chart(data).encode(y=alt.Y("row:O", title=None, axis=None))
    bars = base.mark_bar(height=12, cornerRadius=4, yOffset=10).encode(
        x=alt.X("start:T", title=t("overview.clock", clock=zone().key), axis=times),
        x2="end:T",
        color=alt.condition(alt.datum.is_open, alt.value(SERIES[0]), alt.value(NEUTRAL)),
        tooltip=tooltip,
    )
    # Altair draws text in black unless told, in either theme; at the left edge no name pushes the picture aside.
    words = base.mark_text(align="left", dy=-7, fontSize=12, color="#e6eaf1" if is_dark() else "#1b2330").encode(
        x=alt.value(0), text="caption:N"
    )
    return alt.layer(bars, words).properties(height=_ROW_PIXELS * len(data) + _AXIS_PIXELS)


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


def _wall(value: datetime) -> str:
    """Write a moment without its offset: the chart shows the session's clock, whatever the browser's is."""
    return value.astimezone(zone()).replace(tzinfo=None).isoformat()
