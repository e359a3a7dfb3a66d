"""What was measured, as a page: tables of both sides and their ratio, and the machine it ran on."""

import importlib.metadata
import inspect
import os
import platform
import re
import subprocess
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import psutil

from shared.cluster import program

LIBRARIES = (
    "numpy", "pandas", "scikit-learn", "xgboost-cpu", "xgboost", "onnxruntime", "asyncpg", "adbc-driver-postgresql",
    "pyarrow",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One comparison, in a unit of its own."""

    what: str
    ours: float
    naive: float | None
    """None: nothing to compare with."""
    unit: str
    more_is_better: bool = False

    def cells(self) -> tuple[str, str, str, str]:
        """Give the cells of its row."""
        if self.naive is None:
            return self.what, number(self.ours, self.unit), "", ""
        ratio = self.ours / self.naive if self.more_is_better else self.naive / self.ours
        return self.what, number(self.ours, self.unit), number(self.naive, self.unit), f"{_figures(ratio)} ×"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The answer to one question."""

    title: str
    naive_way: str = ""
    """Heading of the naive side."""
    lines: Sequence[Line] = ()
    """None where there is no other way: the text has the figures."""
    text: str
    """What was measured and how, in paragraphs; one that begins with | is a table."""
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    """Files beside the page that the text shows, by name."""

    def markdown(self, *, now: datetime, load: tuple[float, float], seconds: float) -> str:
        """Give the section; `load` is the load average before and after."""
        rows = "\n".join(f"| {' | '.join(line.cells())} |" for line in self.lines)
        table = [f"| | pumpcast | {self.naive_way} | ratio |\n|---|--:|--:|--:|\n{rows}"] if self.lines else []
        last = (
            f"Measured on {now:%Y-%m-%d, %H:%M} UTC in {seconds:.0f} s; load average {load[0]:.1f} before, "
            f"{load[1]:.1f} after."
        )
        return _paragraphs(f"## {self.title}", *table, *inspect.cleandoc(self.text).split("\n\n"), last)


def kept(page_before: str, title: str, *, otherwise: str) -> str:
    r"""Give a section as a page has it, or say why there is none.

    >>> kept("# Page\n\n## One\n\ntext\n\n## Two\n", "One", otherwise="Not measured.")
    '## One\n\ntext\n'
    """
    for section in re.split(r"(?m)^(?=## )", page_before):
        if section.startswith(f"## {title}\n"):
            return section.rstrip() + "\n"
    return _paragraphs(f"## {title}", otherwise)


def number(value: float, unit: str) -> str:
    """Give a figure with three digits that count."""
    if unit == "s" and value < 0.1:
        value, unit = value * 1000, "ms"
    return f"{_figures(value)} {unit}"


def _figures(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def page(sections: Sequence[str]) -> str:
    """Give the whole page."""
    machine = "\n".join(f"| {name} | {value} |" for name, value in _machine().items())
    head = """
Measured by `make bench`, that is `python -m benchmarks.run`, which also wrote this page; each section says when. Both
sides of a line ran one after the other in the same run; a ratio above 1 speaks for pumpcast. Absolute figures are those
of the machine below and of what else it did: see the load averages."""
    return _paragraphs("# Benchmarks", head, f"| machine | |\n|---|---|\n{machine}") + "\n" + "\n".join(sections)


def _paragraphs(*parts: str) -> str:
    wrapped = (part if part.startswith(("|", "#", "![")) else textwrap.fill(part.strip(), 120) for part in parts)
    return "\n\n".join(wrapped) + "\n"


def _machine() -> dict[str, str]:
    postgres = subprocess.run([program("postgres"), "--version"], capture_output=True, text=True, check=True).stdout
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "Python": platform.python_version(),
        "PostgreSQL": postgres.split()[-1],
        **{name: version for name in LIBRARIES if (version := _version(name))},
    }


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
