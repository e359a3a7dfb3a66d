"""The process that does a job, held for ever where the model's name says: after a step, or while it writes."""

import os
import threading
from collections.abc import Callable

from training_service import child
from training_service.usecases.task import CompareTask, Keyed, Result, Step, TestTask, TrainTask

WRITING = "half written"


def main() -> None:
    """Do a task as far as it is wanted."""
    do, sync = child._do, os.fsync

    def do_some(task: TrainTask | TestTask | CompareTask, report: Callable[[Step | Keyed], None]) -> Result:
        assert isinstance(task, TrainTask)
        place = task.name

        def report_and_hold(message: Step | Keyed) -> None:
            report(message)
            if isinstance(message, Step) and message.message.startswith(place):
                threading.Event().wait()

        def sync_and_hold(handle: int) -> None:
            sync(handle)
            if place == WRITING:
                threading.Event().wait()

        os.fsync = sync_and_hold
        return do(task, report_and_hold)

    child._do = do_some
    child.main()


if __name__ == "__main__":
    main()
