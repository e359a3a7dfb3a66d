"""Labels of rows: the true answers to the question a model is asked."""

from shared.labels.answer import label
from shared.labels.horizon import GRADUATED_PCT, NEVER
from shared.labels.reach import reach
from shared.labels.readings import Labels, Readings, Unresolved, nearest_threshold
from shared.labels.targets import Operator, RuleTarget, Target, TimeTarget

__all__ = [
    "GRADUATED_PCT",
    "NEVER",
    "Labels",
    "Operator",
    "Readings",
    "RuleTarget",
    "Target",
    "TimeTarget",
    "Unresolved",
    "label",
    "nearest_threshold",
    "reach",
]
