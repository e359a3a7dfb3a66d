"""Pictures of a preflight: how the rows would be divided."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from streamlit_ui.charts.palette import NEUTRAL, SERIES

_BAR, _HEIGHT = 30, 116


def parts_bar(
    parts: Sequence[tuple[str, int, str]], *, axis: str, part: str, rows: str, share: str
) -> alt.LayerChart | alt.FacetChart:
    """Draw one bar of all parts in their order in time: name, rows, and the rows in words; the last is left out."""
    whole = sum(count for _, count, _ in parts) or 1
    frame = pd.DataFrame(
        [
            {"part": name, "rows": count, "words": words, "share": count / whole, "order": order}
            for order, (name, count, words) in enumerate(parts)
        ]
    )
    frame["end"] = frame["rows"].cumsum()
    frame["middle"] = frame["end"] - frame["rows"] / 2
    # A number in a sliver would lie over its neighbours.
    frame["inside"] = frame["words"].where(frame["share"] > 0.12, "")  # noqa: PLR2004
    names = frame["part"].tolist()
    colours = alt.Scale(domain=names, range=[*SERIES[: len(names) - 1], NEUTRAL])
    base = alt.Chart(frame)
    bars = base.mark_bar(height=_BAR, cornerRadius=2).encode(
        x=alt.X("rows:Q", stack="zero", title=axis, axis=alt.Axis(format=",.0f", tickCount=4, grid=False)),
        color=alt.Color("part:N", scale=colours, sort=names, legend=alt.Legend(title=None, orient="top", columns=2)),
        order=alt.Order("order:Q"),
        tooltip=[
            alt.Tooltip("part:N", title=part),
            alt.Tooltip("words:N", title=rows),
            alt.Tooltip("share:Q", title=share, format=".1%"),
        ],
    )
    labels = base.mark_text(color="white", fontWeight="bold").encode(x=alt.X("middle:Q"), text="inside:N")
    return alt.layer(bars, labels).properties(height=_HEIGHT)
