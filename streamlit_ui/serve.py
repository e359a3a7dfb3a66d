"""Start the app as its settings say: the console script `pumpcast-ui`, and what `pumpcast up` runs."""

import os
import sys
from pathlib import Path
from typing import Final

from shared.settings import read_settings_or_exit
from streamlit_ui.settings import AppSettings

APP: Final = Path(__file__).with_name("app.py")
SETTLED: Final = "PUMPCAST_UI_SETTLED"
"""Set for the process that was started by the settings."""


def main() -> None:
    """Become the process that serves the app."""
    _start(command(read_settings_or_exit(AppSettings)))


def settle() -> None:
    """See that an app which Streamlit's own command started goes by the settings too; options given there win."""
    settings = read_settings_or_exit(AppSettings)
    if os.environ.get(SETTLED) != str(os.getpid()):
        # Streamlit has put its own command line away.
        given = sys.orig_argv[sys.orig_argv.index("run") + 1 :] if "run" in sys.orig_argv else []
        _start([*command(settings), *(one for one in given if not one.endswith(APP.name))])


def _start(line: list[str]) -> None:
    os.environ[SETTLED] = str(os.getpid())
    os.execv(line[0], line)  # noqa: S606 - our own command line


def command(settings: AppSettings) -> list[str]:
    """Give the command line; -P keeps the folder one happens to stand in out of the imports."""
    options = {
        "server.address": settings.bind_host,
        "server.port": settings.streamlit_port,
        "server.maxUploadSize": settings.model_package_max_forecast_mb,
    }
    given = [f"--{name}={value}" for name, value in options.items()]
    given += [f"--server.allowedHosts={host}" for host in settings.host_names]
    return [sys.executable, "-P", "-m", "streamlit", "run", str(APP), *given]
