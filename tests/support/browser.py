"""A real browser: Playwright's own Chromium where it was downloaded, else one that the machine has."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, Playwright, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# As root in a container, and without a word to the outside.
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run", "--disable-quic",
)  # fmt: skip
HOW = "no Chromium: `playwright install chromium` or, on Debian, `apt-get install chromium`"


def executable(playwright: Playwright) -> str | None:
    """Give where a Chromium lies, or None."""
    own = playwright.chromium.executable_path
    return own if own and Path(own).exists() else next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def chromium() -> Iterator[Browser | None]:
    """Give a browser, or None where there is none."""
    with sync_playwright() as playwright:
        path = executable(playwright)
        if path is None:
            yield None
            return
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


def settled(page: Page, *, milliseconds: int = 20_000) -> None:
    """Wait until a page of the app stands still: drawn, nothing running, charts with their marks."""
    page.wait_for_selector('[data-testid="stApp"]', timeout=milliseconds)
    page.wait_for_function(
        """() => {
          const app = document.querySelector('[data-testid="stApp"]');
          return app && app.getAttribute('data-test-script-state') === 'notRunning'
            && !document.querySelector('[data-testid="stSkeleton"]') && !document.querySelector('[data-stale="true"]');
        }""",
        timeout=milliseconds,
    )
    page.wait_for_timeout(300)
