"""Containers without an engine: a root of its own that is read-only, a network of their own, no rights.

What an engine does beside that, building images above all, is not done: programs come from the environment that the
tests run in, or, in PUMPCAST_TEST_IMAGES, from a folder with an environment for each target.
"""

import ctypes
import http.client
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.support.images import ROOT, Container

NETWORK = 0x40000000
"""CLONE_NEWNET"""
SYSTEM = ("bin", "sbin", "lib", "lib32", "lib64", "usr")
OF_ETC = ("passwd", "group", "nsswitch.conf", "localtime", "ld.so.cache", "ssl", "mime.types")
PATIENCE = 180
LOOK_SECONDS = 1.0


def possible() -> bool:
    """Tell whether this machine lets us make namespaces."""
    tools = all(shutil.which(tool) for tool in ("unshare", "nsenter", "setpriv", "ip"))
    return tools and os.geteuid() == 0 and _succeeds("unshare", "--mount", "--net", "true")


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A container that was started."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    container: Container
    host: "Host"

    def said(self) -> str:
        """Give what it wrote so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def inside(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it."""
        pid = str(self.process.pid)
        line = ["nsenter", "--target", pid, "--mount", "--net", f"--root=/proc/{pid}/root", f"--wd=/proc/{pid}/cwd"]
        return subprocess.run(
            [*line, *_as_user(self.container), *command], env=self.container.environment,
            capture_output=True, text=True, check=False, timeout=PATIENCE,
        )  # fmt: skip

    def until_healthy(self) -> None:
        """Wait until its own health check is content."""
        deadline = time.monotonic() + PATIENCE
        while (found := self.inside(*self.container.healthcheck)).returncode != 0:
            assert self.process.poll() is None, f"{self.name} ended with {self.process.returncode}: {self.said()}"
            assert time.monotonic() < deadline, f"{self.name}: {found.stdout}{found.stderr}\n{self.said()}"
            time.sleep(LOOK_SECONDS)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop it as an engine does; give the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@dataclass(slots=True, kw_only=True)
