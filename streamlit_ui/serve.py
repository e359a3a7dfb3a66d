"""Start the app as its settings say: the console script `pumpcast-ui`, and what `pumpcast up` runs."""

import os
import sys
from pathlib import Path
from typing import Final

from shared.settings import read_settings_or_exit
from streamlit_ui.settings import AppSettings

APP: Final = Path(__file__).with_name("app.py")
LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


def main() -> None:
    """Become the process that serves the app."""
    os.execv(sys.executable, command(read_settings_or_exit(AppSettings)))  # noqa: S606 - our own command line


def command(settings: AppSettings) -> list[str]:
    """Give the command line; -P keeps the folder one happens to stand in out of the imports."""
    options = {
        "server.address": settings.bind_host,
        "server.port": settings.streamlit_port,
        "server.maxUploadSize": settings.model_package_max_forecast_mb,
    }
    given = [f"--{name}={value}" for name, value in options.items()]
    # A page of another name cannot reach the app through a visitor's browser.
    hosts = dict.fromkeys((*LOOPBACK, settings.bind_host, *settings.allowed_hosts))
    given += [f"--server.allowedHosts={host}" for host in hosts]
    return [sys.executable, "-P", "-m", "streamlit", "run", str(APP), *given]
