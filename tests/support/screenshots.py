"""Pictures of every page in both themes and two widths: `python -m tests.support.screenshots`.

A stack of its own is brought up below a temporary home, with a simulated market on which models were trained, alerts
sent and paper trades made. With --url the pages of an app that runs already are taken; API_BASE_URL and
TRAINING_SERVICE_API_URL say where its services are. An error on a page ends it with 1 and the page's name.
"""

import argparse
import hashlib
import io
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize
from playwright.sync_api import Error as BrowserError

from streamlit_ui.settings import AppSettings
from tests.support import stage_scene
from tests.support.browser import HOW, chromium, settled
from tests.support.database import remove, test_server
from tests.support.memory import memory
from tests.support.stage import Stage, stage
from tests.support.stage_market import load_history, market
from tests.support.stage_scene import Known, furnish

FOLDER: Final = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
THEMES: Final = ("light", "dark")
WIDTHS: Final = (1440, 390)
FIRST_HEIGHT: Final = 900
# Nobody looks at more of a page in a README.
GREATEST_HEIGHT: Final = 5000
COLOURS: Final = 256
EXACT_COLOURS: Final = 176
"""Those that most of a picture has."""
KEY: Final = "nobody has this key"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A page as a picture shows it."""

    name: str
    address: str
    """With {model} and other things of `Known` in it."""
    guarded: bool = False
    """Whether it is that of the app that wants a key."""


VIEWS: Final = (
    View(name="overview", address=""),
    View(name="predictions", address="predictions"),
    View(name="coin", address="predictions?coin={coin}&prediction={prediction}"),
    View(name="statistics", address="statistics"),
    View(name="statistics-model", address="statistics?model={active}"),
    View(name="train", address="train"),
    View(name="jobs", address="jobs"),
    View(name="job", address="jobs?id={job}"),
    View(name="models", address="models"),
    View(name="model", address="models?id={model}"),
    View(name="model-money", address="models?id={model}&tab=money"),
    View(name="model-robustness", address="models?id={model}&tab=robustness"),
    View(name="model-features", address="models?id={model}&tab=features"),
    View(name="model-audit", address="models?id={model}&tab=audit"),
    View(name="model-data", address="models?id={model}&tab=data"),
    View(name="model-lineage", address="models?id={model}&tab=lineage"),
    View(name="test", address="models?test={test}"),
    View(name="comparison", address="models?comparison={comparison}"),
    View(name="import", address="import"),
    View(name="manage", address="manage"),
    View(name="manage-model", address="manage?model={active}"),
    View(name="packages", address="packages?model=ppo_v1"),
    View(name="paper-account", address="packages?model=ppo_v1&tab=paper"),
    View(name="paper-equity", address="packages?model=ppo_v1&tab=equity"),
    View(name="package-upload", address="packages?view=upload"),
    View(name="delivery", address="delivery"),
    View(name="endpoint", address="delivery?endpoint={endpoint}"),
    View(name="system", address="system"),
    View(name="login", address="", guarded=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Where the pages are."""

    app: str
    guarded: str | None
    known: Known


