"""What the page that asks for a model shows and sends, for its tests."""

import json
from typing import Any

from streamlit.testing.v1 import AppTest

from tests.support.fake_services import FakeService

PREFLIGHT = "/models/preflight"
FIRST_BODY = {
    "name": "Pump 30 % in 10 min", "model_type": "xgboost", "train_start": "2026-01-01T00:00:00Z",
    "train_end": "2026-01-10T00:00:00Z", "future_minutes": 10, "min_percent_change": 30.0,
    "features": ["volume_sol", "num_buys", "num_sells", "market_cap_close"], "label_resolution": "observed",
    "use_engineered_features": True,
}  # fmt: skip


def sent(training: FakeService, path: str = PREFLIGHT) -> list[dict[str, Any]]:
    """Give the bodies that were sent."""
    return [one.json for one in training.changes() if one.path == path]


def shown(test: AppTest) -> dict[str, Any]:
    """Give the request that the page shows as JSON."""
    found: dict[str, Any] = json.loads(next(one.value for one in test.code if one.language == "json"))
    return found


def field(test: AppTest, name: str) -> str:
    """Give the key of a field as it is now; that of a name which follows its question has the name behind it."""
    generation = test.session_state["training_generation"]
    if name == "name":
        return next(one.key for one in test.text_input if str(one.key).startswith("train_name_"))
    return f"train_{name}_{generation}"
