"""What a process tells Prometheus, taken apart."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

_ROOT = Path(__file__).resolve().parents[2]
_ROW = re.compile(r"\| (ml_\w+) \| (\w+) \| ([\w, ]*) ?\| .*? \| ([A-D ]+) \|")
_OF_TYPE = ("le", "quantile")


@dataclass(slots=True)
class Told:
    """All samples of one exposition."""

    types: dict[str, str] = field(default_factory=dict)
    """Type by name; counters end in _total."""
    labels: dict[str, set[frozenset[str]]] = field(default_factory=dict)
    """Names of the labels that were seen."""
    values: dict[tuple[str, frozenset[tuple[str, str]]], float] = field(default_factory=dict)

    def value(self, name: str, **labels: str) -> float:
        return self.values[name, frozenset(labels.items())]

    def by(self, name: str, label: str) -> dict[str, float]:
        """Give the values above 0 of a name, by one of its labels."""
        found = ((dict(labels), value) for (one, labels), value in self.values.items() if one == name)
        return {labels[label]: value for labels, value in found if value}


def take_apart(text: str) -> Told:
    """Read the text format."""
    told = Told()
    for family in text_string_to_metric_families(text):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        told.types[name] = family.type
        for sample in family.samples:
            told.labels.setdefault(name, set()).add(frozenset(sample.labels) - {*_OF_TYPE})
            told.values[sample.name, frozenset(sample.labels.items())] = sample.value
    return told


async def scrape(url: str) -> Told:
    """Ask a process as Prometheus does."""
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == 200, await answer.text()
        return take_apart(await answer.text())


def documented() -> Mapping[str, tuple[str, frozenset[str], str]]:
    """Give type, labels and places of each name of the table in docs/OBSERVABILITY.md."""
    rows = _ROW.findall((_ROOT / "docs" / "OBSERVABILITY.md").read_text())
    assert len(rows) == len({name for name, *_ in rows}), "a name stands there twice"
    return {
        name: (kind, frozenset(labels.replace(" ", "").split(",")) - {""}, places.replace(" ", ""))
        for name, kind, labels, places in rows
    }
