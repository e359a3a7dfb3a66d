"""Charts of the system: who answers which part of the coins, and what was left out."""

from dataclasses import dataclass
from typing import Final

import altair as alt
import pandas as pd

from streamlit_ui.charts.palette import DOWN, NEUTRAL, SERIES, UP

CELL_PIXELS: Final = 38
PARTS_PIXELS: Final = 130
"""With legend and axis."""
ROW_PIXELS: Final = 34
AXIS_PIXELS: Final = 56
_STATE_COLOURS: Final = (UP, SERIES[1], DOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardWords:
    """What the chart of parts is labelled with."""

    part: str
    worker: str
    state: str
    states: list[str]
    """Well, late, without a worker."""


def parts_of_coins(rows: pd.DataFrame, words: ShardWords) -> alt.LayerChart | alt.FacetChart:
    """Draw a cell a part: its colour and sign say how its worker is. `rows` holds shard, worker, state, sign."""
    base = alt.Chart(rows).encode(
        x=alt.X("shard:O", title=words.part, axis=alt.Axis(labelAngle=0, ticks=False, domain=False)),
        tooltip=[
            alt.Tooltip("shard:O", title=words.part),
            alt.Tooltip("worker:N", title=words.worker),
            alt.Tooltip("state:N", title=words.state),
        ],
    )
    cells = base.mark_rect(cornerRadius=4, height=CELL_PIXELS).encode(
        color=alt.Color(
            "state:N", title=None, scale=alt.Scale(domain=words.states, range=list(_STATE_COLOURS)),
            legend=alt.Legend(orient="top"),
        )
    )  # fmt: skip
    signs = base.mark_text(fontSize=16, fontWeight="bold", color="white").encode(text="sign:N")
    return alt.layer(cells, signs).properties(height=PARTS_PIXELS)


def skipped_by_reason(rows: pd.DataFrame, count: str, percent: str) -> alt.LayerChart | alt.FacetChart:
    """Draw what was left out by reason, most first. `rows` holds reason, count, percent."""
    base = alt.Chart(rows).encode(
        y=alt.Y("reason:N", sort=None, title=None, axis=alt.Axis(labelLimit=260)),
        x=alt.X("count:Q", title=count, axis=alt.Axis(tickMinStep=1, format=",d")),
        tooltip=[
            alt.Tooltip("reason:N", title=" "),
            alt.Tooltip("count:Q", title=count, format=",d"),
            alt.Tooltip("percent:Q", title=percent, format=".3f"),
        ],
    )
    bars = base.mark_bar(color=SERIES[0], cornerRadiusEnd=3, height=ROW_PIXELS - 14)
    figures = base.mark_text(align="left", dx=6, color=NEUTRAL).encode(text=alt.Text("count:Q", format=",d"))
    return alt.layer(bars, figures).properties(height=ROW_PIXELS * len(rows) + AXIS_PIXELS)
