"""What is installed beside this project, and under which licences: `python -m tests.support.supply_chain --help`."""

import argparse
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
CONSTRAINTS = ROOT / "constraints.txt"
EXCEPTIONS = ROOT / "audit-exceptions.txt"
DOCUMENT = ROOT / "docs" / "licences.md"
NAME = "pumpcast"
# What the services and the app run with, whatever is chosen of it.
RUNNING = ("training", "packages", "rl", "feeds", "ui", "otel")
# What their licence files say, as their metadata says nothing.
UNTOLD = {"ta-lib": "BSD-2-Clause"}
NOT_TOLD = "not told"
MEGABYTE = 1_000_000
MADE = """\
Made by `make licences` from the metadata of what is installed for running, with every extra but `dev` and `audit`,
whose tools are not shipped."""
COPYLEFT_MEANS = """\
Who changes a file (MPL) or the library (LGPL) of these and distributes it gives the changed source along under the
same licence; who distributes an LGPL library lets its users replace it, as pip does. Nothing else follows for what only
uses them, and none is changed here. No part that runs is under the GPL or the AGPL."""
SIZE_MEANS = """\
Of the files in megabytes, with everything that an extra needs; what several extras share is counted in each."""
EXCEPTION = re.compile(r"(?P<id>\S+)\s+(?P<date>\d{4}-\d\d-\d\d)\s+(?P<reason>\S.*)")
# A licence that what is distributed with the library would have to be under as a whole.
STRONG = re.compile(r"\bA?GPL|(?<!lesser )general public|affero", re.IGNORECASE)
COPYLEFT = re.compile(r"GPL|General Public|MPL|Mozilla|EPL|CDDL|EUPL", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A distribution that is installed."""

    name: str
    version: str
    licence: str
    """As an SPDX expression where its metadata has one."""


def installed(folder: Path | None = None) -> dict[str, Distribution]:
    """Give the distributions of an environment by their names; of this one when no folder is given."""
    found = distributions() if folder is None else distributions(path=[str(folder)])
    return {canonicalize_name(one.metadata["Name"]): one for one in found}


def extras() -> dict[str, list[str]]:
    """Give what the project asks for, by extra; that of all stands under an empty name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {"": project["dependencies"], **project["optional-dependencies"]}


def closure(chosen: tuple[str, ...], among: dict[str, Distribution]) -> set[str]:
    """Give the names of all that is installed for some extras, and for what that needs."""
    asked, found = extras(), set[tuple[str, str]]()
    waiting = [Requirement(text) for extra in ("", *chosen) for text in asked[extra]]
    while waiting:
        one = waiting.pop()
        if one.marker is not None and not one.marker.evaluate({"extra": ""}):
            continue
        name = canonicalize_name(one.name)
        for extra in ("", *one.extras):
            if name == NAME and extra:
                waiting += [Requirement(text) for text in asked[extra]]
            if name not in among or (name, extra) in found:
                continue
            found.add((name, extra))
            waiting += list(_needs(among[name], extra))
    return {name for name, _ in found if name != NAME}


def _needs(one: Distribution, extra: str) -> Iterator[Requirement]:
    for text in one.requires or []:
        needed = Requirement(text)
        if needed.marker is None or needed.marker.evaluate({"extra": extra}):
            needed.marker = None
            yield needed


def part(one: Distribution) -> Part:
    """Say what a distribution is."""
    told = one.metadata
    classifiers = [text.rsplit(" :: ", 1)[-1] for text in told.get_all("Classifier") or [] if "License ::" in text]
    first = (told.get("License") or "").strip().splitlines()
    licence = told.get("License-Expression") or ", ".join(classifiers) or (first[0] if first else "")
    name = canonicalize_name(told["Name"])
    return Part(name=name, version=one.version, licence=licence or UNTOLD.get(name, NOT_TOLD))


def pinned() -> dict[str, str]:
    """Give the versions of the constraints by name."""
    lines = [line.partition("#")[0].strip() for line in CONSTRAINTS.read_text().splitlines()]
    return {canonicalize_name(name): version for name, version in (line.split("==") for line in lines if line)}


def document() -> str:
    """Give the table of the licences as it belongs into the documents."""
    among = installed()
    running = sorted(closure(RUNNING, among))
    parts = [part(among[name]) for name in running]
    lines = [
        "# Licences",
        "",
        MADE,
        "",
        "| Distribution | Version | Licence |",
        "|---|---|---|",
        *(f"| {one.name} | {one.version} | {one.licence.replace('|', '/')} |" for one in parts),
        "",
        "## Copyleft",
        "",
        COPYLEFT_MEANS,
        "",
        *(f"- {one.name}: {one.licence}" for one in parts if COPYLEFT.search(one.licence)),
    ]
    return "\n".join(lines) + "\n"


def sizes() -> str:
    """Give the table of what the extras take on disk."""
    among = installed()
    of = {name: sum(file.size or 0 for file in one.files or []) for name, one in among.items()}
    base = closure((), among)
    lines = ["", "## Size", "", SIZE_MEANS, "", "| Extra | Distributions | MB |", "|---|---|---|"]
    for extra in ("", *RUNNING):
        names = base if not extra else closure((extra,), among) - base
        label = f"`{extra}` beyond it" if extra else "none"
        lines.append(f"| {label} | {len(names)} | {sum(of[name] for name in names) / MEGABYTE:.0f} |")
    return "\n".join(lines) + "\n"


def exceptions(text: str) -> list[str]:
    """Give the known advisories that do not count; each line names one, a date and a reason."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    found = [EXCEPTION.fullmatch(line) for line in lines]
    if None in found:
        raise SystemExit(f"{EXCEPTIONS.name}: a line is an id, a date like 2026-01-31 and a reason")
    return [one["id"] for one in found if one]


def audit(program: str) -> int:
    """Ask for advisories on everything that is pinned; 0 only when all were asked for and there are none."""
    ignored = [part for one in exceptions(EXCEPTIONS.read_text()) for part in ("--ignore-vuln", one)]
    command = [program, "--strict", "--no-deps", "--disable-pip", "--progress-spinner=off", "-r", str(CONSTRAINTS)]
    done = subprocess.run([*command, *ignored], capture_output=True, text=True, check=False)
    sys.stdout.write(done.stdout)
    if done.returncode and not done.stdout.strip():
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        sys.stderr.write(f"The advisories could not be asked for, so nothing is known of the versions: {last}\n")
    else:
        sys.stderr.write(done.stderr)
    return done.returncode


def sbom(everything: dict[str, Any], folder: Path) -> str:
    """Give the part of a list of parts that is needed for running, as valid CycloneDX."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    names = closure(RUNNING, installed(folder))
    kept = [one for one in everything["components"] if canonicalize_name(one["name"]) in names]
    own = everything["metadata"]["component"]["bom-ref"]
    known = {one["bom-ref"] for one in kept} | {own}
    needs = [
        {**one, "dependsOn": [other for other in one.get("dependsOn", []) if other in known]}
        for one in everything["dependencies"]
        if one["ref"] in known
    ]
    text = json.dumps({**everything, "components": kept, "dependencies": needs}, indent=2)
    if trouble := JsonStrictValidator(SchemaVersion.from_version(everything["specVersion"])).validate_str(text):
        raise SystemExit(f"The list of parts is not valid CycloneDX: {trouble}")
    return text


def main() -> None:
    """Run one of the verbs."""
    parser = argparse.ArgumentParser(description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("licences", help=f"write {DOCUMENT.relative_to(ROOT)}")
    verbs.add_parser("tools", help="what to install for the verbs audit and sbom")
    verbs.add_parser("audit", help="advisories on what is pinned").add_argument("program", help="pip-audit")
    listed = verbs.add_parser("sbom", help="keep of a list of parts what is needed for running, print it")
    listed.add_argument("file", type=Path)
    listed.add_argument("folder", type=Path, help="site-packages that it is of")
    asked = parser.parse_args()
    if asked.verb == "licences":
        DOCUMENT.write_text(document() + sizes())
    elif asked.verb == "tools":
        sys.stdout.write("\n".join(extras()["audit"]) + "\n")
    elif asked.verb == "audit":
        raise SystemExit(audit(asked.program))
    else:
        sys.stdout.write(sbom(json.loads(asked.file.read_text()), asked.folder) + "\n")


if __name__ == "__main__":
    main()
