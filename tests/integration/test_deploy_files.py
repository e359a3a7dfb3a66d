"""Dockerfile and stack: what linters, the schema of compose and the rules of this project ask of them."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from prediction_service.settings import PredictionSettings
from streamlit_ui.settings import AppSettings
from tests.support.images import COMPOSE, DOCKERFILE, ROOT, Image, compose, container, images
from training_service.settings import TrainingSettings

BIN = Path(sys.executable).parent
STACK = compose()
SERVICES: dict[str, dict[str, Any]] = STACK["services"]
OURS = {name for name, service in SERVICES.items() if "build" in service}
TARGETS = (
    "training", "prediction", "prediction-packages", "ui", "tools", "supervisor-training", "supervisor-prediction",
)  # fmt: skip
UID = "10001:10001"
MOST_PROCESSORS = 2
"""What docs/DEPLOYMENT.md says is needed."""
NOT_OF_PUMPCAST = {
    "HOME", "PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "SECRETS_DIR", "PUMPCAST_API",
}  # fmt: skip


def settings() -> set[str]:
    fields = {*AppSettings.model_fields, *TrainingSettings.model_fields, *PredictionSettings.model_fields}
    return {name.upper() for name in fields}


def programs(image: Image) -> set[str]:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    return {*scripts, "supervisord", *(Path(target).name for _, target in image.copied)}


def image_of(service: dict[str, Any]) -> Image:
    return images()[service["build"]["target"]]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(BIN / command[0]), *command[1:]], capture_output=True, text=True, check=False, cwd=ROOT)


def test_dockerfile_when_linted_then_nothing_is_found():
    found = run("hadolint", str(DOCKERFILE))
    assert (found.returncode, found.stdout + found.stderr) == (0, "")


def test_compose_when_checked_against_the_schema_of_compose_then_it_is_valid():
    found = run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE))
    assert found.returncode == 0, found.stdout
    assert "version" not in STACK


@pytest.mark.parametrize("target", TARGETS)
def test_image_when_started_then_an_own_program_runs_as_nobody_of_the_host_and_stays_well(target: str):
    image = images()[target]
    command = [*image.entrypoint, *image.command]
    assert command[0] in programs(image)
    assert image.user == UID
    assert {*image.environment} <= settings() | NOT_OF_PUMPCAST
    assert image.environment["BIND_HOST"] == "0.0.0.0"
    assert image.venv == f"{target}-environment"
    if target != "tools":
        assert image.healthcheck[0] == "healthcheck"
    assert all((ROOT / source).exists() for source, _ in image.copied)


def test_dockerfile_when_read_then_no_secret_is_an_argument_and_every_base_has_a_version():
    text = DOCKERFILE.read_text(encoding="utf-8")
    bases = re.findall(r"(?m)^FROM (\S+)", text)
    assert set(bases) <= {"${PYTHON_IMAGE}", *images()}
    assert re.search(r"(?m)^ARG PYTHON_IMAGE=python:3\.\d+-slim-\w+$", text)
    assert not re.search(r"(?im)^(ARG|ENV).*(key|password|secret|token|dsn)\b", text)


def test_dockerignore_when_read_then_nothing_comes_in_that_is_not_named():
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    taken = [rule[1:] for rule in rules if rule.startswith("!")]
    assert all(list(ROOT.glob(pattern)) for pattern in taken)
    assert not {".env", ".git", "tests", "docs", "var"} & set(taken)
    needed = {source.split("/")[0] for image in images().values() for source, _ in image.copied if source != "."}
    assert needed <= {"deploy", *taken}


@pytest.mark.parametrize("name", sorted(OURS))
def test_service_when_started_then_program_and_settings_are_known_to_its_image(name: str):
    service = SERVICES[name]
    image = image_of(service)
    made = container(service, image)
    assert made.command[0] in programs(image)
    assert {*made.environment} <= settings() | NOT_OF_PUMPCAST
    assert made.user == UID
    # Else an image of that name is looked for on the internet first.
    assert service["pull_policy"] == "build"
    targets = {target for _, target, _ in made.volumes}
    # A new volume has the rights of the folder it is put on.
    assert targets <= set(image.made)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_service_when_started_then_it_can_do_no_more_than_it_must(name: str):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "container_name" not in service
    assert "privileged" not in service
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    limits = service["deploy"]["resources"]["limits"]
    assert limits.keys() == {"cpus", "memory", "pids"}
    # An engine refuses what its machine does not have.
    assert float(limits["cpus"]) <= MOST_PROCESSORS
    for port in service.get("ports", ()):
        assert port.startswith("127.0.0.1:"), port
    tag = service["image"].partition(":")[2]
    assert (tag and tag != "latest") or "build" in service
    assert service["restart"] in {"no", "unless-stopped"}


def test_stack_when_read_then_every_reference_leads_somewhere():
    used = {source for one in SERVICES.values() for source, _, _ in container(one, Image()).volumes}
    assert {source for source in used if not source.startswith("./")} == set(STACK["volumes"])
    assert {name for one in SERVICES.values() for name in one.get("networks", ())} == set(STACK["networks"])
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            assert other in SERVICES, f"{name} waits for {other}"
            once = SERVICES[other]["restart"] == "no"
            assert how["condition"] == ("service_completed_successfully" if once else "service_healthy")
            if how["condition"] == "service_healthy":
                target = SERVICES[other].get("build", {}).get("target")
                assert "healthcheck" in SERVICES[other] or images()[target].healthcheck
            if SERVICES[other].get("profiles"):
                assert how.get("required") is False or service.get("profiles")


def test_stack_when_it_is_waited_for_then_whatever_ends_is_waited_for_by_another():
    # `up --wait` takes the end of a container for a failure, unless somebody waits for just that.
    awaited = {
        other
        for service in SERVICES.values()
        for other, how in service.get("depends_on", {}).items()
        if how["condition"] == "service_completed_successfully"
    }
    assert {name for name, service in SERVICES.items() if service["restart"] == "no"} - {"tools"} == awaited


def test_stack_when_variables_are_read_then_each_has_a_default_and_is_a_setting():
    text = COMPOSE.read_text(encoding="utf-8")
    given = set(re.findall(r"\$\{([A-Z0-9_]+):-", text))
    assert len(re.findall(r"\$", text)) == len(re.findall(r"\$\{[A-Z0-9_]+:-", text))
    assert given - {"PREDICTION_TARGET"} <= settings()


def test_stack_when_read_then_each_service_sees_its_own_secrets_alone():
    allowed = {
        "secrets-training": {"training-api", "training-worker", "migrate"},
        "secrets-prediction": {"prediction-api", "prediction-worker", "migrate"},
        "secrets-ui": {"ui"},
        "secrets-postgres": {"postgres"},
        "secrets-prometheus": {"prometheus"},
        "secrets-grafana": {"grafana"},
        "secrets-owner": {"migrate", "simulated-tables", "simulated-market"},
    }
    for volume, readers in allowed.items():
        mounts = {
            name: one
            for name, service in SERVICES.items()
            for one in container(service, Image()).volumes
            if one[0] == volume
        }
        # These two make and change them.
        assert set(mounts) - {"keys", "tools"} == readers
        assert not any(writable for name, (_, _, writable) in mounts.items() if name in readers)
    assert SERVICES["tools"]["profiles"] == ["tools"]


def test_stack_when_read_then_the_database_is_reached_by_its_users_alone():
    on = {name for name, service in SERVICES.items() if "database" in service.get("networks", ())}
    assert STACK["networks"]["database"] == {"internal": True}
    assert on & {"ui", "grafana", "prometheus", "keys"} == set()
    assert SERVICES["postgres"]["networks"] == ["database"]
    assert "ports" not in SERVICES["postgres"]
    assert SERVICES["keys"]["network_mode"] == "none"


def test_stack_when_workers_are_scaled_then_nothing_of_them_is_there_once_only():
    for name in ("training-worker", "prediction-worker"):
        assert not {"ports", "container_name", "hostname"} & SERVICES[name].keys()


def test_document_when_it_names_services_targets_and_files_then_they_are_there():
    text = (ROOT / "docs" / "DEPLOYMENT.md").read_text(encoding="utf-8")
    blocks = "\n".join(re.findall(r"(?ms)^```console\n(.*?)^```", text)).replace("\\\n", " ")
    lines = [*blocks.splitlines(), *re.findall(r"`(docker compose [^`]+)`", text)]
    verbs = re.compile(r"docker compose .*?\b(?:run|logs|exec|rm)((?: --?\S+(?: pumpcast)?)*) (?P<service>[a-z-]+)")
    named = [found["service"] for line in lines if (found := verbs.search(line))]
    assert len(named) > 5
    assert set(named) <= set(SERVICES)
    scaled = re.findall(r"--scale ([a-z-]+)=", text)
    assert scaled
    assert set(scaled) <= set(SERVICES)
    built = re.findall(r"--target ([a-z-]+)", text)
    assert built
    assert set(built) <= set(TARGETS)
    lies = text.partition("## Where data lies")[2].partition("\n## ")[0]
    volumes = re.findall(r"(?m)^\| `([a-z-]+)`(?:, `([a-z-]+)`)? \|", lies)
    assert {name for pair in volumes for name in pair if name} <= set(STACK["volumes"])
    assert len(volumes) > 5
