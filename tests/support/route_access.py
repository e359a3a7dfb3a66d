"""Who may use which route: the one written table, which the test of all routes compares with the apps."""

import re
from collections.abc import Iterator
from typing import Final

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

# /metrics is open to this machine alone, from which these tests ask.
_SAME = """
readers   GET /openapi.json; GET /docs; GET /docs/start.js; GET /docs/{name}; GET /api/configuration
services  GET /health; GET /health/ready; GET /api/health; GET /api/health/ready
anybody   GET /health/live; GET /metrics; GET /api/health/live; GET /api/metrics
"""
_TRAINING = """
services  GET /api/models; GET /api/models/{model_id:int}; GET /api/models/{model_id:int}/download
readers   GET /api/models/{model_id:int}/card; GET /api/test-results; GET /api/test-results/{test_id:int}
readers   GET /api/comparisons; GET /api/comparisons/{comparison_id:int}
readers   GET /api/queue; GET /api/queue/{job_id:int}; GET /api/queue/{job_id:int}/log
readers   GET /api/queue/{job_id:int}/events
readers   GET /api/features; GET /api/phases; GET /api/model-types; GET /api/data-availability
writers   POST /api/models/preflight; POST /api/models/tune; POST /api/models/create; POST /api/models/compare
writers   PATCH /api/models/{model_id:int}; DELETE /api/models/{model_id:int}; POST /api/models/{model_id:int}/test
writers   DELETE /api/test-results/{test_id:int}; DELETE /api/comparisons/{comparison_id:int}
writers   POST /api/queue/{job_id:int}/cancel; POST /api/queue/{job_id:int}/retry
"""
_PREDICTION = """
services  GET /api/models/{active_id:int}
readers   GET /api/models/available; GET /api/models/active; GET /api/models/{active_id:int}/challenge
readers   GET /api/models/{active_id:int}/statistics; GET /api/stats; GET /api/promotions
readers   GET /api/predictions; GET /api/predictions/latest/{coin_id}; GET /api/predictions/{prediction_id:int}
readers   GET /api/coins/{coin_id}/history; GET /api/webhooks; GET /api/webhooks/{endpoint_id:int}
readers   GET /api/webhook-deliveries; GET /api/webhook-deliveries/{delivery_id:int}
writers   POST /api/models/import; POST /api/models/{active_id:int}/activate
writers   POST /api/models/{active_id:int}/deactivate
writers   DELETE /api/models/{active_id:int}; PATCH /api/models/{active_id:int}/rename
writers   PATCH /api/models/{active_id:int}/settings; POST /api/models/{active_id:int}/promote
writers   POST /api/models/{active_id:int}/rollback; POST /api/predict; POST /api/webhooks
writers   PATCH /api/webhooks/{endpoint_id:int}; DELETE /api/webhooks/{endpoint_id:int}
writers   POST /api/webhooks/{endpoint_id:int}/rotate; POST /api/webhooks/{endpoint_id:int}/test
writers   POST /api/webhooks/{endpoint_id:int}/recover; POST /api/webhook-deliveries/{delivery_id:int}/resend
"""
# Served at the root and below /api.
_PREDICTION_TWICE = """
readers   GET /model-packages; GET /model-packages/{package_id}
readers   GET /candles; GET /candles/coverage; GET /candles/symbols; GET /candles/feeds
readers   GET /paper/ml-signal/{model_id}; GET /paper/account/{model_id}; GET /paper/account/{model_id}/performance
readers   GET /paper/positions/{model_id}; GET /paper/dashboard/{model_id}; GET /paper/equity/{model_id}
writers   POST /model-packages/upload; POST /model-packages/{package_id}/warmup
writers   POST /model-packages/{package_id}/archive; POST /model-packages/{package_id}/restore
writers   DELETE /model-packages/{package_id}; POST /candles
writers   POST /paper/account/create; PATCH /paper/account/{model_id}; POST /paper/account/{model_id}/reset
writers   POST /paper/position/open; POST /paper/position/{position_id:int}/close
writers   POST /paper/price-update; POST /paper/signal
"""
_WHO: Final = {
    "anybody": frozenset({"no key", "wrong key", "read", "write", "service"}),
    "services": frozenset({"read", "write", "service"}),
    "readers": frozenset({"read", "write"}),
    "writers": frozenset({"write"}),
}


def _read(*tables: str) -> dict[str, frozenset[str]]:
    lines = (line.split(maxsplit=1) for table in tables for line in table.strip().splitlines())
    return {route: _WHO[who] for who, routes in lines for route in routes.split("; ")}


ACCESS: Final = {
    "training": _read(_SAME, _TRAINING),
    "prediction": _read(_SAME, _PREDICTION, _PREDICTION_TWICE, _PREDICTION_TWICE.replace(" /", " /api/")),
}


def routes_of(app: FastAPI) -> Iterator[str]:
    """Give method and path of every route of an app."""
    for route in iter_route_contexts(app.routes):
        for method in sorted(route.methods - {"HEAD"} or {"HEAD"}):
            yield f"{method} {route.path}"


def example(path: str) -> str:
    """Give an address on a route that names nothing there is."""
    return re.sub(r"\{[^}]*:int\}|\{\w*_id\}", "987654321", path)
