"""The process that fits one model: reads its task on stdin, tells steps and result on stdout, ends when stdin does."""

import faulthandler
import os
import sys
import threading
import warnings

import structlog

from shared.errors import JobFailed
from shared.logging import set_up_logging
from shared.settings import read_settings_or_exit
from training_service.settings import TrainingSettings
from training_service.usecases.task import Crashed, Failed, Message, Step, TrainTask

log = structlog.get_logger(__name__)

ORPHANED = 3
STDIN = 0


def main() -> None:
    """Do one task."""
    faulthandler.enable()
    # Whatever a library prints goes to the log; stdout carries messages only.
    answers = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    # Live predictions come first on a machine that does both.
    os.nice(10)
    set_up_logging(read_settings_or_exit(TrainingSettings), service="training-fitting")
    task = TrainTask.model_validate_json(_read_line())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    warnings.filterwarnings("ignore", module="sklearn|skl2onnx|onnxmltools|xgboost")

    from training_service.usecases.train import train

    try:
        trained = train(task, lambda progress, message: _send(answers, Step(progress=progress, message=message)))
    except JobFailed as error:
        _send(answers, Failed(error=error.message))
    except Exception as error:
        log.exception("fitting crashed", job_id=task.job_id)
        _send(answers, Crashed(error=f"the fitting failed unexpectedly ({type(error).__name__}); the log says more"))
    else:
        _send(answers, trained)


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


def _end_with_parent() -> None:
    while os.read(STDIN, 1 << 10):
        pass
    os._exit(ORPHANED)


if __name__ == "__main__":
    main()
