"""How the app starts: what it refuses, and what it warns of."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import streamlit_ui
from streamlit_ui.settings import AppSettings
from tests.support.stage import stage

APP = Path(streamlit_ui.__file__).with_name("app.py")
BEYOND = "0.0.0.0"
KEYS = f"somebody:read:{'0' * 64}"
START = [sys.executable, "-P", "-c", "from streamlit_ui.serve import main; main()"]
RUN = [sys.executable, "-P", "-m", "streamlit", "run", str(APP)]


def ended(command: list[str], folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Start the app where it is refused."""
    kept = {name: value for name, value in os.environ.items() if name.lower() not in AppSettings.model_fields}
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    environment = kept | {"STREAMLIT_PORT": port} | settings
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )  # fmt: skip


def test_start_when_beyond_this_machine_without_keys_then_refused_in_one_line(tmp_path: Path):
    done = ended(START, tmp_path, BIND_HOST=BEYOND)
    assert done.returncode == 2
    assert done.stderr == (
        "BIND_HOST='0.0.0.0' is not allowed without API_KEYS: set keys, "
        "which `pumpcast keys new NAME --scope write` makes, or bind to 127.0.0.1\n"
    )  # fmt: skip


@pytest.mark.parametrize("options", [["--server.address", BEYOND], ["--server.address="]])
def test_start_when_an_option_moves_it_beyond_this_machine_then_refused_too(options: list[str], tmp_path: Path):
    done = ended([*RUN, *options], tmp_path)
    assert done.returncode == 2
    assert "is not allowed without API_KEYS" in done.stderr


def test_start_when_the_key_for_everybody_cannot_be_sent_then_refused_without_showing_it(tmp_path: Path):
    done = ended(START, tmp_path, UI_API_KEY="schlüssel")
    assert done.returncode == 2
    assert "UI_API_KEY=…" in done.stderr
    assert "schl" not in done.stderr


@pytest.mark.parametrize(("host", "is_open"), [(BEYOND, True), ("127.0.0.1", False)])
def test_start_when_a_key_is_shown_for_everybody_beyond_this_machine_then_the_log_warns(
    host: str, is_open: bool, tmp_path: Path
):
    with stage(tmp_path, "", "app", BIND_HOST=host, API_KEYS=KEYS, UI_API_KEY="shown-for-everybody") as served:
        said = served.log("app").read_text(encoding="utf-8")
    assert ("UI_API_KEY is set, and the app listens" in said) is is_open
    assert "shown-for-everybody" not in said
