"""What a model looks at: importance of features, how one is spread, what one alone knows."""

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd

from shared.contracts.card import CardFall
from shared.contracts.card_data import CardFeature, CardFeatureAuc, CardPermuted
from streamlit_ui.charts.palette import ALERT, NEUTRAL, SERIES
from streamlit_ui.formats import number, share
from streamlit_ui.session import t

Layered = alt.LayerChart | alt.FacetChart
_ROW = 20
# The height of a chart holds its axis, too.
_AXIS = 56
_CHANCE = 0.5


def permutation(falls: Mapping[str, CardFall], names: Sequence[str]) -> Layered:
    """Draw how much average precision falls when a feature is shuffled, with one standard deviation."""
    rows = [
        {
            "name": name, "mean": fall.mean, "low": fall.mean - fall.std, "high": fall.mean + fall.std,
            "told": f"{number(fall.mean, 4)} ± {number(fall.std, 4)}",
        }
        for name in names
        if (fall := falls.get(name)) is not None
    ]  # fmt: skip
    base = alt.Chart(pd.DataFrame(rows, columns=["name", "mean", "low", "high", "told"])).encode(
        y=_names(names),
        tooltip=[alt.Tooltip("name:N", title=t("card.feature")), alt.Tooltip("told:N", title=t("card.permutation"))],
    )
    bars = base.mark_bar(color=SERIES[0], opacity=0.75, height=12).encode(
        x=alt.X("mean:Q", title=t("card.permutation_axis"))
    )
    spread = base.mark_rule(strokeWidth=2, color=NEUTRAL).encode(x=alt.X("low:Q"), x2=alt.X2("high:Q"))
    zero = alt.Chart(pd.DataFrame({"x": [0]})).mark_rule(color=NEUTRAL).encode(x=alt.X("x:Q"))
    return alt.layer(bars, spread, zero).properties(height=_ROW * len(names) + _AXIS)


def gain(shares: Mapping[str, float], names: Sequence[str]) -> alt.Chart:
    """Draw which share of what was learnt a feature brought."""
    rows = [{"name": name, "share": shares.get(name), "told": share(shares.get(name))} for name in names]
    drawn: alt.Chart = (
        alt.Chart(pd.DataFrame(rows, columns=["name", "share", "told"]))
        .mark_bar(color=SERIES[1], opacity=0.8, height=12)
        .encode(
            y=_names(names),
            x=alt.X("share:Q", title=t("card.gain_axis"), axis=alt.Axis(format="%")),
            tooltip=[alt.Tooltip("name:N", title=t("card.feature")), alt.Tooltip("told:N", title=t("card.gain"))],
        )
        .properties(height=_ROW * len(names) + _AXIS)
    )
    return drawn


def histogram(feature: CardFeature) -> Layered:
    """Draw how the values of a feature are spread between its 1 % and 99 % quantile, with the median."""
    whole = sum(feature.counts) or 1
    rows = [
        {
            "low": low, "high": high, "count": count, "span": f"{number(low, 3)} … {number(high, 3)}",
            "told": f"{number(count)} ({share(count / whole)})",
        }
        for low, high, count in zip(feature.edges, feature.edges[1:], feature.counts, strict=False)
    ]  # fmt: skip
    bars = (
        alt.Chart(pd.DataFrame(rows, columns=["low", "high", "count", "span", "told"]))
        .mark_bar(color=SERIES[0], opacity=0.8, binSpacing=1)
        .encode(
            x=alt.X("low:Q", bin="binned", title=t("card.value")),
            x2=alt.X2("high:Q"),
            y=alt.Y("count:Q", title=t("card.rows_axis"), axis=alt.Axis(format=",.0f")),
            tooltip=[alt.Tooltip("span:N", title=t("card.value")), alt.Tooltip("told:N", title=t("card.rows_axis"))],
        )
    )
    if feature.median is None:
        return alt.layer(bars).properties(height=280)
    words = t("card.median_at", value=number(feature.median, 3))
    frame = pd.DataFrame({"x": [feature.median], "words": [words]})
    rule = (
        alt.Chart(frame)
        .mark_rule(color=ALERT, strokeDash=[5, 3], strokeWidth=2)
        .encode(x=alt.X("x:Q"), tooltip=alt.Tooltip("words:N"))
    )
    return alt.layer(bars, rule).properties(height=280)


def single_features(features: Sequence[CardFeatureAuc], *, notable: float) -> Layered:
    """Draw the ROC AUC of single features beside chance and what would be notable."""
    names = [one.name for one in features]
    rows = [{"name": one.name, "auc": one.auc, "told": number(one.auc, 3), "from": _CHANCE} for one in features]
    base = alt.Chart(pd.DataFrame(rows, columns=["name", "auc", "told", "from"])).encode(
        y=_names(names),
        tooltip=[alt.Tooltip("name:N", title=t("card.feature")), alt.Tooltip("told:N", title="ROC AUC")],
    )
    x = alt.X("auc:Q", title=t("card.single_axis"), scale=alt.Scale(domain=[_CHANCE, 1.0]))
    bars = base.mark_bar(color=SERIES[0], opacity=0.8, height=12).encode(x=x, x2=alt.X2("from:Q"))
    texts = base.mark_text(align="left", dx=5, color=NEUTRAL).encode(x=alt.X("auc:Q"), text=alt.Text("told:N"))
    bound = alt.Chart(pd.DataFrame({"x": [notable]})).mark_rule(color=ALERT, strokeDash=[5, 3], strokeWidth=2)
    return alt.layer(bars, texts, bound.encode(x=alt.X("x:Q"))).properties(height=len(names) * 26 + _AXIS)


def permuted(found: CardPermuted) -> Layered:
    """Draw the ROC AUC on shuffled answers inside what chance allows."""
    bound = found.bound or 0
    band = pd.DataFrame({"low": [_CHANCE - bound], "high": [_CHANCE + bound]})
    reach = max(bound * 1.5, 0.05)
    scale = alt.Scale(domain=[_CHANCE - reach, _CHANCE + reach], nice=False)
    area = (
        alt.Chart(band)
        .mark_rect(color=SERIES[2], opacity=0.2)
        .encode(x=alt.X("low:Q", scale=scale, title=t("card.permuted_axis")), x2=alt.X2("high:Q"))
    )
    chance = (
        alt.Chart(pd.DataFrame({"x": [_CHANCE]})).mark_rule(color=NEUTRAL, strokeDash=[4, 4]).encode(x=alt.X("x:Q"))
    )
    point = (
        alt.Chart(pd.DataFrame({"x": [found.auc], "told": [number(found.auc, 3)]}))
        .mark_point(shape="diamond", size=160, filled=True, color=ALERT, opacity=1)
        .encode(x=alt.X("x:Q"), tooltip=[alt.Tooltip("told:N", title="ROC AUC")])
    )
    return alt.layer(area, chance, point).properties(height=110)


def _names(names: Sequence[str]) -> alt.Y:
    return alt.Y(
        "name:N",
        sort=list(names),
        title=None,
        axis=alt.Axis(labelLimit=190, labelOverlap=False, ticks=False, labelPadding=6),
    )
