"""Start the app as its settings say: the console script `pumpcast-ui`, and what `pumpcast up` runs."""

import logging
import os
import sys
from pathlib import Path
from typing import Final

import streamlit as st
import streamlit.logger
import structlog

from shared.binding import check_binding, is_loopback
from shared.errors import SettingsInvalid
from shared.logging import set_up_logging, take_over
from shared.settings import read_settings_or_exit
from shared.tracing import set_up_tracing
from streamlit_ui.settings import AppSettings

log = structlog.get_logger(__name__)

APP: Final = Path(__file__).with_name("app.py")
SETTLED: Final = "PUMPCAST_UI_SETTLED"
"""Set for the process that was started by the settings."""
EVERYWHERE: Final = "0.0.0.0"  # nosec B104 # noqa: S104 - what Streamlit means by no address
OPEN: Final = (
    "UI_API_KEY is set, and the app listens beyond this machine: whoever reaches it may do whatever that key allows, "
    "without a login; leave UI_API_KEY empty to have everybody asked for a key of their own"
)


def main() -> None:
    """Become the process that serves the app."""
    settings = read_settings_or_exit(AppSettings)
    check_or_exit(settings)
    _start(command(settings))


def settle() -> None:
    """See that an app which Streamlit's own command started goes by the settings too; options given there win."""
    settings = read_settings_or_exit(AppSettings)
    if os.environ.get(SETTLED) != str(os.getpid()):
        # Streamlit has put its own command line away.
        given = sys.orig_argv[sys.orig_argv.index("run") + 1 :] if "run" in sys.orig_argv else []
        _start([*command(settings), *(one for one in given if not one.endswith(APP.name))])
    set_up_logging(settings, service="app")
    own_logs_of_streamlit()
    set_up_tracing("app")
    # An option may have moved it away from where the settings have it.
    held = settings.model_copy(update={"bind_host": st.get_option("server.address") or EVERYWHERE})
    check_or_exit(held)
    if held.ui_api_key and not is_loopback(held.bind_host):
        log.warning(OPEN, host=held.bind_host, port=st.get_option("server.port"))


def own_logs_of_streamlit() -> None:
    """Have what Streamlit logs go the way of all records: each of its loggers sets up a handler of its own."""

    def pass_on(logger: logging.Logger) -> None:
        take_over([logger.name])

    streamlit.logger.setup_formatter = pass_on
    take_over(name for name in logging.root.manager.loggerDict if name.partition(".")[0] == "streamlit")


def check_or_exit(settings: AppSettings) -> None:
    """Refuse to be reached from elsewhere without keys, with one line and exit code 2, as the services do."""
    try:
        check_binding(settings)
    except SettingsInvalid as error:
        sys.stderr.write(error.message + "\n")
        raise SystemExit(2) from None


def _start(line: list[str]) -> None:
    os.environ[SETTLED] = str(os.getpid())
    os.execv(line[0], line)  # nosec B606 # noqa: S606 - our own command line


def command(settings: AppSettings) -> list[str]:
    """Give the command line; -P keeps the folder one happens to stand in out of the imports."""
    options = {
        "server.address": settings.bind_host,
        "server.port": settings.streamlit_port,
        "server.maxUploadSize": settings.model_package_max_forecast_mb,
        # It would be no line of JSON.
        "logger.hideWelcomeMessage": "true",
    }
    given = [f"--{name}={value}" for name, value in options.items()]
    given += [f"--server.allowedHosts={host}" for host in settings.host_names]
    return [sys.executable, "-P", "-m", "streamlit", "run", str(APP), *given]