def main() -> None:
    """Take the pictures that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="take the pages of the app that runs there")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the pictures, default docs/screenshots")
    parser.add_argument("--only", nargs="+", choices=[view.name for view in VIEWS], help="these views")
    parser.add_argument("--theme", nargs="+", choices=THEMES, default=THEMES)
    parser.add_argument("--width", nargs="+", type=int, default=WIDTHS)
    chosen = parser.parse_args()
    views = [view for view in VIEWS if chosen.only is None or view.name in chosen.only]
    with chromium() as browser:
        if browser is None:
            sys.exit(HOW)
        with _ground(chosen.url) as ground:
            faults = _take_all(browser, ground, views, chosen.theme, chosen.width, chosen.out)
    if faults:
        sys.exit("\n".join(faults))


def _take_all(
    browser: Browser, ground: Ground, views: list[View], themes: list[str], widths: list[int], folder: Path
) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    faults = []
    for theme in themes:
        for width in widths:
            with _looking(browser, theme, width) as page:
                for view in views:
                    app = ground.guarded if view.guarded else ground.app
                    if app is None:
                        continue
                    file = folder / f"{view.name}-{theme}-{width}.png"
                    address = f"{app}/{view.address.format(**asdict(ground.known))}"
                    started = time.monotonic()
                    found = _take(page, address, file, width)
                    size = file.stat().st_size // 1000 if file.exists() else 0
                    print(f"{file.name}  {size} kB  {time.monotonic() - started:.1f} s", flush=True)  # noqa: T201
                    faults += [f"{file.name}: {words}" for words in found]
    return faults


@contextmanager
def _looking(browser: Browser, theme: str, width: int) -> Iterator[Page]:
    """Give a page of somebody with a theme and a window so wide."""
    scheme: Literal["light", "dark"] = "dark" if theme == "dark" else "light"
    size = ViewportSize(width=width, height=FIRST_HEIGHT)
    context = browser.new_context(viewport=size, color_scheme=scheme, locale="en-GB", timezone_id="Europe/Berlin")
    try:
        yield context.new_page()
    finally:
        context.close()


def _take(page: Page, address: str, file: Path, width: int) -> list[str]:
    """Take one picture and give the errors that stand in it."""
    try:
        page.set_viewport_size(ViewportSize(width=width, height=FIRST_HEIGHT))
        page.goto(address)
        _drawn(page)
        # Streamlit scrolls inside the page: only a higher window shows all of it.
        for _ in range(2):
            needed = page.evaluate("document.querySelector('[data-testid=\"stMain\"]').scrollHeight")
            height = max(FIRST_HEIGHT, min(GREATEST_HEIGHT, needed))
            page.set_viewport_size(ViewportSize(width=width, height=height))
            _drawn(page)
        faults = _faults(page)
        file.write_bytes(_small(page.screenshot()))
    except BrowserError as error:
        return [error.message.splitlines()[0]]
    return faults


def _drawn(page: Page) -> None:
    """Wait until everything stands, every chart and table with something in it."""
    settled(page)
    page.wait_for_function(
        """() => {
          const shown = (it) => it.checkVisibility() && it.getBoundingClientRect().width > 0;
          const empty = (frame, mark) => [...document.querySelectorAll(frame)].some(
            (one) => shown(one) && ![...one.querySelectorAll(mark)].some(shown));
          return !empty('[data-testid="stVegaLiteChart"]', 'canvas, svg')
            && !empty('[data-testid="stPlotlyChart"]', '.main-svg')
            && !empty('[data-testid="stDataFrame"]', 'canvas')
            && !document.querySelector('[data-testid="stSpinner"], [data-testid="stToast"]');
        }""",
        timeout=30_000,
    )
    page.wait_for_timeout(500)


def _faults(page: Page) -> list[str]:
    found = page.locator('[data-testid="stException"], [data-testid="stAlertContentError"]').all_inner_texts()
    title = page.get_by_test_id("stMain").get_by_role("heading", level=1)
    return [f"shows the error {words!r}" for words in found] + ([] if title.count() else ["has no title"])


def _small(picture: bytes) -> bytes:
    """Give a picture in fewer colours, a third of the bytes: what fills areas keeps its own, edges take the nearest."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    # As numbers: sorting rows of three takes ten times as long.
    codes = np.asarray(image).reshape(-1, 3).astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    found, place, counts = np.unique(codes, return_inverse=True, return_counts=True)
    colours = np.stack([found >> 16, found >> 8 & 255, found & 255], axis=1).astype(np.int32)
    exact = colours[np.argsort(-counts, kind="stable")[:EXACT_COLOURS]]
    rest = image.quantize(COLOURS - EXACT_COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    palette = np.concatenate([exact, np.asarray(rest.getpalette(), np.int32).reshape(-1, 3)])
    # One row of the palette at a time: a picture may have a hundred thousand colours.
    distance = [((colours - one) ** 2).sum(axis=1) for one in palette]
    nearest = np.argmin(distance, axis=0).astype(np.uint8)
    small = Image.fromarray(nearest[place].reshape(image.height, image.width), "P")
    small.putpalette(palette.astype(np.uint8).tobytes())
    written = io.BytesIO()
    small.save(written, "PNG", optimize=True)
    return written.getvalue()


@contextmanager
def _ground(url: str | None) -> Iterator[Ground]:
    if url is not None:
        yield Ground(app=url.rstrip("/"), guarded=None, known=stage_scene.known(_running(url)))
        return
    folder = Path(tempfile.mkdtemp(prefix="pumpcast-screenshots-", dir=memory()))
    keys = f"nobody:read:{hashlib.sha256(KEY.encode()).hexdigest()}"
    shown = market(
        history_minutes=stage_scene.HISTORY_MINUTES, later_minutes=stage_scene.LATER_MINUTES, coins_per_minute=2
    )
    try:
        with (
            tempfile.TemporaryDirectory(prefix="pumpcast-screenshots-") as home,
            test_server(folder) as server,
            server.fresh() as name,
            stage_scene.answering() as receiver,
        ):
            load_history(server.dsn(name), shown, bars=stage_scene.CANDLES)
            (Path(home) / "guarded").mkdir()
            with (
                stage(Path(home), server.dsn(name)) as running,
                stage(Path(home) / "guarded", server.dsn(name), "training-api", "prediction-api", "app", API_KEYS=keys)
                as guarded,
            ):  # fmt: skip
                yield Ground(app=running.app, guarded=guarded.app, known=furnish(running, shown, receiver))
    finally:
        if not remove(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _running(url: str) -> Stage:
    """Give the stage that somebody else runs, to be asked only."""
    settings = AppSettings()
    addresses = {"app": url, "training-api": settings.training_service_api_url, "prediction-api": settings.api_base_url}
    ports = {name: urlsplit(address).port or 80 for name, address in addresses.items()}
    return Stage(home=Path(), dsn="", environment={}, ports=ports)


if __name__ == "__main__":
    main()
