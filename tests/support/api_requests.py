"""One request to each route of both APIs, in an order in which all succeed: what docs/API.md shows."""

from dataclasses import dataclass, field
from typing import Any, Final

from tests.support.stage_scene import FEATURES, PACKAGE, SYMBOL


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request; `{names}` in texts of it stand for what the stage holds."""

    service: str
    route: str
    """Method and path as the OpenAPI document has them."""
    path: dict[str, Any] = field(default_factory=dict)
    query: str = ""
    body: Any = None
    is_upload: bool = False
    keep: dict[str, str] = field(default_factory=dict)
    """What later requests need of the answer: name and field."""
    status: int = 200
    """More than 400: a problem that is to be shown."""


def _training(route: str, **more: Any) -> Ask:
    return Ask(service="training", route=route, **more)


def _prediction(route: str, **more: Any) -> Ask:
    return Ask(service="prediction", route=route, **more)


QUESTION: Final = {
    "name": "Pump 25 % in 10 min", "model_type": "xgboost", "features": list(FEATURES[:4]),
    "use_engineered_features": True, "train_start": "{train_start}", "train_end": "{train_end}",
    "target_var": "price_close", "future_minutes": 10, "min_percent_change": 25, "label_resolution": "observed",
}  # fmt: skip
LATER: Final = {"test_start": "{test_start}", "test_end": "{test_end}"}
_MODEL: Final = {"model_id": "{model}"}
_ACTIVE: Final = {"active_id": "{active}"}
_SHADOW: Final = {"active_id": "{shadow}"}
_ENDPOINT: Final = {"endpoint_id": "{new_endpoint}"}
_PACKAGE: Final = {"package_id": PACKAGE}
_ACCOUNT: Final = {"model_id": PACKAGE}
_POSITION: Final = {"position_id": "{position}"}
_NEW_ACTIVE: Final = {"active_id": "{new_active}"}
_NEW_PACKAGE: Final = {"package_id": "{new_package}"}

TRAINING: Final = (
    _training("POST /api/models/preflight", body=QUESTION),
    _training("POST /api/models/create", body=QUESTION, keep={"new_job": "job_id"}),
    _training("POST /api/queue/{job_id}/cancel", path={"job_id": "{new_job}"}),
    _training("POST /api/queue/{job_id}/retry", path={"job_id": "{new_job}"}),
    _training("POST /api/models/tune", body=QUESTION | {"name": "Pump 25 % tuned", "trials": 4}),
    _training("GET /api/models", query="status=READY&limit=1"),
    _training("GET /api/models/{model_id}", path=_MODEL),
    _training("PATCH /api/models/{model_id}", path=_MODEL, body={"description": "the first one"}),
    _training("GET /api/models/{model_id}/card", path=_MODEL),
    _training("GET /api/models/{model_id}/download", path=_MODEL),
    _training("POST /api/models/{model_id}/test", path={"model_id": "{other_model}"}, body=LATER),
    _training("POST /api/models/compare", body=LATER | {"model_ids": ["{model}", "{other_model}"]}),
    _training("GET /api/test-results", query="limit=1"),
    _training("GET /api/test-results/{test_id}", path={"test_id": "{test}"}),
    _training("GET /api/comparisons", query="limit=1"),
    _training("GET /api/comparisons/{comparison_id}", path={"comparison_id": "{comparison}"}),
    _training("GET /api/queue", query="status=COMPLETED&limit=1"),
    _training("GET /api/queue/{job_id}", path={"job_id": "{job}"}),
    _training("GET /api/queue/{job_id}/log", path={"job_id": "{job}"}, query="limit=3"),
    _training("GET /api/queue/{job_id}/events", path={"job_id": "{job}"}),
    _training("GET /api/features"),
    _training("GET /api/phases"),
    _training("GET /api/model-types"),
    _training("GET /api/data-availability"),
    _training("GET /api/health"),
    _training("GET /api/health/live"),
    _training("GET /api/health/ready"),
    _training("GET /api/metrics"),
    _training("GET /api/configuration"),
    _training("POST /api/queue/{job_id}/cancel", path={"job_id": "{job}"}, status=409),
    _training("POST /api/models/create", body=QUESTION | {"features": ["volume_soll"]}, status=422),
    _training("DELETE /api/comparisons/{comparison_id}", path={"comparison_id": "{comparison}"}),
    _training("DELETE /api/test-results/{test_id}", path={"test_id": "{test}"}),
)  # fmt: skip

PREDICTION: Final = (
    _prediction("GET /api/models/available", query="include_imported=true"),
    _prediction(
        "POST /api/models/import", body={"model_id": "{tuned_model}", "reason": "tried beside the others"},
        keep={"new_active": "active_model_id"},
    ),
    _prediction("POST /api/models/import", body={"model_id": "{tuned_model}"}, status=409),
    _prediction("GET /api/models/active"),
    _prediction("GET /api/models/{active_id}", path=_ACTIVE),
    _prediction("PATCH /api/models/{active_id}/rename", path=_ACTIVE, body={"name": "pump, first"}),
    _prediction(
        "PATCH /api/models/{active_id}/settings", path=_ACTIVE, body={"alert_threshold": 0.8, "reason": "fewer alerts"}
    ),
    _prediction("GET /api/models/{active_id}/challenge", path=_SHADOW),
    _prediction("GET /api/models/{active_id}/statistics", path=_ACTIVE),
    _prediction("POST /api/models/{active_id}/promote", path=_SHADOW, body={"reason": "a week of better alerts"}),
    _prediction("POST /api/models/{active_id}/rollback", path=_SHADOW, body={"reason": "not what it seemed"}),
    _prediction("GET /api/promotions", query="limit=1"),
    _prediction("POST /api/predict", body={"coin_id": "{coin}"}),
    _prediction("GET /api/predictions", query="is_alert=true&limit=1"),
    _prediction("GET /api/predictions", query="cursor=bm9uZQ", status=422),
    _prediction("GET /api/predictions/latest/{coin_id}", path={"coin_id": "{coin}"}),
    _prediction("GET /api/predictions/{prediction_id}", path={"prediction_id": "{prediction}"}),
    _prediction("GET /api/coins/{coin_id}/history", path={"coin_id": "{coin}"}, query="limit=1"),
    _prediction("GET /api/stats"),
    _prediction(
        "POST /api/webhooks", body={"url": "{receiver}/ok/new", "send_modes": ["alerts_only"]},
        keep={"new_endpoint": "id"},
    ),
    _prediction("GET /api/webhooks"),
    _prediction("GET /api/webhooks/{endpoint_id}", path={"endpoint_id": "{endpoint}"}),
    _prediction("PATCH /api/webhooks/{endpoint_id}", path=_ENDPOINT, body={"max_concurrency": 2}),
    _prediction("POST /api/webhooks/{endpoint_id}/rotate", path=_ENDPOINT),
    _prediction("POST /api/webhooks/{endpoint_id}/test", path=_ENDPOINT),
    _prediction("POST /api/webhooks/{endpoint_id}/recover", path=_ENDPOINT, body={"since": "{test_start}"}),
    _prediction("GET /api/webhook-deliveries", query="status=delivered&limit=1"),
    _prediction("GET /api/webhook-deliveries/{delivery_id}", path={"delivery_id": "{delivery}"}),
    _prediction("POST /api/webhook-deliveries/{delivery_id}/resend", path={"delivery_id": "{delivery}"}),
    _prediction("DELETE /api/webhooks/{endpoint_id}", path=_ENDPOINT),
    _prediction("GET /api/model-packages"),
    _prediction("POST /api/model-packages/upload", is_upload=True, keep={"new_package": "id"}),
    _prediction("GET /api/model-packages/{package_id}", path=_PACKAGE),
    _prediction("POST /api/model-packages/{package_id}/warmup", path=_PACKAGE),
    _prediction("POST /api/model-packages/{package_id}/archive", path=_NEW_PACKAGE),
    _prediction("POST /api/model-packages/{package_id}/restore", path=_NEW_PACKAGE),
    _prediction("POST /api/candles", body={"candles": [{
        "symbol": "BTCUSDT", "interval": "15m", "open_time": "2026-03-01T12:00:00Z",
        "open": 65000, "high": 65100, "low": 64950, "close": 65020, "volume": 12.5,
    }]}),
    _prediction("GET /api/candles", query=f"symbol={SYMBOL}&interval=15m&limit=1"),
    _prediction("GET /api/candles/coverage", query=f"symbol={SYMBOL}&interval=15m"),
    _prediction("GET /api/candles/symbols"),
    _prediction("GET /api/candles/feeds"),
    _prediction("GET /api/paper/ml-signal/{model_id}", path=_ACCOUNT, query=f"symbol={SYMBOL}"),
    _prediction("GET /api/paper/ml-signal/{model_id}", path=_ACCOUNT, query="symbol=BTCUSDT", status=409),
    _prediction("POST /api/paper/account/create", body={"model_id": "{new_package}", "initial_balance": 5000}),
    _prediction("POST /api/paper/account/create", body={"model_id": "{new_package}"}, status=409),
    _prediction("GET /api/paper/account/{model_id}", path=_ACCOUNT),
    _prediction("PATCH /api/paper/account/{model_id}", path=_ACCOUNT, body={"size_pct": 3}),
    _prediction("GET /api/paper/account/{model_id}/performance", path=_ACCOUNT),
    _prediction("GET /api/paper/dashboard/{model_id}", path=_ACCOUNT),
    _prediction("GET /api/paper/equity/{model_id}", path=_ACCOUNT, query="limit=4"),
    _prediction("GET /api/paper/positions/{model_id}", path=_ACCOUNT, query="limit=1"),
    _prediction(
        "POST /api/paper/position/open",
        body={"model_id": "{new_package}", "symbol": SYMBOL, "side": "LONG", "price": 100}, keep={"position": "id"},
    ),
    _prediction("DELETE /api/model-packages/{package_id}", path=_NEW_PACKAGE, status=409),
    _prediction("POST /api/paper/price-update", body={"symbol": SYMBOL, "price": 100.2}),
    _prediction("POST /api/paper/position/{position_id}/close", path=_POSITION, body={"price": 101}),
    _prediction("POST /api/paper/position/{position_id}/close", path=_POSITION, status=409),
    _prediction("POST /api/paper/signal", body={
        "model_id": "{new_package}", "symbol": SYMBOL, "signal": "LONG", "confidence": 75, "current_price": 101,
    }),
    _prediction("POST /api/paper/account/{model_id}/reset", path={"model_id": "{new_package}"}),
    _prediction("DELETE /api/model-packages/{package_id}", path=_NEW_PACKAGE),
    _prediction("GET /api/health"),
    _prediction("GET /api/health/live"),
    _prediction("GET /api/health/ready"),
    _prediction("GET /api/metrics"),
    _prediction("GET /api/configuration"),
    _prediction("POST /api/models/{active_id}/deactivate", path=_NEW_ACTIVE, body={"reason": "enough"}),
    _prediction("POST /api/models/{active_id}/activate", path=_NEW_ACTIVE),
    _prediction("DELETE /api/models/{active_id}", path=_NEW_ACTIVE, query="reason=enough"),
)  # fmt: skip
LAST: Final = (_training("DELETE /api/models/{model_id}", path={"model_id": "{tuned_model}"}),)
ASKS: Final = (*TRAINING, *PREDICTION, *LAST)
