"""What deploy/Dockerfile and docker-compose.yml say, read as an engine reads them."""

import json
import re
import shlex
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
COMPOSE = ROOT / "docker-compose.yml"
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+):-([^}]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One target of the Dockerfile with all that it has from those below it."""

    environment: dict[str, str] = field(default_factory=dict)
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    healthcheck: tuple[str, ...] = ()
    user: str = "0:0"
    folder: str = "/"
    copied: tuple[tuple[str, str], ...] = ()
    """Files of the project and where they go."""
    made: tuple[str, ...] = ()
    """Folders that belong to the user."""
    venv: str = ""
    """The stage that the environment comes from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """How compose starts an image."""

    image: Image
    environment: dict[str, str]
    command: tuple[str, ...]
    healthcheck: tuple[str, ...]
    volumes: tuple[tuple[str, str, bool], ...]
    """Volume or folder, where it lies, whether it may be written."""
    tmpfs: tuple[str, ...]
    user: str
    groups: tuple[str, ...]

    def given(self, **variables: str) -> "Container":
        """Give the same with further variables."""
        return replace(self, environment={**self.environment, **variables})


def images() -> dict[str, Image]:
    """Give every stage of the Dockerfile."""
    found: dict[str, Image] = {}
    name = ""
    for instruction, rest in _instructions():
        if instruction == "FROM":
            parent, _, name = rest.partition(" AS ")
            found[name] = found.get(parent, Image())
        elif name:
            found[name] = _with(found[name], instruction, rest)
    return found


def _instructions() -> list[tuple[str, str]]:
    kept = [line for line in DOCKERFILE.read_text(encoding="utf-8").splitlines() if not line.strip().startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(kept))
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def _with(image: Image, instruction: str, rest: str) -> Image:
    changes: dict[str, Any] = {}
    match instruction:
        case "ENV":
            given = dict(part.split("=", 1) for part in shlex.split(rest))
            changes = {"environment": {**image.environment, **given}}
        case "CMD":
            changes = {"command": tuple(json.loads(rest))}
        case "ENTRYPOINT":
            changes = {"entrypoint": tuple(json.loads(rest)), "command": ()}
        case "HEALTHCHECK":
            changes = {"healthcheck": tuple(json.loads(rest.partition(" CMD ")[2] or "[]"))}
        case "USER":
            changes = {"user": rest}
        case "WORKDIR":
            changes = {"folder": rest}
        case "RUN":
            # `install --directory --owner … --mode … FOLDER...`
            folders = re.findall(r"(?<=\s)/\S+", rest.partition("install --directory")[2])
            changes = {"made": (*image.made, *folders)}
        case "COPY":
            *options, source, target = rest.split()
            stages = [option.removeprefix("--from=") for option in options if option.startswith("--from=")]
            changes = {"venv": stages[0]} if stages else {"copied": (*image.copied, (source, target))}
    return replace(image, **changes)


def compose(**variables: str) -> dict[str, Any]:
    """Give the stack, with the variables of its environment put in."""
    text = _VARIABLE.sub(lambda found: variables.get(found[1], found[2]), COMPOSE.read_text(encoding="utf-8"))
    return yaml.safe_load(text)


def container(service: dict[str, Any], image: Image) -> Container:
    """Give what an engine makes of a service and the image that is built for it."""
    entrypoint = tuple(service.get("entrypoint", image.entrypoint))
    command = tuple(service.get("command", image.command))
    test = service.get("healthcheck", {}).get("test")
    given = {name: "" if value is None else str(value) for name, value in service.get("environment", {}).items()}
    return Container(
        image=image,
        environment={**image.environment, **given},
        command=(*entrypoint, *command),
        healthcheck=tuple(test[1:]) if test else image.healthcheck,
        volumes=tuple(_mount(one) for one in service.get("volumes", ())),
        tmpfs=tuple(one.partition(":")[0] for one in service.get("tmpfs", ())),
        user=service.get("user", image.user),
        groups=tuple(service.get("group_add", ())),
    )


def _mount(text: str) -> tuple[str, str, bool]:
    source, target, *options = text.split(":")
    return source, target, "ro" not in options
