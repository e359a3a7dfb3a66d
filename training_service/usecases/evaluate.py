"""Measure models on rows they were not made of, with their files, as they are served."""

from training_service.usecases.task import Compared, CompareTask, Tested, TestTask
from training_service.usecases.train import Report


def test(task: TestTask, report: Report) -> Tested:
    """Measure one model on a window."""
    raise NotImplementedError


def compare(task: CompareTask, report: Report) -> Compared:
    """Measure several models on the same rows."""
    raise NotImplementedError
