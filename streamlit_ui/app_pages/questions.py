"""What a model answers, in words: "price_close +30 % in 10 min"."""

from typing import Protocol

from streamlit_ui.formats import number, percent
from streamlit_ui.session import t

_OPERATORS = {">=": "≥", "<=": "≤"}
_DIGITS = 4
_WORDS = {"at_horizon": "questions.after", "within_horizon": "questions.within"}


class Asking(Protocol):
    """Whatever says what it was trained for: a model of either service, a request, a card."""

    @property
    def target_variable(self) -> str: ...  # noqa: D102
    @property
    def target_operator(self) -> str | None: ...  # noqa: D102
    @property
    def target_value(self) -> float | None: ...  # noqa: D102
    @property
    def future_minutes(self) -> int | None: ...  # noqa: D102
    @property
    def price_change_percent(self) -> float | None: ...  # noqa: D102
    @property
    def target_direction(self) -> str | None: ...  # noqa: D102


def question(model: Asking) -> str:
    """Say what a model predicts: a change within a time, or a value that is passed."""
    if model.target_operator is not None and model.target_value is not None:
        sign = _OPERATORS.get(model.target_operator, model.target_operator)
        return f"{model.target_variable} {sign} {_plain(model.target_value)}"
    change = model.price_change_percent
    if change is not None and model.target_direction == "down":
        change = -abs(change)
    # The prediction service does not say whether it is at the end of the horizon or at any moment within it.
    words = _WORDS.get(getattr(model, "label_mode", None) or "", "questions.open")
    return t(
        words, variable=model.target_variable, change=percent(change, _digits(change)),
        minutes=number(model.future_minutes),
    )  # fmt: skip


def _plain(value: float) -> str:
    return number(value, _digits(value))


def _digits(value: float | None) -> int:
    if value is None:
        return 0
    text = f"{value:.{_DIGITS}f}".rstrip("0")
    return len(text.partition(".")[2])
