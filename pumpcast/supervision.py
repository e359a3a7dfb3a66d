"""Programs under supervisord: a generated configuration, a child that runs it, and what it says about them."""

import fcntl
import os
import re
import shlex
import subprocess
import sys
import tempfile
import threading
import time
import xmlrpc.client  # nosec B411 # only answers of our own supervisord, through a socket that is ours alone
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import psutil
from supervisor.xmlrpc import SupervisorTransport

from shared.errors import Conflict, Unavailable

# A training worker may finish what it does: supervisord waits so long before it kills.
STOP_SECONDS: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A console script that is kept running."""

    name: str
    group: str
    """Groups start in the order in which they first appear and stop in the reverse, one after the other."""
    entry: str
    """module:function of the console script."""
    arguments: tuple[str, ...] = ()

    @property
    def command(self) -> list[str]:
        """Give the command line; -P keeps the folder one happens to stand in out of the imports."""
        module, _, function = self.entry.partition(":")
        code = f"from {module} import {function}; {function}()"
        return [sys.executable, "-P", "-c", code, *self.arguments]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How one program is doing."""

    name: str
    running: bool
    pid: int
    ended_at: int
    """When it last ended, in seconds since 1970; 0 while it never has."""
    exit_code: int


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Be the only supervisor of a home; another one is a `Conflict`. What a killed one left behind is stopped."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise Conflict(
                f"pumpcast is already up in {home} (process {lock.read().strip() or 'unknown'}): "
                "stop it, or give PUMPCAST_HOME another folder"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        _stop_leftover(home)
        yield


class Supervision:
    """A running supervisord; leaving it stops every program, group after group."""

    def __init__(self, home: Path, programs: Sequence[Program], *, hurry: threading.Event) -> None:
        self._home = home
        self._hurry = hurry
        self._programs = programs
        # The path of a socket may have a hundred bytes only: a home may be longer.
        self._folder = tempfile.TemporaryDirectory(prefix="pumpcast-")
        self._socket = Path(self._folder.name) / "control"
        self._family: dict[int, psutil.Process] = {}

    def __enter__(self) -> Self:
        path = configuration_path(self._home)
        path.write_text(_configuration(self._programs, self._home, self._socket), encoding="utf-8")
        (self._home / "log").mkdir(exist_ok=True)
        # A session of its own: Ctrl-C reaches us alone, and we stop the programs in order.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "supervisor.supervisord", "-c", str(path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        self._server: Any = xmlrpc.client.ServerProxy("http://localhost", transport=transport)
        return self

    def __exit__(self, *_exception: object) -> None:
        self._server("close")()
        with suppress(psutil.Error):
            self._remember()
        if self._process.poll() is None:
            self._process.terminate()
        deadline = time.monotonic() + len({program.group for program in self._programs}) * (STOP_SECONDS + 5)
        while self._process.poll() is None and time.monotonic() < deadline and not self._hurry.is_set():
            time.sleep(0.05)
        self._process.kill()
        self._process.wait()
        # A supervisord that was killed leaves its programs running.
        _end(list(self._family.values()), seconds=0 if self._hurry.is_set() else STOP_SECONDS)
        self._folder.cleanup()

    @property
    def alive(self) -> bool:
        """Tell whether supervisord runs."""
        return self._process.poll() is None

    def states(self) -> list[State]:
        """Give how every program is doing; none while supervisord does not answer."""
        try:
            found = self._server.supervisor.getAllProcessInfo()
        except (OSError, xmlrpc.client.Error):
            self._server("close")()
            return []
        with suppress(psutil.Error):
            self._remember()
        return [
            State(
                name=info["name"], running=info["statename"] == "RUNNING", pid=info["pid"], ended_at=info["stop"],
                exit_code=info["exitstatus"],
            )
            for info in found
        ]  # fmt: skip

    def log(self, name: str) -> Path:
        """Give the file that a program's output goes to."""
        return self._home / "log" / f"{name}.log"

    def last_words(self, name: str) -> str:
        """Give the last line of a program's log."""
        try:
            lines = self.log(name).read_text(encoding="utf-8", errors="replace").strip().splitlines()
        except OSError:
            lines = []
        return lines[-1] if lines else "it said nothing"

    def _remember(self) -> None:
        family = psutil.Process(self._process.pid).children(recursive=True)
        gone = [pid for pid, process in self._family.items() if not process.is_running()]
        for pid in gone:
            del self._family[pid]
        self._family |= {process.pid: process for process in family if process.pid not in self._family}


def configuration_path(home: Path) -> Path:
    """Give where the generated configuration lies."""
    return home / "supervisord.conf"


def _configuration(programs: Sequence[Program], home: Path, socket: Path) -> str:
    sections: dict[str, dict[str, object]] = {
        "supervisord": {
            "nodaemon": "true", "silent": "true", "logfile": home / "log" / "supervisord.log",
            "logfile_maxbytes": "5MB", "logfile_backups": "2", "pidfile": home / "supervisord.pid",
            "childlogdir": home / "log",
        },
        "unix_http_server": {"file": socket, "chmod": "0700"},
        "rpcinterface:supervisor": {
            "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
        },
    }  # fmt: skip
    if os.geteuid() == 0:
        # Said out loud, or supervisord complains that nobody chose a user.
        sections["supervisord"]["user"] = "root"
    groups = list(dict.fromkeys(program.group for program in programs))
    for place, group in enumerate(groups, 1):
        names = ",".join(program.name for program in programs if program.group == group)
        sections[f"group:{group}"] = {"programs": names, "priority": str(place)}
    for program in programs:
        sections[f"program:{program.name}"] = {
            # A program that cannot work yet, without its database for example, is tried again for ever.
            "command": shlex.join(program.command), "autorestart": "true", "startretries": "1000000",
            "startsecs": "3", "stopwaitsecs": str(STOP_SECONDS), "killasgroup": "true", "redirect_stderr": "true",
            "stdout_logfile": home / "log" / f"{program.name}.log", "stdout_logfile_maxbytes": "20MB",
            "stdout_logfile_backups": "3",
        }  # fmt: skip
    lines = []
    for section, values in sections.items():
        lines += [f"[{section}]", *(f"{name} = {_quoted(str(value))}" for name, value in values.items()), ""]
    return "\n".join(lines)


def _quoted(value: str) -> str:
    if "\n" in value or " ;" in value:
        raise Unavailable(f"supervisord cannot work with the path {value!r}: give PUMPCAST_HOME another folder")
    return value.replace("%", "%%")


def _stop_leftover(home: Path) -> None:
    """Stop the supervisord of a `pumpcast up` that was killed: it and its programs go on without it."""
    with suppress(OSError, ValueError, psutil.Error):
        process = psutil.Process(int((home / "supervisord.pid").read_text(encoding="ascii")))
        if str(configuration_path(home)) in process.cmdline():
            family = [process, *process.children(recursive=True)]
            process.terminate()
            psutil.wait_procs(family, timeout=2 * STOP_SECONDS)
            _end(family, seconds=0)
    with suppress(OSError):
        found = re.search(r"(?m)^file = (.+)$", configuration_path(home).read_text(encoding="utf-8"))
        if found is not None:
            socket = Path(found[1].replace("%%", "%"))
            socket.unlink(missing_ok=True)
            socket.parent.rmdir()


def _end(processes: list[psutil.Process], *, seconds: float) -> None:
    for process in processes:
        with suppress(psutil.Error):
            process.terminate()
    _, left = psutil.wait_procs(processes, timeout=seconds)
    for process in left:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(left, timeout=5)
