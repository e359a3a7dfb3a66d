"""What documents say can be found: links, anchors, paths, verbs, codes; no block escapes the test that runs them."""

import re
import tomllib
from typing import Any

import jsonschema
import pytest
from typer.main import get_command

from pumpcast.cli import app
from shared.web.codes import CODES
from shared.web.examples import examples_of
from tests.support import api_document
from tests.support.documents import ROOT, Document, documents, records
from tests.support.raised import KINDS, NEVER_ANSWERED, codes_raised

RUN = "bash"
SHOWN = {"json", "http", "text", "sql", "python", "js", "yaml", "toml", "ini", "nginx", "caddyfile", "promql", ""}
"""Languages of blocks that are no commands of a reader."""
DRAWN = "mermaid"
# Blocks that cannot run in the test of all documents, and how they are checked otherwise.
NOT_RUN_HERE = {
    "README.md": "the two targets of make that the demo's and pumpcast up's own tests run",
    "docs/DEVELOPER_GUIDE.md": "needs a recorded day: tests/acceptance/test_replay.py does it with half an hour",
    "docs/PACKAGES.md": "installs libraries, which the environment of the tests has",
    "docs/DEPLOYMENT.md": "containers and systemd: tests/integration/test_deploy_stack.py runs what they would run",
    "docs/SECURITY.md": "needs a machine of its own with keys: tests/unit/test_key_verbs.py",
    "docs/BACKUP.md": "replaces the database: tests/integration/test_backup.py restores and predicts",
    "docs/OBSERVABILITY.md": "needs Prometheus or a collector: tests/integration/test_deploy_files.py",
    "docs/RELIABILITY.md": "takes minutes: tests/acceptance/test_soak.py runs its short form",
    "docs/SUPPLY_CHAIN.md": "asks a network",
}
TROUBLESHOOTING = Document(path=ROOT / "docs" / "TROUBLESHOOTING.md")
# What the Overview of the app tells, and where it is explained.
ATTENTION = {
    "unreachable": "training API, prediction API, app",
    "no_database": "| database |",
    "model_store": "training models, prediction models",
    "migrations": "| migrations |",
    "disk": "| disk |",
    "degraded": "a service is degraded",
    "degraded_why": "a service is degraded",
    "no_worker": "no prediction worker has reported",
    "dead_worker": "none heard of",
    "uncovered": "parts of the coins have no worker",
    "books": "the books do not balance",
    "outcomes": "outcomes are behind",
    "trouble": "a worker reports trouble",
    "polling": "polling instead of waking",
    "lag": "behind the newest row",
    "no_predictions": "no prediction yet",
    "no_rows": "no row lately",
    "silent": "one model is silent",
    "overfitted": "| overfitted |",
    "overfitting": "| overfitted |",
    "old": "learnt from old rows",
    "drift": "strong drift",
    "below_promise": "less than half its promise",
    "endpoint_disabled": "endpoint is disabled",
    "endpoint_failing": "the connection was refused",
    "package_failed": "its probe does not hold",
    "package_waiting": "candles …",
    "job_failed": "A job that fails says why",
}
NAMED = [document for document in documents() if document.name != "docs/API.md"]


@pytest.mark.parametrize("document", [*documents(), *records()], ids=lambda one: one.name)
def test_links_when_followed_then_file_and_anchor_are_there(document: Document):
    missing = []
    for file, anchor in document.links():
        if not file.exists():
            missing.append(str(file))
        elif anchor and file.suffix == ".md" and anchor not in Document(path=file).anchors:
            missing.append(f"{file.name}#{anchor}")
    assert not missing


@pytest.mark.parametrize("document", documents(), ids=lambda one: one.name)
def test_blocks_when_they_hold_commands_then_they_are_run_or_listed_with_a_reason(document: Document):
    for block in document.blocks:
        if block.language == "console":
            assert document.name in NOT_RUN_HERE, f"{document.name}:{block.line} is not run, and nothing says why"
        else:
            assert block.language in {RUN, DRAWN, *SHOWN}, f"{document.name}:{block.line} is {block.language}"
            commands = re.search(
                r"^\s*(\$ |sudo |pumpcast |curl |pip |make |docker |python )", block.code, re.MULTILINE
            )
            assert block.language not in ("", "text") or not commands, f"{document.name}:{block.line} holds commands"


@pytest.mark.parametrize("document", documents(), ids=lambda one: one.name)
def test_diagrams_when_drawn_then_they_are_of_a_kind_and_no_semicolon_ends_a_message(document: Document):
    for block in document.blocks:
        if block.language == DRAWN:
            assert block.code.split()[0] in {"flowchart", "sequenceDiagram", "stateDiagram-v2", "erDiagram"}
            assert ";" not in block.code, f"{document.name}:{block.line}"


@pytest.mark.parametrize("document", NAMED, ids=lambda one: one.name)
def test_paths_when_named_then_they_are_there(document: Document):
    folders = [ROOT, ROOT / "docs", *(ROOT / name for name in ("shared", "training_service", "prediction_service"))]
    folders += [ROOT / "streamlit_ui", ROOT / "pumpcast", ROOT / "tests", ROOT / "deploy"]
    missing = {
        path
        for path in document.paths()
        if path.endswith((".py", ".sql", ".md", ".toml", ".txt", ".yml", ".yaml"))
        and not re.search(r"[*<>{}]|NNNN", path)
        and not any((folder / path).exists() for folder in folders)
    }
    assert not missing


