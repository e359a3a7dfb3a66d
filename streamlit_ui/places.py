"""Where everything is: the pages with their addresses, and ways to them."""

from dataclasses import dataclass
from typing import Any, Literal, NoReturn

import streamlit as st

from streamlit_ui.session import t

Name = Literal[
    "overview", "predictions", "statistics", "train", "jobs", "models", "import", "manage", "packages", "delivery",
    "system",
]  # fmt: skip
Group = Literal["watch", "training", "prediction", "paper", "operation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A page: its name is its address, in every language."""

    name: Name
    group: Group
    icon: str


PLACES = (
    Place(name="overview", group="watch", icon=":material/dashboard:"),
    Place(name="predictions", group="watch", icon=":material/stream:"),
    Place(name="statistics", group="watch", icon=":material/monitoring:"),
    Place(name="train", group="training", icon=":material/model_training:"),
    Place(name="jobs", group="training", icon=":material/list_alt:"),
    Place(name="models", group="training", icon=":material/deployed_code:"),
    Place(name="import", group="prediction", icon=":material/download:"),
    Place(name="manage", group="prediction", icon=":material/tune:"),
    Place(name="packages", group="paper", icon=":material/package_2:"),
    Place(name="delivery", group="operation", icon=":material/send:"),
    Place(name="system", group="operation", icon=":material/monitor_heart:"),
)
_PLACES = {place.name: place for place in PLACES}
HOME: Name = "overview"
_HERE = "place"
_FOLLOWED = "followed"


def page(name: Name, run: Any = lambda: None) -> Any:
    """Give a page as navigation and links take it."""
    place = _PLACES[name]
    return st.Page(run, title=t(f"places.{name}"), icon=place.icon, url_path=name, default=name == HOME)


def arrive(name: Name) -> bool:
    """Note which page is drawn, and have the browser show the address that a link led to; tell whether it is new."""
    is_new = st.session_state.get(_HERE) != name
    st.session_state[_HERE] = name
    if _FOLLOWED in st.query_params:
        # Behind a link to the page that it stands on, the browser keeps the address before it until one is written.
        del st.query_params[_FOLLOWED]
    return is_new


def link(name: Name, label: str | None = None, *, icon: str | None = None, **query: Any) -> None:
    """Draw a link to a page; `query` is what its address says behind the question mark."""
    query_params = _kept(query)
    if st.session_state.get(_HERE) == name:
        query_params[_FOLLOWED] = "1"
    st.page_link(
        page(name), label=label or t(f"places.{name}"), icon=icon or _PLACES[name].icon, query_params=query_params
    )


def go(name: Name, **query: Any) -> NoReturn:
    """Leave for another page."""
    st.switch_page(page(name), query_params=_kept(query))


def _kept(query: dict[str, Any]) -> dict[str, str]:
    chosen = {name: st.query_params[name] for name in ("lang", "local") if name in st.query_params}
    return {**chosen, **{name: str(value) for name, value in query.items() if value is not None}}
