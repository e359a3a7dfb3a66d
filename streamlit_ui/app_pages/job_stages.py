"""The stages of a job: which are done, how long they took, and where it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import streamlit as st

from shared.contracts.events import LogLine
from shared.contracts.jobs import Job
from streamlit_ui.app_pages.job_words import OVER
from streamlit_ui.formats import number
from streamlit_ui.session import t

State = Literal["done", "present", "failed", "stopped", "ahead", "skipped"]
_RECORD: Final = "record"
_SHORT: Final = 0.05
_TRAINING: Final = (
    "load", "label", "features", "split", "audit", "tune", "cross-validate", "resample", "fit", "calibrate",
    "evaluate", "refit", "card", "write artifact", _RECORD,
)  # fmt: skip
_STAGES: Final = {
    "TRAIN": _TRAINING,
    "TUNE": _TRAINING,
    "TEST": ("open", "load", "answer", "evaluate", _RECORD),
    "COMPARE": ("open", "load", "answer", "compare", _RECORD),
}
_MARKS: Final[dict[State, tuple[str, str]]] = {
    "done": ("check_circle", "green"),
    "present": ("progress_activity", "blue"),
    "failed": ("cancel", "red"),
    "stopped": ("stop_circle", "orange"),
    "ahead": ("radio_button_unchecked", "gray"),
    "skipped": ("remove_circle_outline", "gray"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of a job."""

    name: str
    """As the service writes it."""
    state: State
    seconds: float | None = None
    """How long it took; None while that is unknown."""


def expected(job: Job) -> list[str]:
    """Give the stages a job of this request goes through."""
    asked = job.request
    left_out = {
        "tune": job.job_type != "TUNE",
        "cross-validate": not asked.get("use_timeseries_split", True),
        "resample": not asked.get("use_smote", False),
        "calibrate": not asked.get("calibrate", True),
        "refit": not asked.get("refit", False),
    }
    return [name for name in _STAGES[job.job_type] if not left_out.get(name, False)]


def stages(job: Job, lines: Sequence[LogLine]) -> list[Stage]:
    """Give the stages of the latest attempt, from what the log tells."""
    names = expected(job)
    begun = _begun(job, lines, names)
    if job.status == "COMPLETED":
        # A model that was there already ends the job early.
        reached = set(begun) | {_RECORD}
        return [
            Stage(name=one, state="done" if one in reached else "skipped", seconds=_length(one, names, begun, job))
            for one in names
        ]
    last = max((names.index(one) for one in begun), default=-1)
    ends: dict[str, State] = {"FAILED": "failed", "CANCELLED": "stopped", "RUNNING": "present", "PENDING": "ahead"}
    present: State = ends[job.status]
    return [
        Stage(
            name=one,
            state="done" if place < last else present if place == last else "ahead",
            seconds=_length(one, names, begun, job) if place <= last else None,
        )
        for place, one in enumerate(names)
    ]


def _begun(job: Job, lines: Sequence[LogLine], names: Sequence[str]) -> dict[str, float]:
    """Give when each stage began, as seconds; a stage that comes before the ones known begins another attempt."""
    begun: dict[str, float] = {}
    for line in lines:
        name = line.message.partition(":")[0]
        if name not in names or name in begun:
            if name == names[0]:
                begun = {name: line.at.timestamp()}
            continue
        begun[name] = line.at.timestamp()
    if job.status == "PENDING":
        return {}
    present = (job.progress_msg or "").partition(":")[0]
    if not begun and present in names and job.started_at is not None:
        begun[present] = job.started_at.timestamp()
    return begun


def _length(name: str, names: Sequence[str], begun: dict[str, float], job: Job) -> float | None:
    if name not in begun:
        return None
    later = [begun[one] for one in names[names.index(name) + 1 :] if one in begun]
    if later:
        return min(later) - begun[name]
    return job.completed_at.timestamp() - begun[name] if job.completed_at is not None else None


def stepper(job: Job, lines: Sequence[LogLine]) -> None:
    """Draw all stages in a row; sign, colour and word say how each does."""
    found = stages(job, lines)
    parts = []
    for one in found:
        icon, colour = _MARKS[one.state]
        time = "" if one.seconds is None or one.seconds < _SHORT else f" · {number(one.seconds, 1, 's')}"
        word = t(f"jobs.stage_{one.name.replace(' ', '_').replace('-', '_')}")
        shown = f"**{word}**" if one.state in {"present", "failed", "stopped"} else word
        parts.append(f":{colour}-badge[:material/{icon}: {shown}{time}]")
    st.markdown(" ".join(parts))
    if job.status in OVER:
        return
    present = next((place for place, one in enumerate(found, 1) if one.state == "present"), 0)
    st.caption(t("jobs.step_of", step=present, steps=len(found)))
