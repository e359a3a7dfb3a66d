"""What there is to choose from; asked for once in a while, as every change of the form draws the page anew."""

import time
from dataclasses import dataclass
from typing import Final

import streamlit as st

from shared.contracts.jobs import DataAvailability, FeatureCatalogue, ModelTypeInfo, ModelTypeList, PhaseList
from streamlit_ui.client import jobs
from streamlit_ui.client.transport import Service

FRESH_SECONDS: Final = 30.0
_KEY: Final = "training_catalogue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Everything a request can name."""

    features: FeatureCatalogue
    phases: PhaseList
    model_types: ModelTypeList
    data: DataAvailability
    read_at: float
    """On the clock that only runs forward."""

    def model_type(self, name: str) -> ModelTypeInfo:
        """Give a kind of model; the first one where the name is unknown."""
        return next((one for one in self.model_types.model_types if one.name == name), self.model_types.model_types[0])


def load(training: Service) -> Catalogue:
    """Give what there is."""
    known: Catalogue | None = st.session_state.get(_KEY)
    if known is not None and time.monotonic() - known.read_at < FRESH_SECONDS:
        return known
    found = Catalogue(
        features=jobs.list_features(training),
        phases=jobs.list_phases(training),
        model_types=jobs.list_model_types(training),
        data=jobs.get_data_availability(training),
        read_at=time.monotonic(),
    )
    st.session_state[_KEY] = found
    return found
