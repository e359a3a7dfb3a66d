"""Preflights beside the session: the form stays quick while one is under way, and each request is looked at once."""

import json
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass, field
from typing import Final

import streamlit as st

from shared.contracts.model_request import CreateModel
from shared.contracts.preflight import PreflightReport
from streamlit_ui.app_pages.training_draft import Body
from streamlit_ui.client.jobs import preflight
from streamlit_ui.client.transport import Refused, Service, ServiceError

Outcome = PreflightReport | Refused
PATIENCE_SECONDS: Final = 0.8
"""As long as the page waits; what takes longer is looked for again."""
MOST_KEPT: Final = 20
# These say nothing about the rows.
_ASIDE: Final = ("name", "description", "priority", "force")
_KEY: Final = "training_looks"


@dataclass(slots=True)
class Looks:
    """What a session has asked for."""

    # One at a time: those that were overtaken before their turn are never sent.
    threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "preflight"))
    found: dict[str, Outcome] = field(default_factory=dict)
    request: str = ""
    """The one under way."""
    pending: Future[PreflightReport] | None = None
    failed: tuple[str, ServiceError] | None = None
    """What came of the last one beside an outcome."""


def looks() -> Looks:
    """Give those of this session."""
    found: Looks = st.session_state.setdefault(_KEY, Looks())
    return found


def mark(body: Body) -> str:
    """Give what tells one request from another, as far as rows are concerned."""
    return json.dumps({name: value for name, value in body.items() if name not in _ASIDE}, sort_keys=True)


def known(request: str) -> Outcome | None:
    """Give what is known of a request."""
    return looks().found.get(request)


def give_up(request: str, error: ServiceError) -> None:
    """Keep why there is no outcome, to be told once."""
    looks().failed = (request, error)


def failure(request: str) -> ServiceError | None:
    """Give why there was no outcome; it is looked for anew after that."""
    mine = looks()
    failed, mine.failed = mine.failed, None
    return failed[1] if failed is not None and failed[0] == request else None


def forget(request: str) -> None:
    """Let a request be looked at anew."""
    looks().found.pop(request, None)


def look(request: str, wanted: CreateModel, training: Service) -> Outcome | None:
    """Give the outcome for a request; None while it is under way. Raises what else is wrong with the service.

    Only the first look waits a little.
    """
    mine = looks()
    if request in mine.found:
        return mine.found[request]
    patience_seconds = 0.0
    if mine.request != request or mine.pending is None:
        patience_seconds = PATIENCE_SECONDS
        if mine.pending is not None:
            mine.pending.cancel()
        mine.request, mine.pending = request, mine.threads.submit(preflight, training, wanted)
    try:
        outcome: Outcome = mine.pending.result(timeout=patience_seconds)
    except NotYet:
        return None
    except Refused as error:
        outcome = error
    except Exception:
        mine.pending = None
        raise
    mine.pending = None
    mine.found[request] = outcome
    while len(mine.found) > MOST_KEPT:
        del mine.found[next(iter(mine.found))]
    return outcome
