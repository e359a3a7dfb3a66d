"""Questions to start from, and the windows of rows that are usually meant."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from shared.contracts.jobs import DataAvailability, FeatureCatalogue
from shared.contracts.model_request import CreateModel
from streamlit_ui.app_pages.training_draft import Draft, new_draft
from streamlit_ui.app_pages.training_words import usual_name

FEATURES: Final = (
    "volume_sol", "num_buys", "num_sells", "market_cap_close", "buy_volume_sol", "sell_volume_sol",
)  # fmt: skip
HELD_BACK: Final = 0.1
"""Share of the rows that the usual window leaves for a test afterwards."""
_QUESTION = (
    "use_time_based_prediction", "target_var", "future_minutes", "min_percent_change", "direction", "label_mode",
    "label_resolution",
)  # fmt: skip
_RULE = ("use_time_based_prediction", "target_var", "operator", "target_value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A question with a name."""

    key: str
    """Part of the names of its words."""
    icon: str
    values: Mapping[str, Any]


def _change(minutes: int, percent: float, direction: str) -> dict[str, Any]:
    return {
        "use_time_based_prediction": True, "target_var": "price_close", "future_minutes": minutes,
        "min_percent_change": percent, "direction": direction, "label_mode": "at_horizon",
        "label_resolution": "observed",
    }  # fmt: skip


_RULE_VALUES: Final = {
    "use_time_based_prediction": False, "target_var": "num_buys", "operator": ">=", "target_value": 20.0,
}  # fmt: skip
PRESETS: Final = (
    Preset(key="pump", icon=":material/trending_up:", values=_change(10, 30.0, "up")),
    Preset(key="moon", icon=":material/rocket_launch:", values=_change(20, 50.0, "up")),
    Preset(key="dump", icon=":material/trending_down:", values=_change(5, 20.0, "down")),
    Preset(key="rule", icon=":material/rule:", values=_RULE_VALUES),
)


def asks(preset: Preset, wanted: CreateModel) -> bool:
    """Tell whether a request asks what the preset asks."""
    names = _QUESTION if preset.values["use_time_based_prediction"] else _RULE
    return all(getattr(wanted, name) == preset.values[name] for name in names)


def first_draft(data: DataAvailability, catalogue: FeatureCatalogue) -> Draft:
    """Give what the form shows at first: the first preset on all but the newest rows."""
    known = {one.name for one in catalogue.features}
    start, end = window(data, "most")
    draft = new_draft(
        name="", model_type="xgboost", features=[name for name in FEATURES if name in known], train_start=start,
        train_end=end, use_engineered_features=True, **PRESETS[0].values,
    )  # fmt: skip
    return draft.changed(name=usual_name(draft.wanted))


WINDOWS: Final[Mapping[str, timedelta | None]] = {
    "hours": timedelta(hours=6), "day": timedelta(days=1), "week": timedelta(weeks=1), "most": None,
}  # fmt: skip


def window(data: DataAvailability, choice: str) -> tuple[datetime, datetime]:
    """Give start and end of a usual window, in whole minutes within the rows there are."""
    assert data.min_timestamp is not None
    assert data.max_timestamp is not None
    first, last = data.min_timestamp, data.max_timestamp
    length = WINDOWS[choice]
    if length is None:
        start, end = first, first + (last - first) * (1 - HELD_BACK)
    else:
        start, end = max(first, last - length), last
    start, end = start.replace(second=0, microsecond=0), end.replace(second=0, microsecond=0)
    return start, max(end, start + timedelta(minutes=1))
