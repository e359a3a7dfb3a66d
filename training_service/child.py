"""The process that does one job: reads its task on stdin, tells steps and result on stdout, ends when stdin does."""

import errno
import faulthandler
import os
import sys
import threading
import warnings
from collections.abc import Callable
from typing import assert_never

import structlog
from pydantic import TypeAdapter

from shared.errors import JobFailed, Unavailable
from shared.logging import set_up_logging
from shared.settings import read_settings_or_exit
from training_service.settings import TrainingSettings
from training_service.usecases.task import (
    CompareTask,
    Crashed,
    Failed,
    Keyed,
    Message,
    Result,
    Step,
    Task,
    TestTask,
    TrainTask,
)

log = structlog.get_logger(__name__)

ORPHANED = 3
# What a disk says that is full, read only or gone; trying at once again would fit for nothing.
_NO_ROOM = {
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR,
    errno.EEXIST,
    errno.EIO,
}  # fmt: skip
STDIN = 0
_TASK: TypeAdapter[TrainTask | TestTask | CompareTask] = TypeAdapter(Task)


def main() -> None:
    """Do one task."""
    faulthandler.enable()
    # Whatever a library prints goes to the log; stdout carries messages only.
    answers = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    # Live predictions come first on a machine that does both.
    os.nice(10)
    set_up_logging(read_settings_or_exit(TrainingSettings), service="training-fitting")
    task = _TASK.validate_json(_read_line())
    structlog.contextvars.bind_contextvars(job_id=task.job_id, **task.log_fields)
    log.info("work begins", kind=task.kind)
    told_to_go_on = threading.Event()
    threading.Thread(target=_follow_parent, args=(told_to_go_on,), daemon=True).start()
    warnings.filterwarnings("ignore", module="sklearn|skl2onnx|onnxmltools|xgboost|imblearn|optuna")

    def report(message: Step | Keyed) -> None:
        _send(answers, message)
        if isinstance(message, Keyed):
            told_to_go_on.wait()

    try:
        result = _do(task, report)
    except JobFailed as error:
        _send(answers, Failed(error=error.message))
    except Unavailable as error:
        _send(answers, Crashed(error=error.message))
    except MemoryError:
        _send(answers, Crashed(error="the memory does not suffice: take fewer rows or features, then retry the job"))
    except Exception as error:
        log.exception("job crashed")
        if isinstance(task, TrainTask) and isinstance(error, OSError) and error.errno in _NO_ROOM:
            _send(answers, Failed(error=_cannot_write(error)))
        else:
            _send(answers, Crashed(error=f"the work failed unexpectedly ({type(error).__name__}); the log says more"))
    else:
        log.info("work done")
        _send(answers, result)


def _cannot_write(error: OSError) -> str:
    return (
        f"the model file cannot be written ({error.strerror}): check room and rights where MODEL_STORAGE_PATH points, "
        "then retry the job"
    )


def _do(task: TrainTask | TestTask | CompareTask, report: Callable[[Step | Keyed], None]) -> Result:
    # Each kind of work loads the libraries it needs.
    match task:
        case TrainTask():
            from training_service.usecases.train import train

            return train(task, report)
        case TestTask():
            from training_service.usecases.evaluate import measure_model

            return measure_model(task, report)
        case CompareTask():
            from training_service.usecases.evaluate import compare_models

            return compare_models(task, report)
        case _:
            assert_never(task)


def _send(answers: int, message: Message) -> None:
    left = message.model_dump_json().encode() + b"\n"
    while left:
        left = left[os.write(answers, left) :]


def _read_line() -> bytes:
    # Not through sys.stdin: its lock, held by the waiting thread, would break the end of the interpreter.
    line = b""
    while not line.endswith(b"\n"):
        part = os.read(STDIN, 1 << 20)
        if not part:
            os._exit(ORPHANED)
        line += part
    return line


def _follow_parent(told_to_go_on: threading.Event) -> None:
    # Anything the parent says means go on; its silence for ever means that it is gone.
    while os.read(STDIN, 1 << 10):
        told_to_go_on.set()
    os._exit(ORPHANED)


if __name__ == "__main__":
    main()
