"""The page import: trained models that can predict here, and how to bring one."""

from collections.abc import Callable
from math import ceil
from typing import Any

import streamlit as st

from shared.contracts.prediction import AvailableModel
from streamlit_ui import address
from streamlit_ui.app_pages import import_form
from streamlit_ui.app_pages.questions import question
from streamlit_ui.client.active_models import list_available
from streamlit_ui.formats import age, code, number, plain, share
from streamlit_ui.places import link
from streamlit_ui.session import services, t
from streamlit_ui.states import badge, empty

PAGE_SIZE = 12
_CARD_PIXELS = 300
_FIGURE_PIXELS = 84
_SCORE_DIGITS = 3
_SORTS: dict[str, tuple[Callable[[AvailableModel], Any], bool]] = {
    "newest": (lambda one: one.created_at, True),
    "auc": (lambda one: one.roc_auc or 0.0, True),
    "precision": (lambda one: one.training_precision or 0.0, True),
    "name": (lambda one: one.name.casefold(), False),
}


def render() -> None:
    """Draw the page."""
    st.title(t("places.import"))
    chosen = address.told_id("model")
    models = list_available(services().prediction, include_imported=True).models
    found = next((one for one in models if one.id == chosen), None)
    if (named := address.told("model")) is not None:
        _draw_back()
        if found is None:
            empty(t("import.gone", id=plain(named)))
        else:
            import_form.draw(found)
        return
    st.caption(t("import.intro"))
    if not models:
        empty(t("import.nothing"))
        link("train")
        return
    _draw_list(models)


def _draw_back() -> None:
    if st.button(t("import.back"), icon=":material/arrow_back:", type="tertiary"):
        address.keep("model", None)
        st.rerun()


def _draw_list(models: list[AvailableModel]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        search = st.text_input(
            t("import.search"), value=address.told("search") or "", key="import_search", icon=":material/search:",
            width=320,
        )  # fmt: skip
        address.keep("search", search)
        sort = address.select(
            t("import.sort"), list(_SORTS), name="sort", words=lambda one: t(f"import.sort_{one}"), width=220
        )
        which = address.select(
            t("import.which"), ("new", "all"), name="which", words=lambda one: t(f"import.which_{one}"),
            widget=st.segmented_control,
        )  # fmt: skip
    shown = [one for one in models if _matches(one, search) and (which == "all" or one.active_model_id is None)]
    key, is_falling = _SORTS[sort]
    shown.sort(key=key, reverse=is_falling)
    st.caption(t("import.count", shown=number(len(shown)), total=number(len(models))))
    if not shown:
        empty(t("import.no_match") if search or which == "all" else t("import.all_imported"))
        link("train")
        return
    pages = ceil(len(shown) / PAGE_SIZE)
    page = 1 if pages == 1 else _choose_page(pages, view=f"{sort}_{which}_{search}")
    address.keep("page", page, 1)
    with st.grid(3, min_column_width=_CARD_PIXELS):
        for one in shown[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]:
            _draw_card(one)


def _choose_page(pages: int, *, view: str) -> int:
    """Ask for a page; another search or order starts with the first one."""
    is_same = st.session_state.get("import_view", view) == view
    st.session_state["import_view"] = view
    start = min(address.told_id("page") or 1, pages) if is_same else 1
    chosen: int = st.pagination(pages, default=max(start, 1), key=f"import_page_{pages}_{view}")
    return chosen


def _matches(model: AvailableModel, search: str) -> bool:
    text = f"{model.name} {model.model_type} {question(model)} {model.id}".casefold()
    return all(word in text for word in search.casefold().split())


def _draw_card(model: AvailableModel) -> None:
    with st.container(border=True, height="stretch", gap="small"):
        is_imported = model.active_model_id is not None
        imported = f" {badge('good', t('import.imported'))}" if is_imported else ""
        st.markdown(f"**{plain(model.name)}**{imported}  \n{plain(question(model))}")
        st.caption(f"{code(model.model_type)} · {t('import.trained', age=age(model.created_at))}")
        with st.grid(3, min_column_width=_FIGURE_PIXELS, gap="xsmall"):
            draw_figure("auc", number(model.roc_auc, _SCORE_DIGITS))
            draw_figure("precision", share(model.training_precision, 0))
            draw_figure("recall", share(model.training_recall, 0))
        if st.button(
            t("import.look_only" if is_imported else "import.look"), key=f"look_{model.id}", width="stretch",
            type="secondary" if is_imported else "primary",
        ):  # fmt: skip
            address.keep("model", model.id)
            st.rerun()


def draw_figure(name: str, value: str) -> None:
    """Draw one small figure with its explanation."""
    st.markdown(f":gray[{t(f'import.{name}')}]  \n**{value}**", help=t(f"import.{name}_help"))
