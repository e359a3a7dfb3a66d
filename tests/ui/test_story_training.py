"""The whole story in a browser: a model is trained, looked at, tested, imported; it predicts, and its alerts arrive."""

import re

from playwright.sync_api import Locator, Page, expect

from tests.support.browser import settled
from tests.support.stage import until
from tests.support.stage_logs import (
    HEADER,
    follow_import,
    follow_job,
    follow_message,
    see_no_noise,
    see_no_secret,
    see_trace,
)
from tests.support.stage_market import go_on
from tests.support.stage_story import Story, keyed, main_of, titled, told_id

JOB_MILLISECONDS = 90_000


def train(page: Page, app: str, name: str) -> int:
    """Ask for a model with the form and wait for it; give its number."""
    page.goto(f"{app}/train")
    titled(page, "Train a model")
    keyed(page, "preset_dump").click()
    expect(main_of(page).get_by_text("at least 20 % lower 5 minutes later?")).to_be_visible()
    field = page.get_by_role("textbox", name="Name of the model")
    # The preset names the model too, and its name may come after its question.
    expect(field).to_have_value("Dump 20 % in 5 min")
    # A field that is drawn once more while somebody types has its old words again.
    settled(page, milliseconds=JOB_MILLISECONDS)
    field.fill(name)
    field.press("Tab")
    # What the rows say comes as one types.
    expect(main_of(page).get_by_test_id("stMetric").filter(has_text="Base rate")).to_be_visible()
    settled(page, milliseconds=JOB_MILLISECONDS)
    expect(field).to_have_value(name)
    expect(keyed(page, "submit")).to_be_enabled()
    keyed(page, "submit").click()
    job = told_id(page)
    titled(page, name)
    page.reload()
    titled(page, name)
    expect(main_of(page).get_by_text("The model is ready")).to_be_visible(timeout=JOB_MILLISECONDS)
    assert told_id(page) == job
    main_of(page).get_by_role("link", name="Model card").click()
    titled(page, name)
    return told_id(page)


def look_at_card(page: Page) -> None:
    """Open every part of a card."""
    expect(main_of(page).get_by_role("slider", name="Threshold")).to_be_visible()
    for name in ("Robustness", "Features", "Leak audit", "Data", "Lineage"):
        tab = main_of(page).get_by_role("tab", name=name)
        tab.click()
        expect(tab).to_have_attribute("aria-selected", "true")
        expect(page).to_have_url(re.compile("tab="))
        # A click while the page is drawn for the one before is undone by it.
        settled(page)


def measure(page: Page, app: str, model: int) -> None:
    """Test a model on the rows after its training."""
    page.goto(f"{app}/models?id={model}")
    keyed(page, "act_test").click()
    keyed(page, "test_do").click()
    expect(main_of(page).get_by_text("The test is done")).to_be_visible(timeout=JOB_MILLISECONDS)
    main_of(page).get_by_role("link", name="Test result").click()
    told_id(page, "test")


def bring_in(page: Page, app: str, model: int, name: str) -> int:
    """Import a model from its card; give its number in the prediction service."""
    page.goto(f"{app}/models?id={model}")
    keyed(page, "act_import").click()
    keyed(page, "import_do").click()
    expect(page).to_have_url(re.compile("/manage"))
    expect(main_of(page).get_by_role("heading", name=name)).to_be_visible()
    return told_id(page, "model")


def add_endpoint(page: Page, app: str, url: str) -> str:
    """Set up an endpoint and give its secret, which is shown this once."""
    page.goto(f"{app}/delivery?new=1")
    field = keyed(page, "endpoint_url", "textbox")
    field.fill(url)
    keyed(page, "endpoint_send").click()
    secret = page.get_by_role("dialog").get_by_test_id("stCode").inner_text().strip()
    assert secret.startswith("whsec_")
    keyed(page, "secret_stored").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.reload()
    expect(main_of(page)).not_to_contain_text(secret)
    return secret


def lower_threshold(page: Page, app: str, active: int) -> None:
    """Let nearly every answer be an alert."""
    page.goto(f"{app}/manage?model={active}")
    slider = main_of(page).get_by_role("slider")
    slider.focus()
    slider.press("Home")
    slider.press("ArrowRight")
    expect(main_of(page).get_by_role("spinbutton")).to_have_value("0.001000")
    keyed(page, "save_alert_threshold").click()
    expect(keyed(page, "save_alert_threshold")).to_have_count(0)
    page.reload()
    expect(slider).to_have_value("0.001")


def rows_of(page: Page) -> Locator:
    """Give the rows of the tables of a page: what a screen reader finds behind the canvas they are drawn on."""
    return main_of(page).locator("table[role=grid] tbody tr")


def test_model_when_trained_from_the_form_then_its_alerts_arrive_and_get_their_outcome(story: Story, visit: Page):
    stage, market, received = story.stage, story.market, story.receiver
    model = train(visit, stage.app, "Story dump")
    look_at_card(visit)
    measure(visit, stage.app, model)
    active = bring_in(visit, stage.app, model, "Story dump")
    secret = add_endpoint(visit, stage.app, received.url)

    visit.goto(f"{stage.app}/predictions")
    titled(visit, "Predictions")
    go_on(stage.dsn, market.later(0, 5))
    expect(rows_of(visit).filter(has_text="Story dump").first).to_be_attached()
    until(lambda: stage.ask("prediction", "GET", "/predictions?is_alert=false&limit=1")["predictions"], "predictions")

    lower_threshold(visit, stage.app, active)
    before = len(received.requests)
    go_on(stage.dsn, market.later(5, 12))
    until(lambda: len(received.requests) > before, "a message")
    message = received.requests[-1].verified(secret)
    (prediction,) = message.data.predictions
    assert prediction.is_alert
    assert prediction.model.name == "Story dump"

    visit.goto(f"{stage.app}/delivery?view=messages")
    expect(rows_of(visit).filter(has_text=re.compile("delivered", re.IGNORECASE)).first).to_be_attached()
    # The market goes on beyond the horizon of the alerts: what they said comes true, or not.
    go_on(stage.dsn, market.later(12, 30))
    visit.goto(f"{stage.app}/predictions?alerts=only&outcome=tp")
    expect(rows_of(visit).filter(has_text="✅").first).to_be_attached()
    visit.goto(f"{stage.app}/statistics")
    titled(visit, "Statistics")
    expect(main_of(visit).get_by_test_id("stMetric").filter(has_text="Precision of alerts")).to_contain_text("%")

    (endpoint,) = [one for one in stage.ask("prediction", "GET", "/webhooks")["webhooks"] if one["url"] == received.url]
    stage.ask("prediction", "PATCH", f"/webhooks/{endpoint['id']}", {"headers": {"X-Secret": HEADER}})
    visit.goto(f"{stage.app}/delivery?endpoint={endpoint['id']}")
    keyed(visit, "test_endpoint").click()
    sent = told_id(visit, "test")
    follow_import(stage)
    see_trace(story.collector, follow_job(stage, "TRAIN"), follow_message(stage, received, sent))
    see_no_secret(stage, secret)
    see_no_noise(stage)
