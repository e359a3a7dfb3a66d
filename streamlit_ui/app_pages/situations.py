"""Ask both services what the overview shows; one silent service hides nothing that the other knows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final, TypeVar

import streamlit as st

from shared.contracts.prediction import ActiveModel
from shared.contracts.training import Model
from streamlit_ui.app_pages.attention import Situation
from streamlit_ui.client.active_models import get_service_statistics, get_statistics, list_active
from streamlit_ui.client.jobs import list_jobs
from streamlit_ui.client.models import get_model
from streamlit_ui.client.packages import list_packages
from streamlit_ui.client.system import get_health
from streamlit_ui.client.transport import KeyNeeded, Service, ServiceError, Unreachable
from streamlit_ui.client.webhooks import list_webhooks
from streamlit_ui.session import services

MOST_MODELS: Final = 6
"""Models whose figures are asked for one by one; the others are counted."""
MOST_JOBS: Final = 20
_TRAINED: Final = "trained_models"
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What is known now."""

    situation: Situation
    shown: Sequence[ActiveModel]
    """Live ones first, busiest first."""
    error: ServiceError | None
    """Why the prediction service told nothing."""


def look() -> Overview:
    """Ask both services."""
    ask = _Asking()
    training, prediction = services().training, services().prediction
    health = [ask(one, get_health) for one in (prediction, training)]
    statistics = ask(prediction, get_service_statistics)
    found = ask(prediction, list_active)
    models = found.models if found else []
    shown = sorted(models, key=lambda model: (model.mode != "live", -model.total_predictions))[:MOST_MODELS]
    figures = [ask(prediction, partial(get_statistics, active_id=one.id)) for one in shown]
    endpoints = ask(prediction, list_webhooks)
    packages = ask(prediction, list_packages)
    failed = ask(training, partial(list_jobs, status="FAILED", limit=MOST_JOBS))
    trained = [ask(training, partial(_trained, model_id=one.model_id)) for one in shown]
    situation = Situation(
        now=datetime.now(UTC),
        silent=tuple(ask.silent),
        health=tuple(one for one in health if one),
        service=statistics,
        models=models,
        statistics=[one for one in figures if one],
        trained=[one for one in trained if one],
        endpoints=endpoints.webhooks if endpoints else [],
        packages=packages.packages if packages else [],
        failed_jobs=failed.jobs if failed else [],
    )
    error = ask.errors.get("prediction") if statistics is None or found is None else None
    return Overview(situation=situation, shown=shown, error=error)


class _Asking:
    """Asks, remembers who is silent, and asks them no more."""

    def __init__(self) -> None:
        self.silent: dict[str, None] = {}
        self.errors: dict[str, ServiceError] = {}

    def __call__(self, service: Service, ask: Callable[[Service], Answer]) -> Answer | None:
        if service.name in self.silent:
            return None
        try:
            return ask(service)
        except KeyNeeded:
            raise
        except Unreachable as error:
            self.silent[error.service] = None
            self.errors[error.service] = error
        except ServiceError as error:
            self.errors.setdefault(error.service, error)
        return None


def _trained(training: Service, model_id: int) -> Model:
    """Give a trained model; what is learnt stays as it is, so each is asked for once a session."""
    known: dict[int, Model] = st.session_state.setdefault(_TRAINED, {})
    if model_id not in known:
        known[model_id] = get_model(training, model_id)
    return known[model_id]
