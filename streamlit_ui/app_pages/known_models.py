"""Names of models and phases, remembered for a moment: a stream must not ask for all of them at every draw."""

import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import streamlit as st

from shared.contracts.prediction import ActiveModel
from streamlit_ui.client.active_models import list_active
from streamlit_ui.client.jobs import list_phases
from streamlit_ui.client.transport import ServiceError
from streamlit_ui.formats import NOTHING
from streamlit_ui.session import services, t

KEPT_SECONDS: Final = 20.0
_KNOWN: Final = "known_models"
_PHASES: Final = "known_phases"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    models: dict[int, ActiveModel]
    asked_at: float
    """On the monotonic clock."""


def known_models(needed: Collection[int] = ()) -> dict[int, ActiveModel]:
    """Give imported models by their id, inactive ones too; asked anew when old, or when one of `needed` is missing."""
    known: _Known | None = st.session_state.get(_KNOWN)
    age = time.monotonic() - known.asked_at if known else KEPT_SECONDS
    # A deleted model stays unknown: that alone is no reason to ask at every draw.
    is_missing = known is not None and not known.models.keys() >= set(needed) and age > 1
    if known is None or age >= KEPT_SECONDS or is_missing:
        found = list_active(services().prediction, include_inactive=True).models
        known = _Known(models={model.id: model for model in found}, asked_at=time.monotonic())
        st.session_state[_KNOWN] = known
    return known.models


def forget_models() -> None:
    """Ask anew next time: something was changed."""
    st.session_state.pop(_KNOWN, None)


def model_name(models: dict[int, ActiveModel], active_id: int) -> str:
    """Give the name of a model, or say that it is deleted."""
    found = models.get(active_id)
    return found.name if found else t("model_states.deleted", id=active_id)


def phases() -> dict[int, str]:
    """Give the names of the phases by their id; none while the training service, which knows them, is silent."""
    known: dict[int, str] | None = st.session_state.get(_PHASES)
    if known is None:
        try:
            known = {phase.id: phase.name for phase in list_phases(services().training).phases}
        except ServiceError:
            return {}
        st.session_state[_PHASES] = known
    return known


def phase_name(known: dict[int, str], phase_id: int | None) -> str:
    """Give the name of a phase, or its number."""
    if phase_id is None:
        return NOTHING
    return known.get(phase_id) or t("predictions.phase_number", id=phase_id)
