"""Every route of both services, asked with every kind of key: the answers are those of one written table."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from fastapi import FastAPI

from prediction_service.app import build as build_prediction
from tests.support import live
from tests.support.route_access import ACCESS, example, routes_of
from tests.support.serving import served
from tests.support.training import training_settings
from tests.unit.test_web_guards import KEYS, SECRETS
from training_service.app import build as build_training

SHOWN = {"no key": None, "wrong key": "r-secret", **SECRETS}
SERVICES = ("training", "prediction")


def app_of(service: str, database: str, home: Path) -> FastAPI:
    settings = {"api_keys": KEYS, "rate_limit_per_minute": 1_000_000}
    if service == "training":
        return build_training(training_settings(database, home, **settings))
    return build_prediction(live.settings(database, home, **settings))


@pytest.fixture(params=SERVICES)
async def service(request: pytest.FixtureRequest, database: str, tmp_path: Path) -> AsyncIterator[tuple[str, str]]:
    """Give a service that has keys, and its address."""
    async with served(app_of(request.param, database, tmp_path)) as address:
        yield request.param, address


@pytest.mark.parametrize("name", SERVICES)
def test_table_when_compared_with_the_app_then_it_has_every_route_and_no_other(name: str, tmp_path: Path):
    found = list(routes_of(app_of(name, "postgresql://nobody@nowhere/none", tmp_path)))
    assert sorted(found) == sorted(ACCESS[name])


async def test_route_when_asked_with_each_kind_of_key_then_those_of_the_table_are_let_in(service: tuple[str, str]):
    name, address = service
    let_in: dict[str, set[str]] = {route: set() for route in ACCESS[name]}
    async with aiohttp.ClientSession() as session:
        for route in ACCESS[name]:
            method, _, path = route.partition(" ")
            for who, secret in SHOWN.items():
                headers = {} if secret is None else {"X-API-Key": secret + "x" if who == "wrong key" else secret}
                async with session.request(method, address + example(path), headers=headers) as answer:
                    assert answer.status != 500, route
                    if answer.status not in (401, 403):
                        let_in[route].add(who)
                    else:
                        assert answer.status == (403 if who in SECRETS else 401), (route, who)
    assert let_in == ACCESS[name]
