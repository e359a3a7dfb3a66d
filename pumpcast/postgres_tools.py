"""pg_dump, pg_restore and psql: of the embedded PostgreSQL, or of the machine where the server is newer."""

import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from shared.cluster import program
from shared.errors import PumpcastError, Unavailable

PER_MAJOR: Final = 10_000
_SAID: Final = re.compile(r"\(PostgreSQL\) (\d+)")
_LIMITED: Final = 17
"""The first version that knows transaction_timeout."""
_UNLIMITED: Final = b"SET transaction_timeout = 0;\n"
_FIRST_ROWS: Final = b"COPY "
_TO_THE_FIRST_ERROR: Final = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file=-")


class ToolFailed(PumpcastError):
    """A program of PostgreSQL that did not do its work."""

    code = "postgres_tool_failed"


def dump(dsn: str, arguments: Sequence[str], *, server_version: int) -> None:
    """Run pg_dump on a database; `server_version` is server_version_num."""
    environment, address = _reached(dsn)
    command = [str(_tool("pg_dump", server_version // PER_MAJOR)), *address, *arguments]
    with tempfile.TemporaryFile() as said:
        code = subprocess.run(command, env=environment, stderr=said, check=False).returncode
        _check("pg_dump", code, said)


def load(source: IO[bytes], dsn: str, arguments: Sequence[str], *, server_version: int) -> None:
    """Load what pg_dump wrote, all of it or nothing; `server_version` is server_version_num."""
    major = server_version // PER_MAJOR
    environment, address = _reached(dsn)
    # Its COMMIT is the last line: what breaks off before leaves nothing.
    read = [str(_tool("pg_restore", major)), "--file=-", "--single-transaction", *arguments]
    write = [str(_tool("psql", major)), *address, *_TO_THE_FIRST_ERROR]
    with tempfile.TemporaryFile() as read_said, tempfile.TemporaryFile() as write_said:
        reader = subprocess.Popen(read, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=read_said)
        writer = subprocess.Popen(
            write, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=write_said
        )
        with _ended(reader, writer), _fed(source, reader):
            if not _passed_on(reader, writer, major):
                _check("psql", writer.wait() or 1, write_said)
            _check("pg_restore", reader.wait(), read_said)
            writer.communicate()
            _check("psql", writer.returncode, write_said)


@contextmanager
def _ended(*processes: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with suppress(BrokenPipeError):
                    if pipe is not None:
                        pipe.close()


@contextmanager
def _fed(source: IO[bytes], process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Let a process hear all of a file while others listen to what it says."""
    target = process.stdin
    assert target is not None

    def feed() -> None:
        # It may end before, and says itself why.
        with suppress(BrokenPipeError), target:
            shutil.copyfileobj(source, target)

    thread = threading.Thread(target=feed)
    thread.start()
    try:
        yield
    finally:
        process.kill()
        thread.join()


def _passed_on(reader: subprocess.Popen[bytes], writer: subprocess.Popen[bytes], major: int) -> bool:
    """Pass on what one says to the other; False when that ended before it had heard all."""
    assert reader.stdout is not None
    assert writer.stdin is not None
    try:
        # pg_restore says it to every server, and one that does not know the setting refuses it.
        for line in reader.stdout if major < _LIMITED else ():
            if line == _UNLIMITED:
                break
            writer.stdin.write(line)
            if line.startswith(_FIRST_ROWS):
                break
        shutil.copyfileobj(reader.stdout, writer.stdin)
        writer.stdin.flush()
    except BrokenPipeError:
        return False
    return True


def _reached(dsn: str) -> tuple[dict[str, str], list[str]]:
    keywords = {key: value for key, value in conninfo_to_dict(dsn).items() if value is not None}
    # Arguments are seen by every user of the machine.
    password = keywords.pop("password", None)
    environment = {**os.environ, "LC_ALL": "C"} | ({} if password is None else {"PGPASSWORD": str(password)})
    return environment, ["--dbname", make_conninfo("", **keywords), "--no-password"]


def _check(name: str, code: int, said: IO[bytes]) -> None:
    if code == 0:
        return
    said.seek(0)
    lines = said.read().decode(errors="replace").strip().splitlines()
    errors = [line for line in lines if "error" in line.lower()]
    raise ToolFailed(f"{name} failed: {(errors or lines or ['without a word'])[0]}")


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
