"""Colours of all charts: told apart without seeing colours well, and by shape or word besides."""

from typing import Final

UP: Final = "#0f8a7e"
DOWN: Final = "#d9480f"
ALERT: Final = "#b0459c"
NEUTRAL: Final = "#8a8f98"
SERIES: Final = ("#2f6fde", "#e07b00", "#0f8a7e", "#b0459c", "#7a6ff0", "#8a8f98")
"""Categories, in this order; the same list stands in .streamlit/config.toml."""
