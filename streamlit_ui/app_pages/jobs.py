"""Jobs: all that was asked of the training service, and one of them."""

from typing import Final, get_args

import pandas as pd
import streamlit as st

from shared.contracts.jobs import Job
from shared.contracts.training import JobStatus, JobType
from streamlit_ui.address import keep, select, told, told_id
from streamlit_ui.app_pages import job, row_table
from streamlit_ui.app_pages.job_words import SIGNS, elapsed, model_names, queue, remaining, title
from streamlit_ui.client import jobs
from streamlit_ui.formats import age, duration, number, plain
from streamlit_ui.places import go, link
from streamlit_ui.session import services, t, zone
from streamlit_ui.states import empty, live
from streamlit_ui.tables import moment_column

REFRESH_SECONDS: Final = 2.0
PAGE_ROWS: Final = 25
_LAST_PAGE: Final = 40_000
_VIEW: Final = "jobs_view"
_STATUSES: Final[tuple[JobStatus, ...]] = get_args(JobStatus)
_TYPES: Final[tuple[JobType, ...]] = get_args(JobType)


def render() -> None:
    """Draw the page."""
    if told("id") is not None:
        job_id = told_id()
        if job_id is not None:
            job.show(job_id)
            return
        st.error(t("jobs.unknown", id=plain(told("id"))), icon=":material/search_off:")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title(t("places.jobs"), anchor=False, width="stretch")
        link("train", t("jobs.new"), icon=":material/add:")
    with st.container(horizontal=True):
        status = select(
            t("jobs.status"), ("", *_STATUSES), name="status", words=_status_words, widget=st.pills, wrap=True
        )
        kind = select(
            t("jobs.type"), ("", *_TYPES), name="type", widget=st.pills, wrap=True,
            words=lambda one: t(f"jobs.type_{one.lower()}") if one else t("jobs.every"),
        )  # fmt: skip
    if st.session_state.setdefault(_VIEW, (status, kind)) != (status, kind):
        # Another selection begins with its first page.
        st.session_state[_VIEW] = (status, kind)
        keep("page", None)
    _list(status, kind)


def _status_words(status: str) -> str:
    return t(f"jobs.status_{status.lower()}") if status else t("jobs.every")


@live(REFRESH_SECONDS)
def _list(status: str, kind: str) -> None:
    training = services().training
    page = min(max(1, told_id("page") or 1), _LAST_PAGE)
    found = jobs.list_jobs(
        training, status=status or None, job_type=kind or None, limit=PAGE_ROWS, offset=(page - 1) * PAGE_ROWS,  # type: ignore[arg-type] # an option is one of them or empty
    )  # fmt: skip
    if not found.jobs and page > 1:
        # The list got shorter, or the address is made up: the last page there is.
        keep("page", min(max(1, _pages(found.total)), page - 1), 1)
        st.rerun()
    if not found.jobs:
        if status or kind:
            empty(t("jobs.none_such"), icon=":material/filter_alt_off:")
        else:
            empty(t("jobs.none"))
            link("train", t("jobs.first"))
        return
    places = queue(training).places if _has(found.jobs, "PENDING") else {}
    _table(found.jobs, model_names(training, found.jobs), places)
    _pager(page, found.total, f"{status}_{kind}")


def _has(shown: list[Job], status: JobStatus) -> bool:
    return any(one.status == status for one in shown)


def _table(shown: list[Job], names: dict[int, str], places: dict[int, int]) -> None:
    frame = pd.DataFrame(
        [
            {
                "status": f"{SIGNS[one.status]} {t(f'jobs.status_{one.status.lower()}')}",
                "name": title(one, names),
                "type": t(f"jobs.type_{one.job_type.lower()}"),
                "progress": one.progress * 100,
                "message": _message(one, places),
                "took": duration(elapsed(one)),
                "asked": age(one.created_at),
                "created": one.created_at,
                "id": one.id,
            }
            for one in shown
        ]
    )
    column = st.column_config
    chosen = row_table.draw(
        frame, [one.id for one in shown], key="jobs_table", mode="single-row", is_live=True,
        height=38 * (len(frame) + 1), row_height=38, alt=t("jobs.table_alt"),
        column_config={
            "status": column.TextColumn(t("jobs.status"), width=110),
            "name": column.TextColumn(t("jobs.name"), width=205),
            "type": column.TextColumn(t("jobs.type"), width=95),
            "progress": column.ProgressColumn(
                t("jobs.progress"), min_value=0, max_value=100, format="%.0f %%", width=110
            ),
            "message": column.TextColumn(t("jobs.message"), width=235),
            "took": column.TextColumn(t("jobs.took"), width=95),
            "asked": column.TextColumn(t("jobs.asked_column"), width=125),
            "created": moment_column(t("jobs.created", clock=zone().key)),
            "id": column.NumberColumn(t("jobs.id"), format="%d", width="small"),
        },
    )  # fmt: skip
    if chosen.opened is not None:
        go("jobs", id=chosen.opened)


def _message(one: Job, places: dict[int, int]) -> str:
    if one.status == "PENDING":
        place = places.get(one.id)
        return t("jobs.place", place=place) if place else t("jobs.waits_somewhere")
    if one.status == "RUNNING":
        left = remaining(one)
        about = f" · {t('jobs.left', time=duration(left))}" if left is not None else ""
        return f"{one.progress_msg or ''}{about}"
    return one.error_msg or one.progress_msg or ""


def _pages(total: int) -> int:
    return -(-total // PAGE_ROWS)


def _pager(page: int, total: int, view: str) -> None:
    pages = _pages(total)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.caption(t("jobs.count", count=number(total)))
        if pages > 1:
            chosen = st.pagination(pages, default=min(page, pages), key=f"jobs_page_{view}_{page}")
            if chosen != page:
                keep("page", chosen, 1)
                st.rerun()
