"""Charts of messages on their way."""

from collections.abc import Mapping
from typing import Final
from zoneinfo import ZoneInfo

import altair as alt
import pandas as pd

from streamlit_ui.charts.palette import DOWN, NEUTRAL, UP

HEIGHT: Final = 210


def attempts_over_time(
    rows: pd.DataFrame, titles: Mapping[str, str], clock: ZoneInfo
) -> alt.LayerChart | alt.FacetChart:
    """Draw attempts: when, how long each took, and by colour, shape and number what came of it.

    `rows` holds at, duration, result, answer, attempt; `at` is a time on `clock` without an offset.
    """
    words = [titles["took"], titles["refused"]]
    points = (
        alt.Chart(rows)
        .mark_point(filled=True, size=110, opacity=1)
        .encode(
            x=alt.X("at:T", title=f"{titles['at']} ({clock})", axis=alt.Axis(format="%H:%M:%S", labelOverlap=True)),
            y=alt.Y("duration:Q", title=titles["duration"], scale=alt.Scale(zero=True)),
            color=alt.Color(
                "result:N", scale=alt.Scale(domain=words, range=[UP, DOWN]), title=None,
                legend=alt.Legend(orient="top"),
            ),
            shape=alt.Shape("result:N", scale=alt.Scale(domain=words, range=["circle", "cross"]), title=None),
            tooltip=[
                alt.Tooltip("attempt:Q", title=titles["attempt"]),
                alt.Tooltip("at:T", title=titles["at"], format="%Y-%m-%d %H:%M:%S"),
                alt.Tooltip("duration:Q", title=titles["duration"], format=",.0f"),
                alt.Tooltip("answer:N", title=titles["answer"]),
            ],
        )
    )  # fmt: skip
    line = alt.Chart(rows).mark_line(strokeWidth=1, color=NEUTRAL).encode(x="at:T", y="duration:Q")
    return alt.layer(line, points).properties(height=HEIGHT)
