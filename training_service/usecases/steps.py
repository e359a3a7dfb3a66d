"""The steps of a training: told with a share of the whole, and timed."""

import time
from collections.abc import Callable
from typing import Any

from training_service.usecases.task import Keyed, Step

Report = Callable[[Step | Keyed], None]

# Where each step starts, of 1; most of the time goes into what is repeated.
_STARTS = {
    "load": 0.02,
    "label": 0.1,
    "features": 0.12,
    "split": 0.15,
    "audit": 0.16,
    "tune": 0.2,
    "cross-validate": 0.2,
    "resample": 0.6,
    "fit": 0.62,
    "calibrate": 0.78,
    "evaluate": 0.8,
    "refit": 0.84,
    "card": 0.88,
    "write artifact": 0.94,
}
_REPEATED_END = 0.6


class Steps:
    """Tells each step as it begins."""

    def __init__(self, report: Report) -> None:
        self.seconds: dict[str, float] = {}
        """Time of each step, by name."""
        self._report = report
        self._progress = 0.0
        self._name = ""
        self._since = time.monotonic()

    def at(self, name: str, detail: str) -> None:
        """Begin a step."""
        self._clock(name)
        self._progress = max(self._progress, _STARTS[name])
        self._tell(detail)

    def fold(self, scores: dict[str, Any]) -> None:
        """Tell a fold of the cross-validation."""
        value = scores["test_average_precision"]
        said = "has no positive row" if value is None else f"average precision {value:.3f}"
        self._advance(scores["fold"] / scores["folds"])
        self._tell(f"fold {scores['fold']} of {scores['folds']}, {said}", fold=scores)

    def trial(self, trial: dict[str, Any], *, trials: int) -> None:
        """Tell a trial of the search."""
        value = trial["value"]
        said = trial["state"].lower() if value is None else f"{trial['state'].lower()}, average precision {value:.3f}"
        self._advance((trial["number"] + 1) / trials)
        self._tell(f"trial {trial['number'] + 1} of {trials} {said}", trial=trial)

    def end(self) -> dict[str, float]:
        """Give the seconds of all steps so far."""
        self._clock(self._name)
        return {name: round(seconds, 3) for name, seconds in self.seconds.items()}

    def _advance(self, share: float) -> None:
        start = _STARTS[self._name]
        self._progress = max(self._progress, start + (_REPEATED_END - start) * min(share, 1.0))

    def _clock(self, name: str) -> None:
        now = time.monotonic()
        if self._name:
            self.seconds[self._name] = self.seconds.get(self._name, 0.0) + now - self._since
        self._name, self._since = name, now

    def _tell(self, detail: str, *, fold: dict[str, Any] | None = None, trial: dict[str, Any] | None = None) -> None:
        message = f"{self._name}: {detail}"
        self._report(Step(progress=round(self._progress, 3), message=message, fold=fold, trial=trial))
