"""The process that does a job, forked from one that has its libraries: most of the time of a small job is imports.

`Command` stands in the place of `python -m training_service.child`. It starts this file as a program, which has a fork
made that does the job on its stdin, stdout and stderr; a killed program takes its fork with it, a fork that ends gives
the program its exit code. The server that forks ends with the test run.
"""

import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

CHILD = "training_service.child"
# Not onnxruntime nor what imports it: a thread of its own would be missing in every fork, as those of a fit would.
LOADED = (
    CHILD, "training_service.usecases.prepare", "adbc_driver_postgresql.dbapi", "pyarrow.compute", "sklearn.ensemble",
    "sklearn.isotonic", "xgboost", "onnxmltools", "skl2onnx", "imblearn.over_sampling", "optuna",
)  # fmt: skip
SERVE, STAND_IN = "serve", "stand in"


class Command:
    """A command whose server is started when it is needed first."""

    def __init__(self, folder: Path, module: str = CHILD, served_by: "Command | None" = None) -> None:
        self._path, self._module, self._served_by = folder / "socket", module, served_by
        self._server = None

    def of(self, module: str) -> "Command":
        """Give the command for another module with a `main`, from the same server."""
        return Command(self._path.parent, module, self)

    def __iter__(self) -> Iterator[str]:
        """Give the words of the command."""
        (self._served_by or self)._serve()
        return iter((sys.executable, "-S", "-E", __file__, STAND_IN, str(self._path), self._module))

    def _serve(self) -> None:
        import subprocess

        if self._server is not None:
            return
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self._path))
            listener.listen(100)
            number = listener.fileno()
            # The end of its stdin is the end of the test run, however that comes.
            self._server = subprocess.Popen(
                [sys.executable, "-m", "tests.support.warm_child", SERVE, str(number)],
                stdin=subprocess.PIPE, pass_fds=[number],
            )  # fmt: skip

    def end(self) -> None:
        """End the server."""
        if self._server is not None:
            self._server.communicate()


def stand_in(path: str, module: str) -> None:
    """Be the process that a worker started, as far as it can see."""
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(path)
        request = json.dumps([module, str(Path.cwd()), dict(os.environ)]).encode()
        socket.send_fds(line, [len(request).to_bytes(4, "big")], [0, 1, 2])
        line.sendall(request)
        os.close(0)
        os.close(1)
        told = line.recv(4)
    if not told:
        os._exit(1)
    code = int.from_bytes(told, "big", signed=True)
    if code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def serve(number: int) -> None:
    """Fork for everybody who asks, until stdin ends."""
    for name in LOADED:
        importlib.import_module(name)
    gc.freeze()
    with socket.socket(fileno=number) as listener:
        while True:
            ready, _, _ = select.select([0, listener], [], [])
            if 0 in ready:
                return
            line, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                break
            line.close()
            _bury()
    _watch_over_fork(line)


def _bury() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        pass


def _watch_over_fork(line: socket.socket) -> None:
    """Fork once more; of the two, one works, the other tells its end or brings it about."""
    size, streams, _, _ = socket.recv_fds(line, 4, 3)
    module, folder, environment = json.loads(line.recv(int.from_bytes(size, "big"), socket.MSG_WAITALL))
    alive, held = os.pipe()
    worker = os.fork()
    if worker == 0:
        os.close(alive)
        line.close()
        for wanted, stream in enumerate(streams):
            os.dup2(stream, wanted)
            os.close(stream)
        os.setsid()
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv[:] = [module]
        importlib.import_module(module).main()
        _leave()
    for stream in (0, held, *streams):
        os.close(stream)
    ready, _, _ = select.select([line, alive], [], [])
    if line in ready:
        os.kill(worker, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
    try:
        line.sendall(code.to_bytes(4, "big", signed=True))
    finally:
        os._exit(0)


def _leave() -> None:
    # Clearing up what was loaded takes as long as a small fit.
    sys.stdout.flush()
    if "coverage" in sys.modules and (measured := sys.modules["coverage"].Coverage.current()) is not None:
        measured.stop()
        measured.save()
    os._exit(0)


if __name__ == "__main__":
    if sys.argv[1] == SERVE:
        serve(int(sys.argv[2]))
    else:
        stand_in(*sys.argv[2:])
