"""pg_dump and pg_restore: of the embedded PostgreSQL, or of the machine where the server is newer."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from shared.cluster import program
from shared.errors import PumpcastError, Unavailable

PER_MAJOR: Final = 10_000
_SAID: Final = re.compile(r"\(PostgreSQL\) (\d+)")


class ToolFailed(PumpcastError):
    """A program of PostgreSQL that did not do its work."""

    code = "postgres_tool_failed"


def run_tool(name: str, dsn: str, arguments: Sequence[str], *, server_version: int) -> None:
    """Run a program on a database; `server_version` is server_version_num."""
    keywords = {key: value for key, value in conninfo_to_dict(dsn).items() if value is not None}
    # Arguments are seen by every user of the machine.
    password = keywords.pop("password", None)
    environment = {**os.environ, "LC_ALL": "C"} | ({} if password is None else {"PGPASSWORD": str(password)})
    address = make_conninfo("", **keywords)
    command = [str(_tool(name, server_version // PER_MAJOR)), "--dbname", address, "--no-password", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = [line for line in done.stderr.strip().splitlines() if "error" in line.lower()]
        raise ToolFailed(f"{name} failed: {(lines or done.stderr.strip().splitlines() or ['without a word'])[0]}")


def _tool(name: str, server: int) -> Path:
    found = []
    for path in _candidates(name):
        said = subprocess.run([str(path), "--version"], capture_output=True, text=True, check=False)
        match = _SAID.search(said.stdout)
        if match and int(match[1]) >= server:
            return path
        found.append(f"{path} is of version {match[1] if match else 'unknown'}")
    known = "; ".join(found) or "none is installed"
    raise Unavailable(f"The server is PostgreSQL {server} and needs a {name} of version {server} or newer: {known}")


def _candidates(name: str) -> list[Path]:
    paths = []
    with suppress(Unavailable):
        paths.append(program(name))
    on_path = shutil.which(name)
    return [path for path in [*paths, *([Path(on_path)] if on_path else [])] if path.exists()]
