"""The process that fits one model: reads its task on stdin, tells steps and result on stdout, ends when stdin does."""

import faulthandler
import os
import sys
import threading
import traceback
import warnings
from typing import BinaryIO

from shared.errors import JobFailed
from training_service.usecases.task import Failed, Step, Trained, TrainTask

ORPHANED = 3
CRASHED = 1


def main() -> None:
    """Do one task."""
    faulthandler.enable()
    # Whatever a library prints goes to the log; stdout carries messages only.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    # Live predictions come first on a machine that does both.
    os.nice(10)
    task = TrainTask.model_validate_json(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_parent, args=(sys.stdin.buffer,), daemon=True).start()
    warnings.filterwarnings("ignore", module="sklearn|skl2onnx|onnxmltools|xgboost")
    try:
        from training_service.usecases.train import train

        trained = train(task, lambda progress, message: _send(answers, Step(progress=progress, message=message)))
        _send(answers, trained)
    except JobFailed as error:
        _send(answers, Failed(error=error.message))
    except BaseException:  # noqa: BLE001 - the top of a process: said once, and the exit code tells the worker
        traceback.print_exc()
        os._exit(CRASHED)
    # The libraries' threads need no ceremony, and some of them hang in it.
    sys.stderr.flush()
    os._exit(0)


def _send(answers: BinaryIO, message: Step | Failed | Trained) -> None:
    answers.write(message.model_dump_json().encode() + b"\n")


def _end_with_parent(stdin: BinaryIO) -> None:
    stdin.read()
    os._exit(ORPHANED)


if __name__ == "__main__":
    main()
