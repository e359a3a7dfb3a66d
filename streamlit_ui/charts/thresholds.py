"""What thresholds would give on the hold-out."""

from collections.abc import Sequence

import altair as alt

from shared.contracts.card import CardThresholdPoint
from streamlit_ui.charts.outcomes import Chart, chart, colours, tip
from streamlit_ui.charts.palette import ALERT, NEUTRAL, SERIES
from streamlit_ui.formats import number, share
from streamlit_ui.session import t

HEIGHT = 360
_ROOM = 1.1
_WORDS_AT = 13


def draw_curve(curve: Sequence[CardThresholdPoint], chosen: float) -> Chart:
    """Draw precision and recall by threshold, with the chosen one."""
    names = [t("manage.precision"), t("manage.recall")]
    values = [
        {
            "threshold": point.threshold, "series": name, "share": value, "words": share(value),
            "at": number(point.threshold, 3), "per_day": number(point.alerts_per_day),
        }
        for point in curve
        for name, value in ((names[0], point.precision), (names[1], point.recall))
        if value is not None
    ]  # fmt: skip
    reach = min(1.0, _ROOM * max(chosen, *(point.threshold for point in curve)))
    lines = (
        chart(values)
        .mark_line(strokeWidth=2, interpolate="step-before")
        .encode(
            x=alt.X("threshold:Q", title=t("manage.field_alert_threshold"), scale=alt.Scale(domain=[0, reach])),
            y=alt.Y("share:Q", title=t("manage.share"), scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format=".0%")),
            color=colours("series:N", names, [SERIES[0], SERIES[1]], symbol_stroke=2),
            strokeDash=alt.StrokeDash("series:N", scale=alt.Scale(domain=names, range=[[1, 0], [6, 4]]), legend=None),
            tooltip=[
                tip("at", t("manage.field_alert_threshold")), tip("series", ""), tip("words", t("manage.share")),
                tip("per_day", t("manage.alerts_per_day")),
            ],
        )
    )  # fmt: skip
    here = [{"threshold": chosen, "words": number(chosen, 3 if round(chosen, 3) == chosen else 6)}]
    rule = chart(here).mark_rule(color=ALERT, strokeWidth=2).encode(x="threshold:Q")
    words = chart(here).mark_text(align="left", dx=5, dy=-6, color=NEUTRAL, baseline="bottom")
    return alt.layer(lines, rule, words.encode(x="threshold:Q", y=alt.value(_WORDS_AT), text="words:N")).properties(
        height=HEIGHT
    )
