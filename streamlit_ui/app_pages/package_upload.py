"""Upload of a package: files, what is expected of them, and what came of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import streamlit as st

from shared.contracts.packages import UploadedPackage
from shared.contracts.paper import CreateAccount
from streamlit_ui import formats
from streamlit_ui.client import packages as client
from streamlit_ui.client.transport import ServiceError
from streamlit_ui.formats import plain
from streamlit_ui.places import go
from streamlit_ui.session import services, t
from streamlit_ui.settings import app_settings
from streamlit_ui.states import note, once, show_error

MANIFEST_MIB = 4
START_USDT = 10_000.0
LEAST_USDT = 0.01
MOST_USDT = 1e12


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What the form holds."""

    name: str
    forecaster: Any
    """Of st.file_uploader; None: not chosen yet."""
    policy: Any
    manifest: Any
    strict: bool
    balance: float
    """USDT that its paper account begins with."""


def draw() -> None:
    """Draw the form."""
    st.subheader(t("upload.title"))
    st.markdown(t("upload.lead"))
    # Streamlit's own line rounds 512 MB to 1 GB, in English: ours says it exactly.
    st.html("<style>[data-testid='stFileUploaderDropzoneInstructions'] { display: none }</style>")
    wanted = _form()
    files = [one for one in (wanted.forecaster, wanted.policy, wanted.manifest) if one is not None]
    total = sum(file.size for file in files)
    missing = [
        t(f"upload.missing_{part}")
        for part, value in (("name", wanted.name), ("forecaster", wanted.forecaster), ("policy", wanted.policy))
        if not value
    ]
    with st.container(horizontal=True, vertical_alignment="center"):
        pressed = once(
            st.button,
            t("upload.send"),
            type="primary",
            icon=":material/upload:",
            disabled=bool(missing),
            key="upload_send",
        )
        told = t("upload.missing", parts=", ".join(missing)) if missing else t("upload.ready", size=formats.size(total))
        st.caption(told)
    if pressed and not missing:
        _send(wanted, total)


def _form() -> _Wanted:
    settings = app_settings()
    name = st.text_input(
        t("upload.name"), max_chars=200, placeholder=t("upload.name_example"), help=t("upload.name_help"),
        key="upload_name",
    )  # fmt: skip
    with st.grid(3, min_column_width=260):
        forecaster = _file("forecaster", "pt", settings.model_package_max_forecast_mb)
        policy = _file("policy", "zip", settings.model_package_max_ppo_mb)
        manifest = _file("manifest", "json", MANIFEST_MIB)
    strict = st.toggle(t("upload.strict"), value=True, help=t("upload.strict_help"), key="upload_strict")
    with st.expander(t("upload.more")):
        balance = st.number_input(
            t("upload.balance"), min_value=LEAST_USDT, max_value=MOST_USDT, value=START_USDT, step=1000.0,
            format="%.2f", help=t("upload.balance_help"), key="upload_balance", width=260,
        )  # fmt: skip
    return _Wanted(
        name=name.strip(), forecaster=forecaster, policy=policy, manifest=manifest, strict=strict, balance=balance
    )


def _file(part: str, suffix: str, most_mib: int) -> Any:
    with st.container():
        st.markdown(f"**{t(f'upload.{part}')}**")
        st.caption(t(f"upload.{part}_help", most=formats.number(most_mib, 0, "MiB")))
        return st.file_uploader(
            t(f"upload.{part}"), type=suffix, max_upload_size=most_mib, key=f"upload_{part}",
            label_visibility="collapsed",
        )  # fmt: skip


def _send(wanted: _Wanted, total: int) -> None:
    try:
        with st.status(t("upload.sending", size=formats.size(total)), expanded=True) as status:
            tell = _progress(total, t("upload.checking") if wanted.strict else t("upload.storing"))
            with _told_if_interrupted():
                added = _upload(wanted, tell)
            status.update(label=t("upload.done", id=plain(added.id)), state="complete")
    except ServiceError as error:
        status.update(label=t("upload.refused"), state="error", expanded=False)
        show_error(error)
        return
    note(t(f"upload.note_{added.status}", name=plain(added.name), id=plain(added.id)))
    try:
        _open_account(added, wanted.balance)
    except ServiceError as error:
        note(plain(error.message), icon=":material/warning:")
    go("packages", model=added.id)


@contextmanager
def _told_if_interrupted() -> Iterator[None]:
    # Whatever else is clicked ends this run, and the upload with it.
    try:
        yield
    except ServiceError:
        raise
    except BaseException:
        note(t("upload.interrupted"), icon=":material/warning:")
        raise


def _upload(wanted: _Wanted, tell: Callable[[int], None]) -> UploadedPackage:
    for file in (wanted.forecaster, wanted.policy, wanted.manifest):
        if file is not None:
            # A second try reads it from its beginning again.
            file.seek(0)
    files = client.Files(forecast_model=wanted.forecaster, ppo_model=wanted.policy, manifest=wanted.manifest)
    return client.upload_package(services().prediction, wanted.name, files, strict=wanted.strict, tell=tell)


def _progress(total: int, then: str) -> Callable[[int], None]:
    bar, sent = st.progress(0.0), 0

    def tell(count: int) -> None:
        nonlocal sent
        sent += count
        part = min(sent / total, 1.0) if total else 1.0
        words = t("upload.sent", sent=formats.size(sent), total=formats.size(total)) if part < 1 else then
        bar.progress(part, text=words)

    return tell


def _open_account(added: UploadedPackage, balance: float) -> None:
    if balance != START_USDT:
        client.create_account(services().prediction, CreateAccount(model_id=added.id, initial_balance=balance))
