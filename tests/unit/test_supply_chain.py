"""What is installed beside the project: all of it pinned, its licences known and none that would bind the project."""

import sys

import pytest

from tests.support import supply_chain
from tests.support.supply_chain import closure, installed, part, pinned

# Never pinned: they install the others.
INSTALLERS = {"pip", "setuptools"}
DEVELOPING = (*supply_chain.RUNNING, "dev")


@pytest.mark.parametrize(
    ("licence", "strong"),
    [
        ("GPL-3.0-or-later", True), ("MIT AND GPL-2.0-only", True), ("AGPL-3.0", True), ("GPLv2+", True),
        ("GNU General Public License v3 (GPLv3)", True), ("GNU Affero General Public License v3", True),
        ("LGPL-3.0-only", False), ("GNU Lesser General Public License v3 (LGPLv3)", False), ("MPL-2.0 AND MIT", False),
    ],
)  # fmt: skip
def test_licence_when_it_binds_what_is_shipped_with_it_then_it_is_told_from_the_lesser(licence: str, strong: bool):
    assert bool(supply_chain.STRONG.search(licence)) == strong
    assert supply_chain.COPYLEFT.search(licence)


def test_parts_when_they_run_then_each_has_a_licence_and_none_is_under_the_gpl():
    among = installed()
    parts = [part(among[name]) for name in closure(supply_chain.RUNNING, among)]

    assert len(parts) > 100
    assert [one.name for one in parts if one.licence == supply_chain.NOT_TOLD] == []
    assert [(one.name, one.licence) for one in parts if supply_chain.STRONG.search(one.licence)] == []


def test_constraints_when_everything_is_installed_then_they_name_just_that():
    among = installed()
    needed = {name: among[name].version.partition("+")[0] for name in closure(DEVELOPING, among) - INSTALLERS}

    assert pinned() == needed


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere other distributions are installed")
def test_licences_when_written_then_they_are_those_of_what_is_installed():
    # After them come the sizes of one machine's wheels.
    assert supply_chain.DOCUMENT.read_text().startswith(supply_chain.document()), "make licences"


def test_audit_when_nothing_can_be_asked_then_it_fails_and_says_so(tmp_path, capfd):
    program = tmp_path / "pip-audit"
    program.write_text("#!/bin/sh\necho 'no network' >&2\nexit 1\n")
    program.chmod(0o755)

    assert supply_chain.audit(str(program)) == 1
    assert "nothing is known of the versions: no network" in capfd.readouterr().err


def test_exception_when_without_date_or_reason_then_refused():
    assert supply_chain.exceptions("# none\n\nCVE-2026-1  2026-01-31  not reached\n") == ["CVE-2026-1"]
    for line in ("CVE-2026-1", "CVE-2026-1 2026-01-31", "CVE-2026-1 not reached"):
        with pytest.raises(SystemExit, match="a date"):
            supply_chain.exceptions(line)
