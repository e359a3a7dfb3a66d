"""Which predictions are listed: choices that stand in the address."""

from typing import Any, Final

import streamlit as st

from shared.contracts.prediction import ActiveModel
from streamlit_ui.address import keep, select, told, told_number
from streamlit_ui.app_pages.known_models import model_name, phase_name, phases
from streamlit_ui.app_pages.told_times import pick_moment
from streamlit_ui.session import t, zone

OUTCOMES: Final = ("", "pending", "tp", "fp", "fn", "tn", "unresolved")
NAMES: Final = ("alerts", "model", "outcome", "min", "phase", "from", "to")
STEP_SECONDS: Final = 300
"""Of the moments to choose from."""
_LAST: Final = "prediction_filters"


def draw(models: dict[int, ActiveModel]) -> dict[str, Any]:
    """Draw the choices; give them as the service takes them."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        alerts = select(
            t("predictions.which"), ["all", "only"], name="alerts", words=lambda one: t(f"predictions.which_{one}"),
            widget=st.segmented_control,
        )  # fmt: skip
        model = select(
            t("predictions.model"), [0, *models], name="model", width=240,
            words=lambda one: model_name(models, one) if one else t("predictions.every_model"),
        )  # fmt: skip
        outcome = select(
            t("predictions.outcome"), OUTCOMES, name="outcome", width=190,
            words=lambda one: t(f"predictions.outcome_{one}") if one else t("predictions.every_outcome"),
        )  # fmt: skip
        given = sum(told(name) is not None for name in ("min", "phase", "from", "to"))
        label = t("predictions.more_given", count=given) if given else t("predictions.more")
        with st.popover(label, icon=":material/filter_list:"):
            least = _least_probability()
            known = phases()
            phase = select(
                t("predictions.phase"), ["", *map(str, known)], name="phase",
                words=lambda one: phase_name(known, int(one)) if one else t("predictions.every_phase"),
            )  # fmt: skip
            since, until = (
                pick_moment(name, t(f"predictions.{name}", clock=zone().key), step_seconds=STEP_SECONDS)
                for name in ("from", "to")
            )
    found = {
        "is_alert": True if alerts == "only" else None,
        "active_model_id": model or None,
        "outcome": outcome or None,
        "min_probability": least or None,
        "phase_id": int(phase) if phase else None,
        "date_from": since,
        "date_to": until,
    }
    _turn_back(found)
    return {name: value for name, value in found.items() if value is not None}


def clear() -> None:
    """List everything again."""
    for name in (*NAMES, "cursor"):
        keep(name, None)


def _turn_back(found: dict[str, Any]) -> None:
    """Leave an older page when something else is looked for: its cursor belongs to another list."""
    if st.session_state.get(_LAST, found) != found:
        keep("cursor", None)
    st.session_state[_LAST] = found


def _least_probability() -> float:
    key = "pick_min"
    start = min(max(told_number("min") or 0.0, 0.0), 1.0)
    st.session_state[key] = start
    return st.slider(
        t("predictions.least"), min_value=0.0, max_value=1.0, step=0.01, format="percent", key=key,
        on_change=lambda: keep("min", round(st.session_state[key], 2), 0.0),
    )  # fmt: skip
