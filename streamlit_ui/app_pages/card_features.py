"""What a model looks at, and how it is spread."""

import streamlit as st

from shared.contracts.card import CardImportance, ModelCard
from shared.contracts.card_data import CardProfile
from streamlit_ui.address import select
from streamlit_ui.app_pages.card_figures import absent, figures, picture, titled_picture
from streamlit_ui.charts import features as charts
from streamlit_ui.formats import number, share
from streamlit_ui.session import t
from streamlit_ui.states import live

MOST = 15


def draw(card: ModelCard) -> None:
    """Draw the section of a card."""
    ranked = _ranked(card.importance)
    st.subheader(t("card.importance"), anchor=False)
    if not ranked:
        absent(t("card.importance"))
    else:
        _importance(card.importance, ranked)
    st.subheader(t("card.profile"), anchor=False)
    if card.profile is None:
        absent(t("card.profile"))
    else:
        _profile(card.profile, [name for name in ranked if name in card.profile.features])


def _ranked(importance: CardImportance) -> list[str]:
    falls, gains = importance.permutation or {}, importance.gain or {}
    if falls:
        return sorted(falls, key=lambda name: -falls[name].mean)
    return sorted(gains, key=lambda name: -gains[name])


def _importance(importance: CardImportance, ranked: list[str]) -> None:
    st.caption(t("card.importance_help"))
    names = ranked
    if len(ranked) > MOST and not st.toggle(t("card.all_features", count=len(ranked)), key="all_features"):
        names = ranked[:MOST]
    with st.grid(2, min_column_width=340, gap="medium"):
        if importance.permutation:
            chart = charts.permutation(importance.permutation, names)
            titled_picture(t("card.permutation"), chart, t("card.permutation_help"))
        if importance.gain:
            titled_picture(t("card.gain"), charts.gain(importance.gain, names), t("card.gain_help"))


@live()
def _profile(profile: CardProfile, ranked: list[str]) -> None:
    names = [*ranked, *(name for name in profile.features if name not in ranked)]
    if not names:
        absent(t("card.profile"))
        return
    st.caption(t("card.profile_help", rows=number(profile.sampled_rows)))
    name = select(t("card.feature"), names, name="feature", width=360)
    one = profile.features[name]
    figures(
        [
            (t("card.missing"), share(one.missing_share, 2), t("card.missing_help")),
            (t("card.mean_value"), number(one.mean, 3), None), (t("card.std"), number(one.std, 3), None),
            (t("card.median_value"), number(one.median, 3), None),
            (t("card.quartiles"), f"{number(one.q25, 2)} … {number(one.q75, 2)}", t("card.quartiles_help")),
            (t("card.extremes"), f"{number(one.min, 2)} … {number(one.max, 2)}", None),
        ],
        width=230, columns=3,
    )  # fmt: skip
    if one.counts:
        picture(charts.histogram(one), t("card.histogram_alt", feature=name))
        st.caption(t("card.histogram_help"))
