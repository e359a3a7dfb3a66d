"""Fixtures of the app: a page drawn without a browser, between two services that answer as the test says."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import streamlit as st
from playwright.sync_api import Browser, Page
from streamlit.testing.v1 import AppTest

from streamlit_ui.settings import app_settings
from tests.support.browser import HOW, chromium
from tests.support.database import TestServer
from tests.support.fake_services import FakeService, serving
from tests.support.stage_story import Story, visitor
from tests.support.stage_story import story as running

LAST_WORDS = 4000
Open = Callable[..., AppTest]
"""What the fixture open_page gives."""
_PAGE = """
from streamlit_ui import app
app.frame()
app.show({name!r})
"""


@dataclass
class Fakes:
    """Both services; `down` takes one away in the middle."""

    training: FakeService = field(default_factory=FakeService)
    prediction: FakeService = field(default_factory=FakeService)
    stacks: dict[str, ExitStack] = field(default_factory=dict)

    def down(self, name: str) -> None:
        """Let a service vanish."""
        self.stacks.pop(name).close()


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Fakes]:
    """Give two services without any answer yet, and an app that is set up for them."""
    found = Fakes()
    for name, service, setting in (
        ("training", found.training, "TRAINING_SERVICE_API_URL"),
        ("prediction", found.prediction, "API_BASE_URL"),
    ):
        found.stacks[name] = ExitStack()
        found.stacks[name].enter_context(serving(service))
        monkeypatch.setenv(setting, service.url)
    # AppTest looks through every installed package for components each time; the app has none.
    monkeypatch.setattr("streamlit.components.v2.manifest_scanner.scan_component_manifests", lambda *_, **__: [])
    monkeypatch.setenv("UI_LANGUAGE", "en")
    monkeypatch.chdir(tmp_path)
    app_settings.cache_clear()
    st.cache_resource.clear()
    yield found
    for stack in found.stacks.values():
        stack.close()
    app_settings.cache_clear()
    st.cache_resource.clear()


@pytest.fixture
def open_page(fakes: Fakes) -> Open:
    """Give a function that draws a page: `open_page("jobs", id=3)`; what is behind the name stands in the address."""

    def draw(name: str, **query: object) -> AppTest:
        test = AppTest.from_string(_PAGE.format(name=name), default_timeout=20)
        for key, value in query.items():
            test.query_params[key] = str(value)
        return test.run()

    return draw


@pytest.fixture(scope="session")
def story(postgres: TestServer) -> Iterator[Story]:
    """Give a running stack, one for all tests that look at it in a browser."""
    with postgres.fresh() as name, running(postgres.dsn(name)) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give a browser, or skip; while it is open no other test of this thread may run a loop of its own."""
    with chromium() as found:
        if found is None:
            pytest.skip(HOW)
        yield found


@pytest.fixture
def visit(browser: Browser, story: Story) -> Iterator[Page]:
    """Give a page of somebody who looks at the app; what the app said is shown beside a failure."""
    with visitor(browser) as page:
        yield page
        print(story.stage.log("app").read_text()[-LAST_WORDS:])  # noqa: T201
