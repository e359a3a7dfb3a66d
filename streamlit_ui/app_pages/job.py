"""A job: where it is, what it says, what came of it, and what can be done about it."""

from functools import partial
from typing import Final

import streamlit as st

from shared.contracts.jobs import Job
from streamlit_ui.app_pages import catalogue, job_scores
from streamlit_ui.app_pages.first_answer import FirstAnswer
from streamlit_ui.app_pages.job_stages import stepper
from streamlit_ui.app_pages.job_words import (
    ASKED_FOR_MODEL,
    LEVELS,
    OVER,
    elapsed,
    model_names,
    queue,
    remaining,
    title,
)
from streamlit_ui.app_pages.questions import question
from streamlit_ui.client import jobs
from streamlit_ui.client.missing import if_there
from streamlit_ui.client.transport import Refused, Unreachable
from streamlit_ui.formats import age, duration, moment, number, plain, share
from streamlit_ui.places import link
from streamlit_ui.session import services, t
from streamlit_ui.states import badge, confirm, guarded, live, note, once, show_error

FOLLOW_SECONDS: Final = 1.0
AGAIN_SECONDS: Final = 3.0


def show(job_id: int) -> None:
    """Draw the page of a job."""
    link("jobs", t("jobs.all"), icon=":material/arrow_back:")
    try:
        job = if_there(_ask, job_id)
    except Unreachable as error:
        show_error(error)
        _come_back(job_id)
        return
    if job is None:
        st.error(t("jobs.unknown", id=job_id), icon=":material/search_off:")
        return
    _header(job)
    if job.status in OVER:
        _body(job)
    else:
        _follow(FirstAnswer(job, ask=partial(_ask, job_id)), job.status)


def _ask(job_id: int) -> Job:
    return jobs.get_job(services().training, job_id)


@live(AGAIN_SECONDS)
def _come_back(job_id: int) -> None:
    try:
        _ask(job_id)
    except Unreachable:
        return
    except Refused:
        pass
    st.rerun()


@live(FOLLOW_SECONDS)
def _follow(asked: FirstAnswer[Job], status: str) -> None:
    job = asked.latest()
    if job.status != status:
        # The buttons above and the refreshing itself are other ones now.
        st.rerun()
    _body(job)


def _header(job: Job) -> None:
    names = model_names(services().training, [job])
    st.title(plain(title(job, names)), anchor=False)
    words = [badge(LEVELS[job.status], t(f"jobs.status_{job.status.lower()}"))]
    words.append(f":gray[{t('jobs.job', id=job.id)} · {t(f'jobs.type_{job.job_type.lower()}')}")
    words[-1] += f" · {t('jobs.asked', age=age(job.created_at))}]"
    st.markdown(" ".join(words))
    with st.container(horizontal=True, vertical_alignment="center"):
        if job.status not in OVER and st.button(t("jobs.cancel"), icon=":material/stop_circle:", key="cancel"):
            confirm(
                t("jobs.cancel_title"), t("jobs.cancel_words", id=job.id), action=t("jobs.cancel"),
                do=partial(_cancel, job.id),
            )  # fmt: skip
        if job.status in {"FAILED", "CANCELLED"} and once(
            st.button, t("jobs.retry"), icon=":material/replay:", key="retry", help=t("jobs.retry_help")
        ):
            with guarded():
                jobs.retry_job(services().training, job.id)
                note(t("jobs.retried", id=job.id))
                st.rerun()
        if job.job_type in ASKED_FOR_MODEL:
            link("train", t("jobs.clone"), icon=":material/content_copy:", from_job=job.id)


def _cancel(job_id: int) -> None:
    jobs.cancel_job(services().training, job_id)
    note(t("jobs.cancelled", id=job_id))


def _body(job: Job) -> None:
    log = jobs.get_log(services().training, job.id)
    if job.error_msg:
        told = plain(job.error_msg)
        st.error(f"{told}\n\n{t('jobs.what_to_do')}" if job.status == "FAILED" else told, icon=":material/error:")
    if job.status not in OVER:
        _progress(job)
    stepper(job, log.lines)
    if job.status == "COMPLETED":
        _result(job)
    _facts(job)
    warnings = [catalogue.warning(one) for one in job.warnings if one.message != job.error_msg]
    if warnings:
        st.warning(
            "\n".join(f"- {one}" for one in warnings) if len(warnings) > 1 else warnings[0], icon=":material/warning:"
        )
    interim = job.interim or {}
    if interim.get("trials"):
        job_scores.trials(interim["trials"], job.request.get("trials"))
    if interim.get("folds"):
        job_scores.folds(interim["folds"], interim["folds"][-1].get("folds"))
    job_scores.log(log)
    with st.expander(t("jobs.request"), icon=":material/data_object:"):
        st.json(job.request, expanded=1)


def _progress(job: Job) -> None:
    message = plain(job.progress_msg or "")
    if job.status == "PENDING":
        waiting = queue(services().training)
        place = waiting.places.get(job.id)
        message = t("jobs.waits", place=place, total=waiting.total) if place else t("jobs.waits_somewhere")
    st.progress(min(max(job.progress, 0.0), 1.0), text=f"{share(job.progress, 0)} · {message}" if message else None)
    left = remaining(job)
    if left is not None:
        st.caption(t("jobs.left", time=duration(left)))


def _facts(job: Job) -> None:
    with st.grid(4, min_column_width=150, gap="xsmall"):
        st.metric(t("jobs.ran"), duration(elapsed(job)), border=True, help=t("jobs.ran_help"))
        st.metric(t("jobs.started"), moment(job.started_at)[11:] if job.started_at else moment(None), border=True,
                  help=moment(job.started_at))  # fmt: skip
        st.metric(t("jobs.attempts"), number(job.attempts), border=True,
                  help=t("jobs.attempts_help", lost=job.lost_leases))  # fmt: skip
        st.metric(t("jobs.worker"), plain(job.worker_id or moment(None)), border=True, help=t("jobs.worker_help"))


def _result(job: Job) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        if job.result_model is not None:
            model = job.result_model
            st.markdown(f"**{t('jobs.result_model')}**  \n{plain(question(model))}", width="stretch")
            figures = (
                ("precision", model.training_precision),
                ("recall", model.training_recall),
                ("auc", model.roc_auc),
            )
            for name, value in figures:
                st.metric(t(f"jobs.{name}"), number(value, 3), width="content")
            link("models", t("jobs.open_model"), id=model.id)
        elif job.result_test is not None:
            test = job.result_test
            st.markdown(f"**{t('jobs.result_test')}**", width="stretch")
            st.metric(t("jobs.f1"), number(test.f1_score, 3), width="content")
            st.metric(t("jobs.auc"), number(test.roc_auc, 3), width="content")
            link("models", t("jobs.open_test"), test=test.id)
        elif job.result_comparison_id is not None:
            st.markdown(f"**{t('jobs.result_comparison')}**  \n{plain(job.progress_msg or '')}", width="stretch")
            link("models", t("jobs.open_comparison"), comparison=job.result_comparison_id)
        else:
            st.markdown(t("jobs.result_gone"))
