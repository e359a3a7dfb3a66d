"""Labels of rows: the true answers to the question a model is asked."""

from shared.labels.answer import label
from shared.labels.readings import Labels, Readings, Unresolved, nearest_threshold
from shared.labels.targets import Operator, RuleTarget, Target, TimeTarget

__all__ = [
    "Labels",
    "Operator",
    "Readings",
    "RuleTarget",
    "Target",
    "TimeTarget",
    "Unresolved",
    "label",
    "nearest_threshold",
]
