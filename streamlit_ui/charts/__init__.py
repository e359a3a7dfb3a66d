"""Pictures: frames in, charts out; they ask no service and draw in both themes, with the language's numbers."""

from typing import Any

import altair as alt
from altair.utils import schemapi

from streamlit_ui.session import language
from streamlit_ui.texts import Language

# Altair would check every part of a picture against its schema while it is put together: four fifths of the time.
schemapi.disable_debug_mode()
SEPARATORS: dict[Language, str] = {"en": ".,", "de": ",."}
"""Of decimals and of thousands, as a plotly layout wants them."""
_GERMAN = {"decimal": ",", "thousands": ".", "grouping": [3], "currency": ["", " €"]}
_ENGLISH = {"decimal": ".", "thousands": ",", "grouping": [3], "currency": ["$", ""]}


@alt.theme.register("session", enable=True)
def _theme() -> Any:
    number = _GERMAN | {"percent": " %"} if language() == "de" else _ENGLISH
    return {"config": {"locale": {"number": number}}}
