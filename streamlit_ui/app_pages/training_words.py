"""The question of a request as a sentence."""

from shared.contracts.model_request import CreateModel
from streamlit_ui.formats import code, number
from streamlit_ui.session import t

_SIGNS = {">=": "≥", "<=": "≤", ">": "\\>", "<": "\\<"}
_DIGITS = 6


def sentence(wanted: CreateModel) -> str:
    """Say what the model is asked."""
    column = code(wanted.target_var)
    if not wanted.use_time_based_prediction:
        sign = _SIGNS.get(wanted.operator or "=", wanted.operator or "=")
        return t("train.sentence_rule", column=column, sign=sign, value=exact(wanted.target_value))
    return t(
        f"train.sentence_{wanted.direction}_{wanted.label_mode}", column=column,
        change=exact(wanted.min_percent_change), minutes=number(wanted.future_minutes),
    )  # fmt: skip


def exact(value: float | None) -> str:
    """Write a number with as many decimals as it has, up to six."""
    if value is None:
        return number(None)
    decimals = f"{value:.{_DIGITS}f}".rstrip("0").partition(".")[2]
    return number(value, len(decimals))


def usual_name(wanted: CreateModel) -> str:
    """Give the name of a model that nobody named; the same in every language."""
    if not wanted.use_time_based_prediction:
        return f"{wanted.target_var} {wanted.operator} {wanted.target_value:.10g}"
    word = "Pump" if wanted.direction == "up" else "Dump"
    return f"{word} {wanted.min_percent_change:.10g} % in {wanted.future_minutes} min"
