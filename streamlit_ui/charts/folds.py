"""Pictures of scores as they come: folds of a cross-validation, trials of a search."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from streamlit_ui.charts.palette import NEUTRAL, SERIES

_HEIGHT = 240


def fold_scores(
    scores: Sequence[tuple[int, float | None, float | None]], *, folds: int, fold: str, score: str, learnt: str,
    unseen: str,
) -> alt.LayerChart | alt.FacetChart:  # fmt: skip
    """Draw a score for each of so many folds, on the rows that were learnt and on those that were not."""
    frame = pd.DataFrame(
        [
            {"fold": number, "score": value, "rows": rows}
            for number, train, test in scores
            for rows, value in ((learnt, train), (unseen, test))
            if value is not None
        ],
        columns=["fold", "score", "rows"],
    )
    names = [unseen, learnt]
    base = alt.Chart(frame).encode(
        x=alt.X("fold:Q", title=fold, axis=alt.Axis(values=list(range(1, folds + 1)), format="d", grid=False),
                scale=alt.Scale(domain=[0.8, folds + 0.2], nice=False)),
        y=alt.Y("score:Q", title=score, scale=alt.Scale(domainMin=0, nice=True), axis=alt.Axis(format=".2f")),
        color=alt.Color("rows:N", sort=names, scale=alt.Scale(domain=names, range=[SERIES[0], NEUTRAL]),
                        legend=alt.Legend(title=None, orient="top", symbolStrokeWidth=0)),
    )  # fmt: skip
    lines = base.mark_line().encode(
        strokeDash=alt.StrokeDash("rows:N", legend=None, scale=alt.Scale(domain=names, range=[[1, 0], [5, 4]]))
    )
    points = base.mark_point(size=70, filled=True, opacity=1).encode(
        shape=alt.Shape(
            "rows:N", sort=names, scale=alt.Scale(domain=names, range=["circle", "triangle-up"]), legend=None
        ),
        tooltip=[
            alt.Tooltip("fold:Q", title=fold),
            alt.Tooltip("rows:N", title=" "),
            alt.Tooltip("score:Q", title=score, format=".3f"),
        ],
    )
    return alt.layer(lines, points).properties(height=_HEIGHT)


def trial_scores(
    trials: Sequence[tuple[int, float]], *, trial: str, score: str, best: str
) -> alt.LayerChart | alt.FacetChart:
    """Draw the score of each trial and the best one so far."""
    frame = pd.DataFrame(trials, columns=["trial", "score"])
    frame["best"] = frame["score"].cummax()
    base = alt.Chart(frame).encode(
        x=alt.X(
            "trial:Q",
            title=trial,
            axis=alt.Axis(format="d", tickMinStep=1, grid=False),
            scale=alt.Scale(domain=[0.7, frame["trial"].max() + 0.3], nice=False),
        ),
    )
    line = base.mark_line(interpolate="step-after", color=SERIES[0], strokeWidth=2).encode(
        y=alt.Y("best:Q", title=score, scale=alt.Scale(zero=False, nice=True), axis=alt.Axis(format=".3f"))
    )
    points = base.mark_point(size=60, filled=True, opacity=1, color=SERIES[1]).encode(
        y=alt.Y("score:Q"),
        tooltip=[
            alt.Tooltip("trial:Q", title=trial),
            alt.Tooltip("score:Q", title=score, format=".4f"),
            alt.Tooltip("best:Q", title=best, format=".4f"),
        ],
    )
    return alt.layer(line, points).properties(height=_HEIGHT)
