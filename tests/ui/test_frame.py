"""The frame around all pages: languages, links, what is shown when a service fails."""

import re
from pathlib import Path
from string import Formatter

import pytest

import streamlit_ui
from streamlit_ui.places import PLACES
from streamlit_ui.texts import table
from tests.support.ui_active import actives
from tests.ui.conftest import Fakes, Open

SOURCES = Path(streamlit_ui.__file__).parent


def _fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_tables_when_compared_then_both_languages_say_the_same_with_the_same_values():
    english, german = table("en"), table("de")
    assert english.keys() == german.keys()
    assert {key for key in english if _fields(english[key]) != _fields(german[key])} == set()
    assert [key for key, text in {**english, **german}.items() if not text.strip()] == []


def test_words_when_a_page_asks_for_them_then_they_are_there():
    used = {
        key
        for file in SOURCES.rglob("*.py")
        for key in re.findall(r'\bt\(\s*"([a-z_0-9]+\.[a-z_0-9]+)"', file.read_text(encoding="utf-8"))
    }
    assert used
    assert used - table("en").keys() == set()


@pytest.mark.parametrize("language", ["en", "de"])
def test_places_when_drawn_then_each_has_its_name(language: str):
    words = table(language)
    assert {words[f"places.{place.name}"] for place in PLACES}.isdisjoint({""})


def test_link_when_it_leads_to_its_own_page_then_the_address_is_written_anew(fakes: Fakes, open_page: Open):
    fakes.prediction.get("/models/active", actives())
    test = open_page("delivery", new=1, followed=1)
    assert not test.exception
    assert test.query_params == {"new": "1"}
    (back,) = test.get("page_link")
    assert back.query_string == "followed=1"
