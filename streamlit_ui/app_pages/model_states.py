"""States of an imported model as signs and words: active or not, live or shadow."""

from shared.contracts.prediction import ActiveModel
from streamlit_ui.session import t
from streamlit_ui.states import badge

_MODES = {"live": (":material/sensors:", "blue"), "shadow": (":material/visibility:", "violet")}


def active_badge(model: ActiveModel) -> str:
    """Give whether it predicts."""
    return badge("good", t("model_states.active")) if model.is_active else badge("off", t("model_states.inactive"))


def mode_badge(model: ActiveModel) -> str:
    """Give whether its predictions are sent."""
    icon, colour = _MODES[model.mode]
    return f":{colour}-badge[{icon} {t(f'model_states.{model.mode}')}]"


def state_words(model: ActiveModel) -> str:
    """Give both in words, as tables show them."""
    state = t("model_states.active") if model.is_active else t("model_states.inactive")
    return f"{state}, {t(f'model_states.{model.mode}')}"
