"""The window that models are measured on: by default the rows after their training."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import streamlit as st

from shared.contracts.training import Model
from streamlit_ui.formats import moment
from streamlit_ui.session import t, zone

_STEP = timedelta(minutes=1)


def first_unseen(models: Sequence[Model]) -> datetime:
    """Give the first whole minute at which no label of any training was open any more."""
    last = max(one.train_end + timedelta(minutes=one.future_minutes or 0) for one in models)
    return _whole(last) + _STEP


def pick_window(models: Sequence[Model], *, key: str) -> tuple[datetime, datetime] | None:
    """Draw the choice of a window; None while it is none."""
    start, end = first_unseen(models), _whole(datetime.now(UTC))
    st.caption(t("card.window_help", end=moment(max(one.train_end for one in models), seconds=False), zone=zone().key))
    left, right = st.columns(2)
    given_start = left.datetime_input(t("card.window_start"), value=_local(start), step=_STEP, key=f"{key}_start")
    given_end = right.datetime_input(t("card.window_end"), value=_local(max(end, start)), step=_STEP, key=f"{key}_end")
    if given_start is None or given_end is None:
        return None
    window = _moment(given_start), _moment(given_end)
    if window[1] <= window[0]:
        st.warning(t("card.window_empty"), icon=":material/event_busy:")
        return None
    if window[0] < start:
        st.warning(t("card.window_overlap", start=moment(start, seconds=False)), icon=":material/warning:")
    return window


def _whole(value: datetime) -> datetime:
    return value.replace(second=0, microsecond=0)


def _local(value: datetime) -> datetime:
    return value.astimezone(zone()).replace(tzinfo=None)


def _moment(value: datetime) -> datetime:
    return value.replace(tzinfo=zone()).astimezone(UTC)
