"""The books of the predictions: what was owed, what was answered, what was left out and why; and the clocks."""

from datetime import UTC, datetime, timedelta
from typing import Final

import pandas as pd
import streamlit as st

from shared.contracts.statistics import Books, ServiceStatistics
from streamlit_ui import formats
from streamlit_ui.app_pages.service_health import unaccounted
from streamlit_ui.charts.system import skipped_by_reason
from streamlit_ui.client.active_models import get_service_statistics
from streamlit_ui.places import link
from streamlit_ui.session import services, t
from streamlit_ui.states import badge, empty, live

REFRESH_SECONDS: Final = 5
REASONS: Final = ("duplicate", "stale", "phase", "coin_filter", "no_score")
REPLAY: Final = timedelta(hours=1)
"""A recording this far from the wall clock is no live one."""


@live(REFRESH_SECONDS)
def draw() -> None:
    """Draw them."""
    found = get_service_statistics(services().prediction)
    _books(found.books)
    _clocks(found)


def _books(books: Books) -> None:
    st.subheader(t("system.books_title"), help=t("system.books_help"))
    if not books.owed:
        empty(t("system.books_empty"), icon=":material/menu_book:")
        return
    skipped = sum(books.skipped.values())
    if books.balanced:
        st.markdown(badge("good", t("system.balanced")) + f" {t('system.balanced_detail')}")
    else:
        apart = formats.number(unaccounted(books))
        st.error(f"**{t('system.unbalanced')}**: {t('system.unbalanced_detail', count=apart)}", icon=":material/error:")
    grid = st.grid(min_column_width=170)
    sign = "=" if books.balanced else "≠"
    grid.metric(
        t("system.owed"), formats.number(books.owed), border=True, height="stretch",
        help=t("system.owed_help", rows=formats.number(books.rows)),
    )  # fmt: skip
    grid.metric(f"{sign} {t('system.predictions')}", formats.number(books.predictions), border=True, height="stretch")
    grid.metric(
        f"+ {t('system.skipped')}", formats.number(skipped), border=True, height="stretch",
        delta=formats.share(skipped / books.owed, 2), delta_color="off", delta_arrow="off",
    )  # fmt: skip
    if skipped:
        _skipped(books)


def _skipped(books: Books) -> None:
    rows = pd.DataFrame(
        [
            (reason_words(reason), count, count / books.owed * 100)
            for reason, count in sorted(books.skipped.items(), key=lambda item: -item[1])
            if count
        ],
        columns=["reason", "count", "percent"],
    )
    st.markdown(f"**{t('system.skipped_title')}**")
    st.altair_chart(
        skipped_by_reason(rows, t("system.rows_skipped"), t("system.share_of_owed")),
        alt="; ".join(f"{row.reason}: {row.count}" for row in rows.itertuples()),
    )
    known = [reason for reason in REASONS if books.skipped.get(reason)]
    st.caption("  \n".join(f"**{reason_words(reason)}**: {t(f'system.why_{reason}')}" for reason in known))


def reason_words(reason: str) -> str:
    """Name a reason; one that this version does not know stands as it came."""
    return t(f"system.reason_{reason}") if reason in REASONS else reason


def _clocks(found: ServiceStatistics) -> None:
    st.subheader(t("system.clocks_title"), help=t("system.clocks_help"))
    now = datetime.now(UTC)
    grid = st.grid(min_column_width=220)
    grid.metric(t("system.wall_clock"), formats.moment(now), border=True, height="stretch")
    behind = now - found.recording_clock if found.recording_clock else None
    grid.metric(
        t("system.recording_clock"), formats.moment(found.recording_clock), border=True, height="stretch",
        help=t("system.recording_help"), delta=_apart(behind), delta_color="off", delta_arrow="off",
    )  # fmt: skip
    grid.metric(
        t("system.last_prediction"), formats.moment(found.last_prediction_at), border=True, height="stretch",
        help=t("system.last_prediction_help"),
    )  # fmt: skip
    late = found.outcomes_behind_seconds
    grid.metric(
        t("system.outcomes_behind"), formats.number(late, 0, "s"), border=True, height="stretch",
        help=t("system.outcomes_help"),
    )  # fmt: skip
    link("statistics", t("system.to_statistics"))


def _apart(behind: timedelta | None) -> str | None:
    if behind is None:
        return None
    words = t("system.behind_wall", duration=formats.duration(abs(behind.total_seconds())))
    return f"{words} · {t('system.replay')}" if abs(behind) > REPLAY else words