class Host:
    """The machine of the containers: volumes, names, and a way into their network."""

    folder: Path
    holder: subprocess.Popen[bytes]
    addresses: dict[str, str]
    thread: ThreadPoolExecutor
    started: list[Running] = field(default_factory=list)
    volumes: dict[str, Path] = field(default_factory=dict)

    def start(self, name: str, container: Container, *, blocked: Path | None = None) -> Running:
        """Start a container; `blocked` is a folder that its Python looks into first."""
        script = self._script(container, blocked)
        environment = container.environment | ({"PYTHONPATH": "/blocked"} if blocked else {})
        number = len(self.started)
        log = self.folder / f"{number}-{name}.log"
        line = ["nsenter", "--target", str(self.holder.pid), "--net", "unshare", "--mount", "--propagation=private"]
        with log.open("ab") as output:
            # A container may open its own output again, so it must belong to its user.
            os.fchown(output.fileno(), *_ids(container))
            process = subprocess.Popen(
                [*line, "bash", "-ec", script, name, *container.command],
                env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        running = Running(name=name, process=process, log=log, container=container, host=self)
        self.started.append(running)
        return running

    def run(self, name: str, container: Container) -> str:
        """Run a container that has to end well; give what it said."""
        running = self.start(name, container)
        code = running.process.wait(PATIENCE)
        assert code == 0, running.said()
        return running.said()

    def do(self, work: Callable[[], Any]) -> Any:
        """Do something in the network of the containers."""
        return self.thread.submit(work).result(PATIENCE)

    def ask(self, method: str, url: str, *, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        """Send a request; give status and answer."""
        parts = urlsplit(url)
        # The names are those of the containers: nobody else resolves them.
        where = parts.netloc.replace(str(parts.hostname), self.addresses[str(parts.hostname)])
        given = {"Host": parts.netloc} | {name.replace("_", "-"): value for name, value in headers.items()}
        return self.do(lambda: _ask(method, where, f"{parts.path}?{parts.query}", body, given))

    def volume(self, name: str, ids: tuple[int, int]) -> Path:
        """Give the folder of a volume, which is new or as it was."""
        if name not in self.volumes:
            path = self.folder / "volumes" / name
            path.mkdir(parents=True, mode=0o750)
            os.chown(path, *ids)
            self.volumes[name] = path
        return self.volumes[name]

    def _script(self, container: Container, blocked: Path | None) -> str:
        """Give what makes the root of a container and becomes its program, as a script of bash."""
        root = self.folder / "root"
        root.mkdir(exist_ok=True)
        venv = _venv(container)
        lines = [f"root={shlex.quote(str(root))}", "mount -t tmpfs -o mode=755 tmpfs $root", "cd $root"]

        def bind(source: Path | str, target: str, *, writable: bool = False) -> None:
            kind = "mkdir -p" if Path(source).is_dir() else "touch"
            spot = shlex.quote(target.lstrip("/"))
            lines.append(f"[ -e {spot} ] || {kind} {spot}; mount --rbind {shlex.quote(str(source))} {spot}")
            if not writable:
                lines.append(f"mount -o remount,ro,bind {spot} 2>/dev/null || true")

        # Before the project and its environment, which may lie below one of them.
        lines += [f"mkdir -p .{name}; mount -t tmpfs -o mode=1777 tmpfs .{name}" for name in container.tmpfs]
        links = [Path("/", name) for name in SYSTEM if Path("/", name).is_symlink()]
        lines += [f"ln -s {shlex.quote(str(link.readlink()))} {link.name}" for link in links]
        for path in (Path("/", name) for name in SYSTEM if Path("/", name).is_dir()):
            if path not in links:
                bind(path, path.name)
        for path in dict.fromkeys((Path(sys.base_prefix), ROOT, venv)):
            bind(path, str(path))
        bind("/dev", "dev", writable=True)
        bind("/proc", "proc", writable=True)
        bind(venv, "opt/venv")
        lines += [
            f"mkdir etc; cp -r {' '.join(f'/etc/{name}' for name in OF_ETC if Path('/etc', name).exists())} etc",
            f"cp {shlex.quote(str(self.folder / 'hosts'))} etc/hosts",
            # Both images know their user.
            "echo 'postgres:x:999:999::/var/lib/postgresql:/bin/sh' >> etc/passwd",
            "echo 'pumpcast:x:10001:10001::/tmp:/usr/sbin/nologin' >> etc/passwd",
            "mount -t tmpfs -o mode=755 tmpfs usr/local/bin",
            f"ln -s {shlex.quote(sys.base_prefix)}/bin/python3 usr/local/bin/python3",
            *(f"cp -r {shlex.quote(str(ROOT / source))} .{target}" for source, target in container.image.copied),
        ]
        if blocked:
            bind(blocked, "blocked")
        for folder in container.image.made:
            lines.append(f"install -d -o 10001 -g 10001 -m 0750 .{folder}")
        lines.append("mount -t tmpfs -o mode=1777 tmpfs dev/shm")
        for name, target, writable in container.volumes:
            source = ROOT / name if name.startswith("./") else self.volume(name, _ids(container))
            bind(source, target, writable=writable)
        become = f"{shutil.which('chroot')} $root {shlex.join(_as_user(container))} env -C {container.image.folder}"
        lines += ["mount -o remount,ro $root; mount -o remount,ro usr/local/bin", f'exec {become} "$@"']
        return "\n".join(lines)


@contextmanager
def host(folder: Path, names: tuple[str, ...]) -> Iterator[Host]:
    """Give a machine whose containers find each other by these names; all of them are gone afterwards."""
    addresses = {name: f"10.77.0.{number}" for number, name in enumerate(names, 2)}
    folder.joinpath("hosts").write_text(
        "127.0.0.1 localhost\n" + "".join(f"{address} {name}\n" for name, address in addresses.items())
    )
    holder = subprocess.Popen(["unshare", "--net", "sleep", "600"])
    while Path(f"/proc/{holder.pid}/comm").read_text().strip() != "sleep":
        time.sleep(0.01)
    enter = ["nsenter", "--target", str(holder.pid), "--net"]
    for line in (["link", "set", "lo", "up"], *(["address", "add", it, "dev", "lo"] for it in addresses.values())):
        subprocess.run([*enter, "ip", *line], check=True)
    thread = ThreadPoolExecutor(1, initializer=_enter_network, initargs=(holder.pid,))
    made = Host(folder=folder, holder=holder, addresses=addresses, thread=thread)
    try:
        yield made
    finally:
        for running in reversed(made.started):
            with suppress(subprocess.TimeoutExpired):
                running.process.terminate()
                running.process.wait(10)
            running.process.kill()
            running.process.wait()
        thread.shutdown()
        holder.kill()
        holder.wait()


def _venv(container: Container) -> Path:
    given = os.environ.get("PUMPCAST_TEST_IMAGES")
    return Path(given) / container.image.venv.removesuffix("-environment") if given else Path(sys.prefix)


def _ids(container: Container) -> tuple[int, int]:
    user, _, group = container.user.partition(":")
    return int(user), int(group)


def _as_user(container: Container) -> list[str]:
    user, group = _ids(container)
    groups = ",".join(container.groups) if container.groups else ""
    return [
        "setpriv", f"--reuid={user}", f"--regid={group}", f"--groups={groups}" if groups else "--clear-groups",
        "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "--",
    ]  # fmt: skip


def _enter_network(pid: int) -> None:
    # A namespace of a network is one of a thread.
    with Path(f"/proc/{pid}/ns/net").open() as namespace:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(namespace.fileno(), NETWORK) != 0:
            raise OSError(ctypes.get_errno(), "setns")


def _ask(method: str, where: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(where, timeout=PATIENCE)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
