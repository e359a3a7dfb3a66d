"""A package in a browser: uploaded, checked, warmed up, asked, traded on paper; and files that are none."""

import importlib.util
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from prediction_service.runtime.packages import demo
from tests.support.browser import settled
from tests.support.stage_story import Story, keyed, main_of, titled

PAIR = Path(demo.__file__).parent
FORECASTER, POLICY, MANIFEST = (PAIR / name for name in ("forecast_model.pt", "ppo_policy.zip", "manifest.json"))
needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="packages are computed with torch: pip install pumpcast[packages]"
)


def give(page: Page, app: str, name: str, forecaster: Path, policy: Path, manifest: Path | None = None) -> None:
    """Fill the form of an upload and send it."""
    page.goto(f"{app}/packages?view=upload")
    titled(page, "Packages")
    settled(page)
    field = keyed(page, "upload_name", "textbox")
    for part, file in (("forecaster", forecaster), ("policy", policy), ("manifest", manifest)):
        if file is not None:
            page.locator(f".st-key-upload_{part} input[type=file]").set_input_files(file)
            expect(page.locator(f".st-key-upload_{part}").get_by_text(file.name)).to_be_visible()
            # The page is drawn anew for each file; one that is given meanwhile may be lost.
            settled(page)
    field.fill(name)
    field.press("Tab")
    keyed(page, "upload_send").click()


@needs_torch
def test_package_when_uploaded_then_it_warms_up_gives_a_signal_and_trades_on_paper(story: Story, visit: Page):
    stage, page = story.stage, main_of(visit)
    give(visit, stage.app, "Story pair", FORECASTER, POLICY, MANIFEST)
    expect(visit).to_have_url(re.compile(r"[?&]model=story_pair"), timeout=60_000)
    expect(page.get_by_text("warmed up")).to_be_visible(timeout=60_000)
    signal = page.get_by_test_id("stMetric").filter(has_text=re.compile("LONG|SHORT|FLAT"))
    expect(signal).to_be_visible()
    expect(page.get_by_test_id("stPlotlyChart").locator(".main-svg").first).to_be_visible()
    keyed(visit, "signal_act").click()
    expect(page.get_by_test_id("stAlert").filter(has_text=re.compile("open", re.IGNORECASE))).to_be_visible()

    # Whatever the market says today: a position by hand, closed again.
    page.get_by_role("tab", name="Paper account").click()
    expect(visit).to_have_url(re.compile("tab=paper"))
    before = len(stage.ask("prediction", "GET", "/paper/positions/story_pair?status=OPEN")["positions"])
    keyed(visit, "paper_open").click()
    keyed(visit, "open_do").click()
    expect(page.get_by_role("heading", name=f"Open positions ({before + 1})")).to_be_visible()
    page.get_by_role("tab", name="Equity").click()
    expect(page.get_by_test_id("stVegaLiteChart").or_(page.get_by_test_id("stPlotlyChart")).first).to_be_visible()
    visit.reload()
    expect(page.get_by_role("tab", name="Equity")).to_have_attribute("aria-selected", "true")


@needs_torch
def test_upload_when_its_forecaster_is_a_text_then_a_sentence_says_so_and_nothing_is_left(
    story: Story, visit: Page, tmp_path: Path
):
    text = tmp_path / "forecast_model.pt"
    text.write_text("this is no forecaster\n" * 100)
    before = stage_of(story)
    give(visit, story.stage.app, "Story text", text, POLICY)
    refusal = main_of(visit).get_by_test_id("stAlert")
    expect(refusal).to_contain_text("forecast_model", timeout=60_000)
    expect(main_of(visit).get_by_text("The upload was refused")).to_be_visible()
    assert stage_of(story) == before


def stage_of(story: Story) -> tuple[list[str], list[str]]:
    """Give the packages that are known, and the folders of those that are stored."""
    listed = story.stage.ask("prediction", "GET", "/model-packages")["packages"]
    folders = (story.stage.home / "home").rglob("forecast_model.pt")
    return sorted(one["id"] for one in listed), sorted(str(file) for file in folders)
