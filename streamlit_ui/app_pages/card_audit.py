"""The leak audit: what was checked, what was found, and how far it may go."""

import streamlit as st

from shared.contracts.card_data import CardAudit, CardPermuted
from streamlit_ui.app_pages.card_figures import absent, picture
from streamlit_ui.charts import features as charts
from streamlit_ui.formats import number, plain
from streamlit_ui.session import t
from streamlit_ui.states import Level, badge

NOTABLE_AUC = 0.95
_CHANCE = 0.5


def draw(audit: CardAudit | None) -> None:
    """Draw the section of a card."""
    if audit is None:
        absent(t("card.tab_audit"))
        return
    st.caption(t("card.audit_help"))
    laws, split = audit.laws, audit.split
    _check(
        "laws", "good", t("card.passed"),
        t("card.laws_result", rows=number(laws.rows), coins=number(laws.coins), history=number(laws.history_rows)),
    )  # fmt: skip
    reaches = split.reaching_rows > 0
    _check(
        "split", "bad" if reaches else "good", t("card.failed" if reaches else "card.passed"),
        t(
            "card.split_result", reaching=number(split.reaching_rows), purged=number(split.purged_rows),
            calibration=number(split.gap_to_calibration_minutes, 2), holdout=number(split.gap_to_holdout_minutes, 2),
        ),
    )  # fmt: skip
    _single(audit)
    _permuted(audit.permuted)


def _check(name: str, level: Level, verdict: str, result: str) -> None:
    with st.container(border=True):
        st.markdown(f"**{t(f'card.{name}')}** &nbsp; {badge(level, verdict)}")
        st.markdown(t(f"card.{name}_checked"))
        st.markdown(f"**{t('card.result')}** {result}  \n**{t('card.bound')}** {t(f'card.{name}_bound')}")


def _single(audit: CardAudit) -> None:
    strongest = audit.strongest_features
    if not strongest:
        _check("single", "off", t("card.not_run"), t("card.single_none"))
        return
    notable = strongest[0].auc >= NOTABLE_AUC
    result = t("card.single_result", feature=plain(strongest[0].name), auc=number(strongest[0].auc, 3))
    misjudged = [one for one in strongest if one.misjudged is not None]
    if misjudged:
        result += " " + t(
            "card.single_misjudged", feature=plain(misjudged[0].name), share=number(misjudged[0].misjudged, 5)
        )
    _check("single", "warning" if notable else "good", t("card.notable" if notable else "card.passed"), result)
    picture(charts.single_features(strongest, notable=NOTABLE_AUC), t("card.single_alt"), width=720)


def _permuted(found: CardPermuted) -> None:
    if found.auc is None or found.bound is None:
        _check("permuted", "off", t("card.not_run"), t("card.permuted_none"))
        return
    inside = abs(found.auc - _CHANCE) < found.bound
    _check(
        "permuted", "good" if inside else "bad", t("card.passed" if inside else "card.failed"),
        t(
            "card.permuted_result", auc=number(found.auc, 3), low=number(_CHANCE - found.bound, 3),
            high=number(_CHANCE + found.bound, 3), fit=number(found.fit_rows), holdout=number(found.holdout_rows),
        ),
    )  # fmt: skip
    picture(charts.permuted(found), t("card.permuted_checked"), width=720)