def test_reasons_when_they_name_a_test_then_it_is_there():
    named = {file for reason in NOT_RUN_HERE.values() for file in re.findall(r"tests/[\w/]+\.py", reason)}
    assert not {file for file in named if not (ROOT / file).exists()}


def test_readme_when_read_then_every_document_is_linked():
    linked = {file for file, _ in documents()[0].links()}
    assert {document.path for document in documents()[1:]} <= linked


def test_verbs_when_named_then_pumpcast_has_them():
    known = set(get_command(app).commands)  # type: ignore[attr-defined]
    for document in documents():
        code = "\n".join(re.findall(r"`pumpcast [^`\n]+`", document.prose))
        code += "\n".join(block.code for block in document.blocks if block.language in {RUN, "console"})
        verbs = set(re.findall(r"^(?:\.venv/bin/|`)?pumpcast ([a-z][a-z-]+)", code, re.MULTILINE))
        assert verbs <= known, document.name


def test_codes_when_raised_anywhere_then_they_are_explained_with_their_status():
    assert codes_raised() - NEVER_ANSWERED <= set(CODES)
    for kind in KINDS.values():
        if kind.code in CODES:
            assert CODES[kind.code].status == kind.status, kind.code
    named = set()
    for file in [*(ROOT / "shared" / "web").glob("*.py")]:
        named |= set(re.findall(r'\bcode="([a-z_]+)"', file.read_text(encoding="utf-8")))
    assert named <= set(CODES)


def test_api_document_when_routes_parameters_or_errors_change_then_it_is_stale():
    apps = api_document.apps()
    for service, one in apps.items():
        assert api_document.with_codes(service, one) == examples_of(service), (
            "run: python -m tests.support.api_document"
        )
    assert api_document.PATH.read_text(encoding="utf-8") == api_document.render(), (
        "run: python -m tests.support.api_document"
    )


@pytest.mark.parametrize("service", api_document.SERVICES)
def test_examples_when_looked_at_then_every_route_has_one_of_the_shape_it_answers_with_now(service: str):
    document = api_document.apps()[service].openapi()
    shapes = strict(document["components"]["schemas"])
    stale = []
    for route, operation in api_document.operations(document).items():
        example = examples_of(service).get(route, {})
        if "response" not in example:
            stale.append(route)
            continue
        answered = operation["responses"].get(str(example["response"]["status"]), {})
        schema = answered.get("content", {}).get("application/json", {}).get("schema")
        if schema is not None:
            whole = {**schema, "components": {"schemas": shapes}}
            faults = jsonschema.Draft202012Validator(whole).iter_errors(example["response"]["body"])
            stale += [f"{route}: {fault.message[:200]}" for fault in faults]
        for code, told in example["problems"].items():
            assert code in example["codes"] or code in (*api_document.ANYWHERE, *api_document.WITH_BODY), (route, code)
            assert told["status"] == CODES[code].status
    assert not stale, "run: python -m tests.support.api_document --capture"


@pytest.mark.parametrize("service", api_document.SERVICES)
def test_openapi_when_read_then_it_shows_what_was_asked_and_answered_and_each_error(service: str):
    for route, operation in api_document.operations(api_document.apps()[service].openapi()).items():
        example = examples_of(service)[route]
        shown = operation["responses"][str(example["response"]["status"])].get("content", {})
        for media_type, content in shown.items():
            if media_type == example["response"]["type"]:
                assert content.get("example") == example["response"].get("body"), route
        if "body" in example["request"]:
            assert operation["requestBody"]["content"]["application/json"]["example"] == example["request"]["body"]
        for code in example["codes"]:
            answer = operation["responses"][str(CODES[code].status)]
            assert f"`{code}`" in answer["description"], (route, code)
            problems = answer["content"]["application/problem+json"]
            if code in example["problems"]:
                assert problems["examples"][code]["value"]["code"] == code
            assert problems.get("examples") != {}, route


def strict(schema: Any) -> Any:
    """Give a schema that allows no field it does not name."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: strict(one) for name, one in schema.items()}
    return {"additionalProperties": False} | found if isinstance(schema.get("properties"), dict) else found


def test_troubleshooting_when_searched_then_it_knows_what_the_app_names_first():
    words = tomllib.loads((ROOT / "streamlit_ui/texts/en/attention.toml").read_text(encoding="utf-8"))
    kinds = {name.removeprefix("kind_") for name in words if name.startswith("kind_")}
    assert kinds <= set(ATTENTION)
    assert not {kind: told for kind, told in ATTENTION.items() if told not in TROUBLESHOOTING.text}


def test_troubleshooting_when_searched_then_it_knows_what_the_doctor_looks_at():
    parts = set(re.findall(r'part=f?"([^"{]+)', (ROOT / "pumpcast/doctor.py").read_text(encoding="utf-8")))
    assert len(parts) >= 8
    assert not {part for part in parts if part.strip(" (") not in TROUBLESHOOTING.text}


def test_troubleshooting_when_an_alert_links_to_it_then_it_is_named_there():
    rules = (ROOT / "deploy/prometheus/alerts.yml").read_text(encoding="utf-8")
    names = re.findall(r"- alert: (\w+)", rules)
    anchors = re.findall(r"runbook_url: .*TROUBLESHOOTING\.md#([\w-]+)", rules)
    assert len(names) == len(anchors) > 5
    assert set(anchors) <= TROUBLESHOOTING.anchors
    assert not {name for name in names if f"`{name}`" not in TROUBLESHOOTING.text}
