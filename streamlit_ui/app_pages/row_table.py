"""Tables that open things: a click means the row that was seen, and ticks end with the rows they were set in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from streamlit_ui.tables import dataframe


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What somebody chose in a table."""

    opened: int | None
    """The id of the row that was clicked."""
    ticked: tuple[int, ...]
    """The ids of the rows that are marked, where several can be."""


def draw(
    frame: pd.DataFrame, ids: Sequence[int], *, key: str, mode: Any = "single-cell", is_live: bool = False,
    **options: Any,
) -> Chosen:  # fmt: skip
    """Draw a table of one row for each id, and give what was chosen.

    It may have other rows by the time a click arrives: what was clicked is looked up in those that were shown then.
    A live one stays the same table; another one begins anew with other rows.
    """
    shown, turn = st.session_state.get(f"{key}_shown", ((), 0))
    opened = _opened(st.session_state.get(_named(key, turn)), shown, mode)
    present = tuple(ids)
    if shown and present != shown and not is_live:
        turn += 1
    event: Any = dataframe(
        frame, hide_index=True, key=_named(key, turn), on_select="rerun", selection_mode=mode, **options
    )
    st.session_state[f"{key}_shown"] = (present, turn)
    rows = () if mode == "single-row" else event.selection.get("rows", ())
    return Chosen(opened=opened, ticked=tuple(present[row] for row in rows if row < len(present)))


def _named(key: str, turn: int) -> str:
    return f"{key}_{turn}" if turn else key


def _opened(event: Mapping[str, Any] | None, shown: Sequence[int], mode: Any) -> int | None:
    selection = event["selection"] if event else {}
    rows = selection.get("rows", ()) if mode == "single-row" else [row for row, _ in selection.get("cells", ())]
    places = list(rows)
    return shown[places[0]] if places and places[0] < len(shown) else None
