"""The page manage."""

import streamlit as st

from streamlit_ui.session import t


def render() -> None:
    """Draw the page."""
    st.title(t("places.manage"))
