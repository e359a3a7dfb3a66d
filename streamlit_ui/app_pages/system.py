"""The page system: the state of every part, the books, how both services are set up."""

from datetime import UTC, datetime
from typing import Final

import streamlit as st

from shared.contracts.health import HealthReport
from streamlit_ui.address import select
from streamlit_ui.app_pages import system_books, system_configuration, system_workers
from streamlit_ui.app_pages.system_states import SERVICES, Seen, Tile, tiles
from streamlit_ui.client.active_models import get_service_statistics
from streamlit_ui.client.packages import list_feeds, list_packages
from streamlit_ui.client.system import get_health
from streamlit_ui.client.transport import KeyNeeded, ServiceError, ServiceName, Unreachable
from streamlit_ui.places import link
from streamlit_ui.session import services, t
from streamlit_ui.states import badge, live, show_error

REFRESH_SECONDS: Final = 5
TILES_ABREAST: Final = 4
TILE_PIXELS: Final = 160
VIEWS: Final = ("state", "books", "configuration")


def render() -> None:
    """Draw the page."""
    st.title(t("places.system"))
    view = select(
        t("system.view"), VIEWS, name="view", words=lambda one: t(f"system.view_{one}"),
        widget=st.segmented_control, label_visibility="collapsed",
    )  # fmt: skip
    match view:
        case "state":
            _state()
        case "books":
            system_books.draw()
        case _:
            system_configuration.draw()


@live(REFRESH_SECONDS)
def _state() -> None:
    seen, errors = look()
    for error in errors:
        show_error(error)
    found = tiles(seen)
    st.markdown(_summary(found))
    grid = st.grid(TILES_ABREAST, min_column_width=TILE_PIXELS)
    for tile in found:
        with grid.container(border=True, height="stretch", gap="xsmall"):
            _draw(tile)
    if seen.statistics is not None:
        system_workers.draw(seen.statistics.workers, seen.now)
    if seen.feeds:
        system_workers.draw_feeds(seen.feeds)


def look() -> tuple[Seen, list[ServiceError]]:
    """Ask for all that is shown; also give what went wrong, once a service."""
    both = services()
    errors: dict[ServiceName, ServiceError] = {}
    health: dict[ServiceName, HealthReport | None] = dict.fromkeys(SERVICES)
    for service in (both.prediction, both.training):
        try:
            health[service.name] = get_health(service)
        except KeyNeeded:
            raise
        except ServiceError as error:
            errors[service.name] = error
    statistics = feeds = packages = None
    # A service that is gone is not asked again and again: each time would be waited for.
    if not isinstance(errors.get("prediction"), Unreachable):
        try:
            statistics = get_service_statistics(both.prediction)
            feeds = list_feeds(both.prediction).feeds
            packages = list_packages(both.prediction).packages
        except KeyNeeded:
            raise
        except ServiceError as error:
            errors.setdefault("prediction", error)
    report = health["prediction"]
    if report is not None and not report.db_connected:
        # Said by the tile of the database already.
        errors.pop("prediction", None)
    seen = Seen(now=datetime.now(UTC), health=health, statistics=statistics, feeds=feeds, packages=packages)
    return seen, list(errors.values())


def _summary(found: list[Tile]) -> str:
    bad = sum(tile.level == "bad" for tile in found)
    warned = sum(tile.level == "warning" for tile in found)
    if not bad and not warned:
        return badge("good", t("system.all_good"))
    parts = []
    if bad:
        parts.append(badge("bad", t("system.count_bad", count=bad)))
    if warned:
        parts.append(badge("warning", t("system.count_warning", count=warned)))
    return " ".join(parts)


def _draw(tile: Tile) -> None:
    st.markdown(f"**{tile.part}**", help=tile.about)
    st.markdown(badge(tile.level, tile.words))
    if tile.detail:
        st.caption(tile.detail)
    if tile.place is not None:
        name, query = tile.place
        link(name, t("system.more"), icon=":material/arrow_forward:", **query)
