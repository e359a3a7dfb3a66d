"""Requests that are refused before anything is read: no row is written, so one database serves them all."""

from collections.abc import Iterator

import pytest

from shared.web.cursor import write_cursor
from tests.support.database import TestServer
from tests.support.serving import Api


@pytest.fixture(scope="module")
def database(postgres: TestServer) -> Iterator[str]:
    with postgres.fresh() as name:
        yield postgres.dsn(name)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""), ("POST", "/activate"), ("POST", "/deactivate"), ("DELETE", ""), ("PATCH", "/rename"),
    ],
)  # fmt: skip
async def test_active_model_when_unknown_then_404_names_it(api: Api, method: str, path: str):
    body = {"json": {"name": "x"}} if method == "PATCH" else {}
    status, problem = await api.call(method, f"/api/models/77{path}", **body)
    assert (status, problem["code"]) == (404, "not_found")
    assert "active model 77" in problem["detail"]


@pytest.mark.parametrize("cursor", ["x", "AAAAAAAAAAAAAAAA", write_cursor("deliveries", 5), "ü", "=" * 16])
async def test_cursor_when_made_up_or_of_another_list_then_422(api: Api, cursor: str):
    status, problem = await api.get("/api/predictions", params={"cursor": cursor})
    assert (status, problem["errors"][0]["pointer"]) == (422, "/query/cursor")


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"limit": "0"}, "/query/limit"), ({"limit": "1001"}, "/query/limit"), ({"coin": "a"}, "/query/coin"),
        ({"coin_id": ""}, "/query/coin_id"), ({"coin_id": "a\0"}, "/query/coin_id"), ({"coin_id": "a" * 101},
        "/query/coin_id"),
        ({"model_id": str(2**63)}, "/query/model_id"), ({"model_id": "0"}, "/query/model_id"),
        ({"date_from": "2026-03-01T12:00:00"}, "/query/date_from"), ({"date_from": "1772366400"}, "/query/date_from"),
        ({"date_to": "0001-01-01T00:00:00+14:00"}, "/query/date_to"), ({"date_to": "2026-13-01T00:00:00Z"},
        "/query/date_to"),
        ({"min_probability": "nan"}, "/query/min_probability"), ({"prediction": "2"}, "/query/prediction"),
        ({"outcome": "won"}, "/query/outcome"), ({"phase_id": str(2**31)}, "/query/phase_id"),
    ],
)  # fmt: skip
async def test_filter_when_wrong_then_422_points_at_it(api: Api, query: dict[str, str], pointer: str):
    status, problem = await api.get("/api/predictions", params=query)
    assert (status, problem["code"]) == (422, "invalid")
    assert problem["errors"][0]["pointer"] == pointer
