"""The questions a model can answer about a row of a coin."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from shared.coin_metrics.columns import BASE_FEATURES
from shared.coin_metrics.rows import Bools, Floats
from shared.errors import Invalid

MICROSECONDS_PER_MINUTE = 60_000_000
# A year: longer than any coin is followed, and far from where microseconds in 64 bits end.
LONGEST_MINUTES = 525_600

Operator = Literal[">", "<", ">=", "<=", "="]
COMPARE: Mapping[str, Callable[[Floats, float], Bools]] = {
    ">": np.greater,
    "<": np.less,
    ">=": np.greater_equal,
    "<=": np.less_equal,
    "=": np.equal,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeTarget:
    """Does `target_var` rise or fall by at least `min_percent_change` % in `future_minutes`?"""

    target_var: str
    future_minutes: int
    min_percent_change: float
    direction: Literal["up", "down"] = "up"
    label_mode: Literal["at_horizon", "within_horizon"] = "at_horizon"
    """At the horizon: the last value at or before it. Within: any value after t up to it."""
    label_resolution: Literal["recording", "observed"] = "recording"
    """Observed also needs a row of the coin itself at or after the horizon."""

    def __post_init__(self) -> None:
        _check_target_var(self.target_var)
        if not 1 <= self.future_minutes <= LONGEST_MINUTES:
            raise Invalid(f"future_minutes must be from 1 to {LONGEST_MINUTES}", pointer="/future_minutes")
        if not 0 < self.min_percent_change < np.inf:
            raise Invalid("min_percent_change must be above 0", pointer="/min_percent_change")

    @property
    def horizon(self) -> int:
        """Give the horizon in microseconds."""
        return self.future_minutes * MICROSECONDS_PER_MINUTE


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTarget:
    """Is `target_var operator target_value` true on the row itself?"""

    target_var: str
    operator: Operator
    target_value: float
    """In the raw unit of the column."""

    def __post_init__(self) -> None:
        _check_target_var(self.target_var)
        if self.operator not in COMPARE:
            raise Invalid(f"operator must be one of {' '.join(COMPARE)}", pointer="/operator")
        if not np.isfinite(self.target_value):
            raise Invalid("target_value must be a finite number", pointer="/target_value")


Target = TimeTarget | RuleTarget


def _check_target_var(name: str) -> None:
    if name not in BASE_FEATURES:
        raise Invalid(f"target_var {name[:80]!r} is no column a question can be about", pointer="/target_var")
