"""Dashboards: every panel has a place, a unit, words, and metrics that exist."""

import itertools
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.dashboards import BOARDS, FOLDER, board, panels
from tests.support.expositions import documented
from tests.support.prometheus import BY_PROMETHEUS, ROOT, VARIABLES, metrics_in

COLUMNS = 24
# Names of Grafana's own list of units.
UNITS = {"short", "s", "bytes", "percentunit", "reqps", "cps", "dateTimeAsIso"}
KINDS = {"stat", "timeseries", "state-timeline"}
OF_LIBRARY = {
    "process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds", "process_max_fds",
}  # fmt: skip
SOURCE = {"type": "prometheus", "uid": "${datasource}"}

each_board = pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
    above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    return not (beside or above)


def test_boards_when_listed_then_there_are_five_with_ids_of_their_own():
    found = [board(path) for path in BOARDS]
    counts = {name: len({one[name] for one in found}) for name in ("uid", "title")}
    assert counts == {"uid": 5, "title": 5}
    assert all(one["uid"] == path.stem for one, path in zip(found, BOARDS, strict=True))


@each_board
def test_board_when_drawn_then_panels_have_ids_and_places_of_their_own(path: Path):
    drawn = board(path)["panels"]
    assert len({panel["id"] for panel in drawn}) == len(drawn)
    places = [panel["gridPos"] for panel in drawn]
    assert all(place["x"] >= 0 and place["x"] + place["w"] <= COLUMNS and place["h"] > 0 for place in places)
    assert not [pair for pair in itertools.combinations(places, 2) if overlap(*pair)]


@each_board
def test_panel_when_read_then_it_has_words_a_known_unit_and_the_chosen_data_source(path: Path):
    for panel in panels(path):
        assert panel["type"] in KINDS, panel["title"]
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]
        assert panel["datasource"] == SOURCE, panel["title"]
        _check_targets(panel)


def _check_targets(panel: dict[str, Any]) -> None:
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    known = {*documented(), *BY_PROMETHEUS, *OF_LIBRARY}
    for target in panel["targets"]:
        assert target["datasource"] == SOURCE
        assert metrics_in(target["expr"]), panel["title"]
        assert metrics_in(target["expr"]) <= known, panel["title"]
        # A counter as it stands says when a process was started, nothing else.
        bare = re.sub(r"(rate|increase)\([^()]*\)", "", target["expr"])
        assert not [name for name in metrics_in(bare) if _is_counter(name)] or panel["type"] == "stat", panel["title"]


def _is_counter(name: str) -> bool:
    return name in documented() and documented()[name][0] == "counter"


@each_board
def test_variables_when_used_then_they_are_declared_and_the_declared_ones_used(path: Path):
    declared = {variable["name"]: variable for variable in board(path)["templating"]["list"]}
    assert declared.pop("datasource")["type"] == "datasource"
    expressions = " ".join(target["expr"] for panel in panels(path) for target in panel["targets"])
    assert set(re.findall(r"\$([a-z_]+)", expressions.replace("$__rate_interval", ""))) == set(declared)
    assert {f"${name}" for name in declared} <= set(VARIABLES)
    for variable in declared.values():
        name = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]["query"])
        assert name is not None
        assert name[1] in documented()


def test_panels_of_all_boards_when_compared_then_none_is_there_twice():
    shown = [tuple(sorted(target["expr"] for target in panel["targets"])) for path in BOARDS for panel in panels(path)]
    assert len(shown) == len(set(shown))


def test_metrics_when_all_boards_are_drawn_then_none_is_left_out():
    used = {
        name for path in BOARDS for panel in panels(path) for target in panel["targets"]
        for name in metrics_in(target["expr"])
    }  # fmt: skip
    assert set(documented()) - used == set()


def test_provisioning_when_read_then_folders_and_addresses_are_those_of_the_stack():
    stack = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["grafana"]
    mounts = dict(mount.split(":")[:2] for mount in stack["volumes"])
    provisioning = FOLDER / "provisioning"
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "pumpcast.yml").read_text())["providers"]
    assert mounts["./deploy/grafana/dashboards"] == provider["options"]["path"]
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert (source["type"], source["url"], source["isDefault"]) == ("prometheus", "http://prometheus:9090", True)
