"""Ask both services what the overview shows; one silent service hides nothing that the other knows."""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final, TypeVar

import streamlit as st

from shared.contracts.prediction import ActiveModel
from shared.contracts.statistics import ModelStatistics
from shared.contracts.training import Model
from streamlit_ui.app_pages.attention import Finding, Situation, of_figures
from streamlit_ui.client.active_models import get_service_statistics, get_statistics, list_active
from streamlit_ui.client.jobs import list_jobs
from streamlit_ui.client.models import list_models
from streamlit_ui.client.packages import list_packages
from streamlit_ui.client.system import get_health
from streamlit_ui.client.transport import KeyNeeded, Service, ServiceError, Unreachable
from streamlit_ui.client.webhooks import list_webhooks
from streamlit_ui.session import services

MOST_MODELS: Final = 6
"""Models whose figures are asked for one by one; the others are counted."""
MOST_JOBS: Final = 20
MOST_TRAINED: Final = 1000
SIDE_BY_SIDE: Final = 4
TURN: Final = 6
"""Of the others so many are looked at in turn each time."""
TURN_SECONDS: Final = 1800.0
"""What was found in turn holds so long."""
TRAINED_SECONDS: Final = 60.0
_TRAINED: Final = "trained_models"
_TURNS: Final = "looked_at_in_turn"
Answer = TypeVar("Answer")
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What is known now."""

    situation: Situation
    shown: Sequence[ActiveModel]
    """Live ones first, busiest first."""
    looked_at: int
    """Active models whose statistics were looked at."""
    has_trained: bool
    """Whether the training service has a model; true as well while it does not tell."""
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
    figures = ask.of_models(prediction, shown)
    endpoints = ask(prediction, list_webhooks)
    packages = ask(prediction, list_packages)
    failed = ask(training, partial(list_jobs, status="FAILED", limit=MOST_JOBS))
    trained = ask(training, _trained)
    ids = {one.id for one in shown}
    in_turns, looked_at = _look_in_turn(ask, prediction, [one for one in models if one.id not in ids])
    situation = Situation(
        now=datetime.now(UTC),
        silent=tuple(ask.silent),
        health=tuple(one for one in health if one),
        service=statistics,
        models=models,
        statistics=[one for one in figures if one],
        in_turns=in_turns,
        trained=trained or [],
        endpoints=endpoints.webhooks if endpoints else [],
        packages=packages.packages if packages else [],
        failed_jobs=failed.jobs if failed else [],
    )
    error = ask.errors.get("prediction") if statistics is None or found is None else None
    return Overview(
        situation=situation, shown=shown, looked_at=looked_at + sum(one is not None for one in figures),
        has_trained=trained is None or bool(trained), error=error,
    )  # fmt: skip


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

    def of_models(self, prediction: Service, models: Sequence[ActiveModel]) -> list[ModelStatistics | None]:
        """Ask for the statistics of some models, side by side."""

        def ask(model: ActiveModel) -> ModelStatistics | None:
            return self(prediction, partial(get_statistics, active_id=model.id))

        return side_by_side(ask, models)


def side_by_side(ask: Callable[[Item], Answer], items: Iterable[Item]) -> list[Answer]:
    """Ask about several things at once; give the answers in their order."""
    with ThreadPoolExecutor(SIDE_BY_SIDE, "looks") as threads:
        return list(threads.map(ask, items))


def _trained(training: Service) -> list[Model]:
    """Give what is trained, remembered for a moment."""
    known: tuple[float, list[Model]] | None = st.session_state.get(_TRAINED)
    if known is None or time.monotonic() - known[0] >= TRAINED_SECONDS:
        known = time.monotonic(), list_models(training, limit=MOST_TRAINED).models
        # A list without a model is asked for anew: the first one ends the words on how to begin.
        if known[1]:
            st.session_state[_TRAINED] = known
    return known[1]


def _look_in_turn(ask: _Asking, prediction: Service, models: Sequence[ActiveModel]) -> tuple[list[Finding], int]:
    """Look at some models now; give what was found in all, and how many were looked at so far."""
    known: dict[int, tuple[float, list[Finding]]] = st.session_state.setdefault(_TURNS, {})
    now = time.monotonic()
    due = [one for one in models if one.id not in known or now - known[one.id][0] >= TURN_SECONDS]
    due.sort(key=lambda one: known[one.id][0] if one.id in known else -TURN_SECONDS)
    turn = due[:TURN]
    for one, figures in zip(turn, ask.of_models(prediction, turn), strict=True):
        if figures is not None:
            known[one.id] = now, list(of_figures(one, figures))
    looked_at = [known[one.id][1] for one in models if one.id in known]
    return [finding for found in looked_at for finding in found], len(looked_at)
