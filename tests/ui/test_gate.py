"""What every request passes: where it comes from, and what a page of the app may load."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, Route
from starlette.requests import Request

from streamlit_ui.gate import Gate, keep_session
from streamlit_ui.logins import LOGINS
from streamlit_ui.settings import app_settings
from tests.support.browser import settled
from tests.support.stage_story import Story

HOST = "localhost:8501"
REFUSED = "refused"
UPLOAD = "/_stcore/upload_file/session/file"
PAGES = (
    "", "predictions", "statistics", "train", "jobs", "models", "import", "manage", "packages", "delivery", "system",
)  # fmt: skip
FOREIGN = "tracker.example"


async def passed(kind: str, method: str = "GET", path: str = "/", **headers: str) -> Any:
    """Give the status that a request ends with; 200 is what the app behind the gate says."""
    sent: list[dict[str, Any]] = []

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError

    raw = [(name.encode(), value.encode()) for name, value in ({"host": HOST} | headers).items()]
    scope = {"type": kind, "path": path, "headers": raw, "http_version": "1.1"}
    await Gate(app)(scope if kind == "websocket" else scope | {"method": method}, receive, send)
    return REFUSED if sent[0]["type"] == "websocket.close" else sent[0]["status"]


@pytest.mark.parametrize(
    "origin",
    ["http://localhost:9999", "http://127.0.0.1:8501", "http://localhost", "http://evil.example", "null", "http://"],
)
async def test_page_when_of_another_address_then_it_may_neither_listen_nor_write(origin: str):
    assert await passed("websocket", origin=origin) == REFUSED
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert await passed("http", method, origin=origin) == 403
    assert await passed("http", origin=origin) == 200


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (f"http://{HOST}", HOST), ("https://localhost", "localhost"), ("https://localhost", "localhost:443"),
        ("http://localhost", "LOCALHOST:80"), ("http://[::1]:1", "[::1]:1"),
    ],
)  # fmt: skip
async def test_page_when_it_is_our_own_then_it_may(origin: str, host: str):
    assert await passed("websocket", origin=origin, host=host) == 200
    assert await passed("http", "POST", origin=origin, host=host) == 200


async def test_program_when_it_is_no_page_then_it_may():
    assert await passed("websocket") == 200
    assert await passed("http", "POST") == 200


@pytest.mark.parametrize("path", ["/_stcore/metrics", "/_stcore/agent/interact", "/_stcore/agent/openapi.json"])
async def test_path_when_nobody_needs_it_then_nothing_is_there(path: str):
    assert await passed("http", path=path) == 404


@pytest.fixture
def guarded(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Have the app want a login; give the cookie of one."""
    monkeypatch.setenv("API_KEYS", f"a:write:{'0' * 64}")
    app_settings.cache_clear()
    yield f"{app_settings().cookie}={LOGINS.enter('a-key')}"
    app_settings.cache_clear()


async def test_file_when_sent_by_a_stranger_then_it_is_not_taken(guarded: str):
    for headers in ({}, {"cookie": f"{app_settings().cookie}=made-up"}):
        assert await passed("http", "PUT", UPLOAD, **headers) == 401
    assert await passed("http", "PUT", UPLOAD, cookie=guarded) == 200


async def test_file_when_nobody_has_to_log_in_then_it_is_taken():
    assert await passed("http", "PUT", UPLOAD) == 200


@pytest.mark.parametrize(("said", "is_secure"), [("https", True), ("http", False), (None, False)])
async def test_cookie_when_a_proxy_speaks_tls_then_the_browser_sends_it_over_tls_alone(
    said: str | None, is_secure: bool
):
    async def receive() -> Any:
        return {"type": "http.request", "body": LOGINS.ticket(LOGINS.enter("a-key")).encode()}

    headers = [(b"x-forwarded-proto", said.encode())] if said else []
    scope = {"type": "http", "method": "POST", "scheme": "http", "server": ("localhost", 1), "path": "/session"}
    answer = await keep_session(Request(scope | {"query_string": b"", "headers": headers}, receive))
    assert answer.status_code == 204
    assert ("Secure" in answer.headers["set-cookie"]) is is_secure


@pytest.mark.slow
def test_app_when_looked_at_then_nothing_comes_from_elsewhere_and_nothing_is_missing(story: Story, visit: Page):
    asked: list[str] = []
    blocked: list[str] = []
    reached: list[str] = []

    def fetch(route: Route) -> None:
        reached.append(route.request.url)
        picture = b"<svg xmlns='http://www.w3.org/2000/svg' width='1' height='1'/>"
        route.fulfill(status=200, content_type="image/svg+xml", body=picture)

    visit.context.route(f"https://{FOREIGN}/**", fetch)
    visit.on("request", lambda request: asked.append(request.url))
    visit.on("console", lambda said: blocked.append(said.text) if "Content Security Policy" in said.text else None)
    for name in PAGES:
        visit.goto(f"{story.stage.app}/{name}")
        settled(visit)
    own = (f"{story.stage.app}/", f"ws{story.stage.app.removeprefix('http')}/", "data:", "blob:")
    assert [one for one in asked if not one.startswith(own)] == []
    assert blocked == []
    # The belt: what Markdown of others would draw in spite of all is not fetched.
    shown = """source => new Promise(done => {
      const way = {src: source, onload: () => done(true), onerror: () => done(false)};
      document.body.append(Object.assign(new Image(), way));
    })"""
    assert not visit.evaluate(shown, f"https://{FOREIGN}/x.png")
    assert reached == []
    assert len(blocked) == 1
