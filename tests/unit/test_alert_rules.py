"""Alert rules: they parse, name metrics that exist, and lead to a place that says what to do."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.dashboards import BOARDS, panels
from tests.support.expositions import documented
from tests.support.prometheus import BY_PROMETHEUS, ROOT, RULES, filled, metrics_in, program

FOLDER = RULES.parent
OF_LIBRARY = {"process_start_time_seconds"}
LINK = re.compile(r"docs/TROUBLESHOOTING\.md#([a-z-]+)")


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


@pytest.fixture
def promtool() -> str:
    found = program("promtool")
    if found is None:
        pytest.skip("NO PROMTOOL: `make prometheus` fetches it")
    return found


def run(*command: str) -> str:
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_alert_when_read_then_it_says_what_how_grave_and_where_to_look(rule: dict[str, Any]):
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    named = metrics_in(rule["expr"])
    assert named
    assert named <= {*documented(), *BY_PROMETHEUS, *OF_LIBRARY}
    place = LINK.fullmatch(rule["annotations"]["runbook_url"])
    assert place is not None
    text = (ROOT / "docs" / "TROUBLESHOOTING.md").read_text()
    headings = {re.sub(r"[^a-z0-9 -]", "", line.lstrip("# ").lower()).replace(" ", "-") for line in text.splitlines()}
    assert place[1] in headings or f'id="{place[1]}"' in text, "no such place in TROUBLESHOOTING.md"


def test_alerts_when_listed_then_each_is_tested_both_ways_and_no_two_have_one_name():
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))
    cases = [case["name"] for case in yaml.safe_load((FOLDER / "alerts_test.yml").read_text())["tests"]]
    assert {f"{name} {end}" for name in names for end in ("fires", "stays silent")} == set(cases) - {"words"}


def test_scrape_targets_when_compared_with_the_stack_then_services_ports_and_the_key_are_its():
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    stack = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    ports = {"training-api": 8001, "prediction-api": 8000, "training-worker": 9101, "prediction-worker": 9100}
    assert {job["job_name"] for job in config["scrape_configs"]} == set(ports)
    mounts = [mount.split(":")[1] for mount in stack["prometheus"]["volumes"]]
    for job in config["scrape_configs"]:
        name = job["job_name"]
        if name.endswith("worker"):
            assert job["dns_sd_configs"] == [{"names": [name], "type": "A", "port": ports[name]}]
        else:
            assert job["static_configs"] == [{"targets": [f"{name}:{ports[name]}"]}]
        assert name in stack
        assert any(job["authorization"]["credentials_file"].startswith(f"{mount}/") for mount in mounts)


def test_rules_when_promtool_runs_them_then_each_fires_and_stays_silent_as_written(promtool: str):
    assert "SUCCESS" in run(promtool, "check", "config", "--syntax-only", "prometheus.yml")
    assert f"{len(rules())} rules found" in run(promtool, "check", "rules", "alerts.yml")
    assert "SUCCESS" in run(promtool, "test", "rules", "alerts_test.yml")


def test_expressions_of_dashboards_when_promtool_reads_them_then_all_parse(promtool: str, tmp_path: Path):
    expressions = [target["expr"] for board in BOARDS for panel in panels(board) for target in panel["targets"]]
    records = [{"record": f"r:{number}", "expr": filled(expression)} for number, expression in enumerate(expressions)]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": records}]}))
    assert f"{len(expressions)} rules found" in run(promtool, "check", "rules", str(path))
