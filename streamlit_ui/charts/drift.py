"""How far the rows of a day are from those a model learnt from."""

from collections.abc import Sequence

import altair as alt

from shared.contracts.statistics import DriftDay
from shared.scoring.stability import MODERATE, STRONG, drift_level
from streamlit_ui.charts.outcomes import HEIGHT, Chart, chart, colours, tip
from streamlit_ui.charts.palette import DOWN, NEUTRAL, SERIES, UP
from streamlit_ui.formats import number
from streamlit_ui.session import t

MOST_FEATURES = 12
_LEVEL_COLOURS = {"ok": UP, "moderate": SERIES[1], "strong": DOWN}


def drift_days(days: Sequence[DriftDay]) -> Chart:
    """Draw the index of the probability and of the feature that moved most, day by day."""
    names = [t("statistics.drift_score"), t("statistics.drift_most")]
    values = [
        {"day": day.day.isoformat(), "series": name, "psi": value, "words": number(value, 3), "rows": number(day.rows)}
        for day in days
        for name, value in ((names[0], day.score_psi), (names[1], max(day.features.values(), default=None)))
        if value is not None
    ]
    base = chart(values).encode(
        x=alt.X("day:O", title=t("statistics.day_utc"), axis=alt.Axis(labelAngle=-45)),
        y=alt.Y("psi:Q", title=t("statistics.psi")),
        color=colours("series:N", names, [SERIES[0], SERIES[1]]),
        tooltip=[
            tip("day", t("statistics.day_utc")), tip("series", ""), tip("words", t("statistics.psi")),
            tip("rows", t("statistics.rows")),
        ],
    )  # fmt: skip
    shapes = alt.Shape("series:N", scale=alt.Scale(domain=names, range=["circle", "square"]), legend=None)
    dashes = alt.StrokeDash("series:N", scale=alt.Scale(domain=names, range=[[1, 0], [6, 4]]), legend=None)
    return alt.layer(
        *_bounds("y"), base.mark_line().encode(strokeDash=dashes),
        base.mark_point(filled=True, size=70, opacity=1).encode(shape=shapes),
    ).properties(height=HEIGHT)  # fmt: skip


def drift_features(day: DriftDay) -> Chart:
    """Draw which features moved most on a day."""
    moved = sorted(day.features.items(), key=lambda one: -one[1])[:MOST_FEATURES]
    levels = {level: t(f"statistics.level_{level}") for level in _LEVEL_COLOURS}
    values = [
        {"feature": name, "psi": index, "words": number(index, 3), "level": levels[drift_level(index)]}
        for name, index in moved
    ]
    bars = (
        chart(values)
        .mark_bar()
        .encode(
            x=alt.X("psi:Q", title=t("statistics.psi")),
            y=alt.Y("feature:N", sort=[name for name, _ in moved], title=None, axis=alt.Axis(labelLimit=180)),
            color=colours("level:N", list(levels.values()), list(_LEVEL_COLOURS.values())),
            tooltip=[tip("feature", ""), tip("words", t("statistics.psi")), tip("level", t("statistics.level"))],
        )
    )
    return alt.layer(bars, *_bounds("x")).properties(height=120 + 22 * max(1, len(moved)))


def _bounds(along: str) -> list[alt.Chart]:
    values = [{"at": MODERATE}, {"at": STRONG}]
    rule = chart(values).mark_rule(strokeDash=[4, 4], color=NEUTRAL)
    return [rule.encode(**{along: "at:Q"})]
