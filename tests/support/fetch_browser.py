"""`make browser`: see that there is a Chromium that starts, fetch one where there is none, and say what is missing."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

from playwright.sync_api import Error

from pumpcast.console import tell
from tests.support.browser import HOW, chromium

FETCH_SECONDS = 400
MISSING = f"""
********************************************************************************
  THE TESTS IN A BROWSER WILL BE SKIPPED: {HOW}
********************************************************************************"""


def version() -> str | None:
    """Give the version of the browser that the tests would take; None when there is none, or it does not start."""
    try:
        with chromium() as browser:
            return browser and browser.version
    except Error as error:
        tell(f"A Chromium is there, and does not start: {error.message.splitlines()[0]}")
        return None


def ways() -> Iterator[list[list[str]]]:
    """Give commands that may fetch one, the usual way first."""
    install = [sys.executable, "-m", "playwright", "install"]
    root = os.geteuid() == 0
    yield [[*install, "chromium"]]
    if root and shutil.which("apt-get"):
        # Also what a downloaded one needs of the system.
        yield [["apt-get", "update", "-q"], ["apt-get", "install", "-yq", "--no-install-recommends", "chromium"]]
        yield [[*install, "--with-deps", "chromium"]]


def run(commands: list[list[str]]) -> bool:
    """Run them one after the other until one fails."""
    for command in commands:
        tell(f"$ {' '.join(command)}")
        try:
            done = subprocess.run(command, check=False, timeout=FETCH_SECONDS, stdin=subprocess.DEVNULL)
        except (OSError, subprocess.TimeoutExpired) as error:
            tell(str(error))
            return False
        if done.returncode != 0:
            return False
    return True


def main() -> None:
    """See and fetch; a machine without a browser still passes all other tests, unless REQUIRE_BROWSER is set."""
    found = version()
    for commands in ways() if found is None else ():
        if run(commands) and (found := version()) is not None:
            break
    tell(MISSING if found is None else f"Chromium {found}")
    if found is None and os.environ.get("REQUIRE_BROWSER"):
        sys.exit(1)


if __name__ == "__main__":
    main()
