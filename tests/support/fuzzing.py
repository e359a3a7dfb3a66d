"""How much the fuzz tests of the APIs do, with keys or without, and what was answered."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import load_all_checks
from schemathesis.generation.hypothesis.builder import HypothesisTestConfig, HypothesisTestMode, create_test
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import positive_data_acceptance, unsupported_method

from tests.support.route_access import ACCESS

CASES: Final = "FUZZ_CASES"
"""Cases of each route with input, where not the few of every day."""
WITH_KEYS: Final = "FUZZ_KEYS"
"""Set: the services have keys, and most requests show one."""
COUNTS: Final = "FUZZ_COUNTS"
"""A file that gets how many answers had which status."""
NO_LIMIT: Final = 10_000_000
SECRETS: Final = {scope: f"{scope}-secret" for scope in ("read", "write", "service")}
_MANY: Final = 100
# One of eight asks with something else than the key that may do everything.
_SHOWN: Final = (*["write"] * 7, "read", *["write"] * 7, "service", *["write"] * 7, "wrong", *["write"] * 7, None)
_answers: Counter[str] = Counter()
load_all_checks()


def with_keys() -> bool:
    """Tell whether the services have keys."""
    return bool(os.environ.get(WITH_KEYS))


def key_settings() -> dict[str, Any]:
    """Give the settings of a service that is asked very often."""
    if not with_keys():
        return {}
    entries = [f"{scope}:{scope}:{hashlib.sha256(secret.encode()).hexdigest()}" for scope, secret in SECRETS.items()]
    return {"api_keys": tuple(entries), "rate_limit_per_minute": NO_LIMIT}


def routes(api: str) -> list[str]:
    """Give the routes in the document of an API, as `GET /api/queue/{job_id}`."""
    return [route.replace(":int}", "}") for route in ACCESS[api] if " /api/" in route]


def fuzz(schema: BaseSchema, route: str, check: Callable[[schemathesis.Case], None], *, few: int) -> None:
    """Make up cases of a route and check each; done in its test, as collection is done in every process."""
    method, _, path = route.partition(" ")
    config = HypothesisTestConfig(
        project=schema.config, modes=list(HypothesisTestMode), explicit_settings=examples(few)
    )
    create_test(operation=schema[path][method], test_func=check, config=config)()


def examples(few: int) -> settings:
    """Give how many cases a route gets: the same ones every day, others where many are asked for."""
    wanted = int(os.environ.get(CASES, few))
    return settings(
        max_examples=wanted,
        deadline=None,
        derandomize=wanted < _MANY,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def ask(case: schemathesis.Case, address: str, *, excluded: list[Any], key: str | None = None) -> Any:
    """Send a case and check its answer; a key that may not do it changes what is right."""
    shown = (key or _SHOWN[_answers.total() % len(_SHOWN)]) if with_keys() else None
    headers = {"X-API-Key": SECRETS.get(shown, shown)} if shown else {}
    answer = case.call(base_url=address, headers=headers)
    _answers[str(answer.status_code)] += 1
    left_out = excluded
    if with_keys() and shown != "write":
        assert answer.status_code in (401, 403) or shown in SECRETS or case.operation.path in OPEN
        # Keys are looked at before methods.
        left_out = [*excluded, positive_data_acceptance, unsupported_method]
    case.validate_response(answer, excluded_checks=left_out, headers=headers)
    return answer


OPEN: Final = ("/api/health/live", "/api/metrics")
"""What needs no key on this machine."""


def tell() -> None:
    """Write down what was answered so far."""
    if os.environ.get(COUNTS):
        Path(os.environ[COUNTS]).write_text(json.dumps(_answers))
