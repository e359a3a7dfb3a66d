"""Where a package stands: its badges, followed while something happens, its trouble, and what can be done with it."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from shared.contracts.packages import Package, PackageDetails
from streamlit_ui import formats
from streamlit_ui.client import packages as client
from streamlit_ui.formats import plain
from streamlit_ui.places import go
from streamlit_ui.session import services, t
from streamlit_ui.states import Level, badge, confirm, guarded, live, note, once

BUSY_SECONDS = 2.0
IDLE_SECONDS = 15.0
_STATUS: dict[str, Level] = {"UPLOADED": "busy", "READY": "good", "ARCHIVED": "off"}
_WARMUP: dict[str, Level] = {"PENDING": "warning", "RUNNING": "busy", "DONE": "good", "FAILED": "bad"}


def is_moving(package: Package) -> bool:
    """Tell whether a worker is about to change it."""
    waits = package.status == "UPLOADED" or package.warmup_status in {"PENDING", "RUNNING"}
    return waits and package.status != "ARCHIVED" and package.warmup_status != "FAILED"


def draw(package: Package, found: Sequence[Package]) -> None:
    """Draw its badges, looked at again and again: what changes draws the page anew, and so does a new package."""
    seconds = BUSY_SECONDS if is_moving(package) else IDLE_SECONDS
    live(seconds)(_follow)(package, _signature(found), [found])


def _follow(package: Package, seen: tuple[object, ...], read: list[Sequence[Package]]) -> None:
    # With the page the list has just been read; later, alone, it has to be read again.
    found = read.pop() if read else client.list_packages(services().prediction).packages
    if _signature(found) != seen:
        st.rerun()
    badges = [badge(_STATUS[package.status], t(f"packages.status_{package.status}"))]
    if package.status == "UPLOADED" and package.warmup_status == "FAILED":
        badges = [badge("bad", t("packages.refused"))]
    elif package.status != "ARCHIVED":
        badges.append(badge(_WARMUP[package.warmup_status], t(f"packages.warmup_{package.warmup_status}")))
    if package.is_builtin:
        badges.append(f":violet-badge[:material/science: {t('packages.demonstration')}]")
        badges.append(f" :small[:gray[{t('packages.demonstration_help')}]]")
    st.markdown(" ".join(badges), help=t("packages.states_help"))


def _signature(found: Sequence[Package]) -> tuple[object, ...]:
    return tuple((one.id, one.name, one.status, one.warmup_status, one.warmup_error) for one in found)


def draw_trouble(package: PackageDetails) -> None:
    """Say in full what is wrong or awaited, in the words of the service."""
    told = formats.plain(package.warmup_error or "")
    if package.status == "ARCHIVED":
        moment = formats.moment(package.archived_at, seconds=False)
        st.info(t("packages.is_archived", moment=moment), icon=":material/inventory_2:")
    elif package.warmup_status == "FAILED":
        what = "packages.failed_warmup" if package.status == "READY" else "packages.failed_files"
        st.error(f"**{t(what)}**\n\n{told}", icon=":material/error:")
    elif package.status == "UPLOADED":
        st.info(t("packages.being_checked"), icon=":material/policy:")
    elif package.warmup_status == "PENDING":
        text = f"**{t('packages.waits')}**\n\n{told}" if told else t("packages.queued")
        st.warning(text, icon=":material/hourglass_top:")
    elif package.warmup_status == "RUNNING":
        st.info(t("packages.warming"), icon=":material/progress_activity:")


def draw_actions(package: Package) -> None:
    """Draw what can be done with it."""
    is_archived = package.status == "ARCHIVED"
    with st.container(horizontal=True, gap="small", width="content"):
        if not is_archived:
            words = "packages.retry" if package.warmup_status == "FAILED" else "packages.warm_up"
            wants = package.warmup_status in {"FAILED", "PENDING"}
            if once(
                st.button, t(words), icon=":material/local_fire_department:", type="primary" if wants else "secondary",
                help=t("packages.warm_up_help"), key="package_warm_up", disabled=package.warmup_status == "RUNNING",
            ):  # fmt: skip
                with guarded():
                    client.warm_up(services().prediction, package.id)
                    note(t("packages.warm_up_asked", name=plain(package.name)))
                    st.rerun()
        if is_archived and once(
            st.button, t("packages.restore"), icon=":material/unarchive:", type="primary", key="package_restore"
        ):
            with guarded():
                client.restore(services().prediction, package.id)
                note(t("packages.restored", name=plain(package.name)))
                st.rerun()
        if not is_archived and st.button(t("packages.archive"), icon=":material/archive:", key="package_archive"):
            confirm(
                t("packages.archive_title", name=plain(package.name)), t("packages.archive_words"),
                action=t("packages.archive"), do=partial(_archive, package),
            )  # fmt: skip
        if st.button(t("packages.delete"), icon=":material/delete:", key="package_delete"):
            confirm(
                t("packages.delete_title", name=plain(package.name)), t("packages.delete_words"),
                action=t("packages.delete"), typed=package.id, do=partial(_delete, package),
            )  # fmt: skip


def _archive(package: Package) -> None:
    client.archive(services().prediction, package.id)
    note(t("packages.archived", name=plain(package.name)), icon=":material/archive:")


def _delete(package: Package) -> None:
    client.delete_package(services().prediction, package.id)
    note(t("packages.deleted", name=plain(package.name)), icon=":material/delete:")
    go("packages")
