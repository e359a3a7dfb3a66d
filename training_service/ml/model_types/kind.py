"""What a kind of model is: its hyper-parameters with bounds, how it is made, and its way to ONNX."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.errors import Invalid

THREADS = 2  # the same on every machine: figures must not depend on the number of cores

Value = int | float | str | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Where a search looks for a hyper-parameter: between two numbers, or among values."""

    low: float | None = None
    high: float | None = None
    log: bool = False
    """Each order of magnitude is as likely as the next."""
    choices: tuple[Value, ...] = ()

    def holds(self, value: object) -> bool:
        """Tell whether a value lies in it."""
        if self.low is None or self.high is None:
            return value in self.choices
        return isinstance(value, int | float) and not isinstance(value, bool) and self.low <= value <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One hyper-parameter."""

    default: Value
    meaning: str
    whole: bool = False
    """Integers only."""
    low: float | None = None
    high: float | None = None
    above_low: bool = False
    """The lower bound itself is not allowed."""
    choices: tuple[str, ...] = ()
    optional: bool = False
    """null is allowed."""
    search: Range | None = None
    """Where a search looks when it is not told; None: it keeps the value asked for."""

    @property
    def allowed(self) -> str:
        """Say what is allowed, for people."""
        parts = [] if self.numbers is None else [self.numbers]
        if self.choices:
            parts.append("one of " + ", ".join(self.choices))
        if self.optional:
            parts.append("null")
        return " or ".join(parts)

    @property
    def numbers(self) -> str | None:
        """Say which numbers are allowed, for people; None when none are."""
        if self.low is None or self.high is None:
            return None
        start = f"above {self.low:g} and up to" if self.above_low else f"from {self.low:g} to"
        return f"{'an integer' if self.whole else 'a number'} {start} {self.high:g}"

    def accepts(self, value: object) -> bool:
        """Tell whether the value is allowed."""
        if value is None:
            return self.optional
        if isinstance(value, str):
            return value in self.choices
        return self.accepts_number(value)

    def accepts_number(self, value: object) -> bool:
        """Tell whether the value is an allowed number."""
        if isinstance(value, bool) or not isinstance(value, int | float) or self.low is None or self.high is None:
            return False
        if self.whole and not isinstance(value, int):
            return False
        return self.low < value <= self.high if self.above_low else self.low <= value <= self.high

    def exact(self, value: Any) -> Value:
        """Give an allowed value in the type that the estimator expects."""
        if isinstance(value, int | float):
            # scikit-learn takes the integer 1 as "one feature", where a share of 1 is meant.
            return int(value) if self.whole else float(value)
        return value if isinstance(value, str) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelType:
    """One kind of model."""

    name: str
    title: str
    description: str
    parameters: Mapping[str, Parameter]
    make: Callable[[Mapping[str, Value], int], Any]
    """Hyper-parameters and random_state → unfitted estimator with `fit` and `predict_proba`. Imports its library."""
    export: Callable[[Any, int], bytes]
    """Fitted estimator and number of features → ONNX: `features` float32[n, F] in, `score` float32[n, 1] out."""

    @property
    def defaults(self) -> dict[str, Value]:
        """Give the hyper-parameters that are used when none are asked for."""
        return {name: parameter.default for name, parameter in self.parameters.items()}

    @property
    def search_ranges(self) -> dict[str, Range]:
        """Give where a search looks when it is not told."""
        return {name: parameter.search for name, parameter in self.parameters.items() if parameter.search is not None}

    def parameter(self, name: str, *, pointer: str) -> Parameter:
        """Give the hyper-parameter of that name; an unknown one is an `Invalid` that names the near ones."""
        found = self.parameters.get(name)
        if found is not None:
            return found
        near = difflib.get_close_matches(name, self.parameters, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"it takes {', '.join(self.parameters)}"
        raise Invalid(
            f"{self.name} has no hyper-parameter {name[:100]!r}; {hint}", pointer=f"{pointer}/{_escape(name)}"
        )


def _escape(name: str) -> str:
    whole = name[:100].encode(errors="replace").decode()
    return whole.replace("~", "~0").replace("/", "~1")
