"""One story on one stage: a market that goes on, somebody who receives webhooks, somebody who looks."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.support.collector import Collector, collecting
from tests.support.receiver import Receiver
from tests.support.stage import Stage, stage
from tests.support.stage_logs import MARKED, PASSWORD
from tests.support.stage_market import Market, load_history, market
from tests.support.stage_receiver import receiving

Role = Literal["button", "textbox", "slider", "checkbox"]
HISTORY_MINUTES: Final = 150
LATER_MINUTES: Final = 60
SOON_MILLISECONDS: Final = 2_000
# What a user waits for: a job, a delivery, a page of a busy machine.
expect.set_options(timeout=30_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What tests of the whole story share."""

    stage: Stage
    market: Market
    receiver: Receiver
    collector: Collector


@contextmanager
def story(dsn: str) -> Iterator[Story]:
    """Run everything on a market that has a history."""
    shown = market(history_minutes=HISTORY_MINUTES, later_minutes=LATER_MINUTES)
    with (
        tempfile.TemporaryDirectory(prefix="pumpcast-stage-") as folder,
        receiving() as received,
        collecting() as spans,
    ):
        load_history(dsn, shown)
        told = {
            **MARKED,
            "LOG_LEVEL": "INFO",
            "OTEL_EXPORTER_OTLP_ENDPOINT": spans.url,
            "OTEL_BSP_SCHEDULE_DELAY": "500",
        }
        with stage(Path(folder), f"{dsn}&password={PASSWORD}", **told) as running:
            yield Story(stage=running, market=shown, receiver=received, collector=spans)


@contextmanager
def visitor(browser: Browser, **options: object) -> Iterator[Page]:
    """Give a page of somebody with an English browser; whatever went wrong in it fails the test."""
    given = {"locale": "en-GB", "viewport": {"width": 1440, "height": 1000}, **options}
    context: BrowserContext = browser.new_context(**given)
    try:
        page = context.new_page()
        page.set_default_timeout(30_000)
        yield page
        expect(traces(page)).to_have_count(0, timeout=SOON_MILLISECONDS)
    finally:
        context.close()


def traces(page: Page) -> Locator:
    """Give what the app shows when it fails itself."""
    fault = page.get_by_test_id("stAlert").filter(has=page.get_by_text("bug_report", exact=True))
    return page.get_by_test_id("stException").or_(fault)


def main_of(page: Page) -> Locator:
    """Give the part of a page beside the sidebar."""
    return page.get_by_test_id("stMain")


def keyed(page: Page, key: str, role: Role = "button") -> Locator:
    """Give a widget by the key that the app gave it."""
    return page.locator(f".st-key-{key}").get_by_role(role)


def titled(page: Page, words: str) -> None:
    """Wait for a page by its title."""
    expect(main_of(page).get_by_role("heading", name=words, level=1)).to_be_visible()


def told_id(page: Page, name: str = "id") -> int:
    """Give the number that the address of a page says."""
    expect(page).to_have_url(re.compile(rf"[?&]{name}=\d+"))
    found = re.search(rf"[?&]{name}=(\d+)", page.url)
    assert found is not None
    return int(found[1])
