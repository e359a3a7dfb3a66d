"""What goes wrong on a running stack, as somebody sees it in a browser."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.stage import Stage, stage
from tests.support.stage_story import Story, main_of, titled, traces

KEY = "the-right-key"


@pytest.fixture(scope="module")
def guarded(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give both APIs and the app once more, on the same database, where a key is wanted."""
    keys = f"operator:write:{hashlib.sha256(KEY.encode()).hexdigest()}"
    home: Path = tmp_path_factory.mktemp("guarded")
    with stage(home, story.stage.dsn, "training-api", "prediction-api", "app", API_KEYS=keys) as found:
        yield found


def test_service_when_killed_then_a_banner_stands_in_its_place_and_goes_when_it_is_back(story: Story, visit: Page):
    visit.goto(f"{story.stage.app}/jobs")
    titled(visit, "Jobs")
    story.stage.kill("training-api")
    try:
        visit.reload()
        banner = main_of(visit).get_by_role("alert").filter(has_text="The training service does not answer")
        expect(banner.first).to_be_visible()
        expect(traces(visit)).to_have_count(0)
        # What the other service knows is still to be had.
        visit.goto(f"{story.stage.app}/delivery")
        titled(visit, "Delivery")
        expect(main_of(visit).get_by_text("does not answer")).to_have_count(0)
        visit.goto(f"{story.stage.app}/jobs")
        expect(banner.first).to_be_visible()
    finally:
        story.stage.start("training-api")
        story.stage.ready("training-api")
    main_of(visit).get_by_role("button", name="Try again").first.click()
    expect(banner).to_have_count(0)
    titled(visit, "Jobs")


def test_key_when_wrong_then_refused_and_when_right_then_it_outlives_a_reload(guarded: Stage, visit: Page):
    visit.goto(f"{guarded.app}/delivery")
    titled(visit, "Who is there?")
    field = visit.get_by_label("API key", exact=True)
    field.fill("a-wrong-key")
    visit.get_by_role("button", name="Enter").click()
    expect(visit.get_by_role("alert").filter(has_text="This key is not taken")).to_be_visible()
    field.fill(KEY)
    visit.get_by_role("button", name="Enter").click()
    titled(visit, "Delivery")
    # The browser has fetched its cookie.
    visit.wait_for_function("() => performance.getEntriesByName(location.origin + '/session').length > 0")
    visit.reload()
    titled(visit, "Delivery")
    expect(visit.get_by_label("API key", exact=True)).to_have_count(0)
    assert KEY not in visit.content()
    visit.get_by_role("button", name="Forget my key").click()
    titled(visit, "Who is there?")
    visit.reload()
    titled(visit, "Who is there?")
    expect(visit).to_have_url(re.compile("/delivery"))
