"""The verb `up`: both services, their workers and the app in the foreground."""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from prediction_service.settings import PredictionSettings
from pumpcast.console import show, tell
from pumpcast.market.fill import fill_when_empty
from pumpcast.probe import INSTALL_APP, Listener, apis
from pumpcast.probe import app as app_listener
from pumpcast.supervision import Program, State, Supervision, alone
from shared.binding import check_binding
from shared.embedded import database
from shared.errors import Conflict, Invalid, PumpcastError, Unavailable
from shared.migrate import pending
from shared.settings import read_settings
from streamlit_ui.settings import AppSettings

READY_SECONDS: Final = 120
LOOK_SECONDS: Final = 0.5
WATCH_SECONDS: Final = 1.0
# A program that keeps dying is told of once in a while, not every time.
TELL_SECONDS: Final = 60.0
# A program that ends so often before everything is ready will not come up by being tried again.
ENDS_ALLOWED: Final = 3
STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
PROGRAMS: Final = (
    Program(name="training-api", group="apis", entry="training_service.app:main"),
    Program(name="prediction-api", group="apis", entry="prediction_service.app:main"),
    Program(name="training-worker", group="workers", entry="training_service.worker:main"),
    Program(name="prediction-worker", group="workers", entry="prediction_service.worker:main"),
)
MARKET: Final = Program(name="market", group="market", entry="pumpcast.cli:main", arguments=("simulate-both",))
APP: Final = Program(name="app", group="app", entry="streamlit_ui.serve:main")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """Where everything is."""

    app: str | None
    """None when it was not started."""
    training_api: str
    prediction_api: str
    logs: str


class _Stop:
    """Ctrl-C and SIGTERM: the first asks to stop, the second stops at once."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.hurry = threading.Event()

    def __call__(self, _number: int, _frame: object) -> None:
        (self.hurry if self.asked.is_set() else self.asked).set()


def bring_up(
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Add live simulated markets of coins and candles, with what went before.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the addresses as JSON, once everything is ready.")
    ] = False,
    with_app: Annotated[bool, typer.Option("--app/--no-app", help="Start the app in the browser too.")] = True,
) -> None:
    """Start both APIs, both workers and the app, and keep them running until Ctrl-C.

    The addresses are printed when all are ready. A program that dies is started again. Logs lie below PUMPCAST_HOME,
    in log/.
    """
    settings = read_settings(PredictionSettings)
    check_binding(settings)
    services = apis()
    app = app_listener() if with_app else None
    if with_app and app is None:
        tell(f"Without the app, which is not installed: {INSTALL_APP}")
    listeners = services if app is None else (*services, app)
    programs = (*PROGRAMS, *([MARKET] if simulate else []), *([] if app is None else [APP]))
    with _stopped_by_signals() as stop, alone(settings.home):
        _check_ports(listeners)
        _name_ports(*services)
        with database(settings) as dsn:
            if missing := pending(dsn):
                raise Unavailable(f"The database lacks {len(missing)} migrations: run `pumpcast migrate`")
            if simulate and (rows := fill_when_empty(dsn)):
                tell(f"coin_metrics was empty: {rows} simulated rows of the last hours are in it now")
            with Supervision(settings.home, programs, hurry=stop.hurry) as supervision:
                if _wait_until_ready(supervision, listeners, programs, stop.asked):
                    known = {state.name: state for state in supervision.states()}
                    _announce(services, app, settings.home / "log", as_json=as_json)
                    _watch(supervision, known, stop.asked)
                tell("Stopping")
    tell("Stopped")


@contextmanager
def _stopped_by_signals() -> Iterator[_Stop]:
    stop = _Stop()
    before = {number: signal.signal(number, stop) for number in STOP_SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _check_ports(listeners: Sequence[Listener]) -> None:
    holders: dict[int, Listener] = {}
    for listener in listeners:
        if (other := holders.setdefault(listener.port, listener)) is not listener:
            raise Invalid(
                f"The {other.name} and the {listener.name} are both set to port {listener.port}: "
                f"change {listener.setting}"
            )
    for listener in listeners:
        if not listener.port_is_free():
            raise Conflict(
                f"Port {listener.port} on {listener.bind_host} is taken, the {listener.name} needs it: "
                f"stop what listens there or set {listener.setting}"
            )


def _name_ports(training: Listener, prediction: Listener) -> None:
    # Who moves an API should not have to tell everybody who asks it as well.
    told = read_settings(AppSettings).model_fields_set
    for setting, api in (("training_service_api_url", training), ("api_base_url", prediction)):
        if setting not in told:
            os.environ[setting.upper()] = f"{api.url}/api"


def _wait_until_ready(
    supervision: Supervision, listeners: Sequence[Listener], programs: Sequence[Program], stop: threading.Event
) -> bool:
    """Wait for readiness; False when somebody asked to stop before it."""
    deadline = time.monotonic() + READY_SECONDS
    ends: Counter[str] = Counter()
    ended_at: dict[str, int] = {}
    while not stop.wait(LOOK_SECONDS):
        if not supervision.alive:
            raise PumpcastError(f"supervisord does not run: see {supervision.log('supervisord')}")
        states = supervision.states()
        for state in states:
            if state.ended_at > ended_at.get(state.name, 0):
                ended_at[state.name] = state.ended_at
                ends[state.name] += 1
            if ends[state.name] >= ENDS_ALLOWED:
                raise PumpcastError(
                    f"{state.name} does not start, its last words: {supervision.last_words(state.name)} "
                    f"(all of them in {supervision.log(state.name)})"
                )
        waiting = [state.name for state in states if not state.running]
        troubles = [trouble for one in listeners if (trouble := one.trouble())]
        if len(states) == len(programs) and not waiting and not troubles:
            return True
        if time.monotonic() > deadline:
            raise Unavailable(f"Not ready after {READY_SECONDS} s: {'; '.join([*waiting, *troubles])}")
    return False


def _announce(services: Sequence[Listener], app: Listener | None, logs: Path, *, as_json: bool) -> None:
    training, prediction = services
    ready = Ready(
        app=app.url if app else None,
        training_api=f"{training.url}/api",
        prediction_api=f"{prediction.url}/api",
        logs=str(logs),
    )
    lines = [
        f"training API    {ready.training_api}  (documentation: {training.url}/docs)",
        f"prediction API  {ready.prediction_api}  (documentation: {prediction.url}/docs)",
        f"logs            {ready.logs}",
        "Ready. Ctrl-C stops everything.",
    ]
    if ready.app is not None:
        lines.insert(0, f"app             {ready.app}")
    show(ready, as_json=as_json, sentence="\n".join(lines))


def _watch(supervision: Supervision, known: dict[str, State], stop: threading.Event) -> None:
    told_at: dict[str, float] = {}
    while not stop.wait(WATCH_SECONDS):
        if not supervision.alive:
            raise PumpcastError(f"supervisord ended, everything else with it: see {supervision.log('supervisord')}")
        for state in supervision.states():
            before = known.get(state.name)
            quiet = time.monotonic() - told_at.get(state.name, -TELL_SECONDS) < TELL_SECONDS
            if before is not None and state.ended_at > before.ended_at and not quiet:
                told_at[state.name] = time.monotonic()
                tell(f"{state.name} ended and is started again: see {supervision.log(state.name)}")
            known[state.name] = state
