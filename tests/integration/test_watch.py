"""The verb `watch`: what it draws, when the books do not add up, and when there is nobody to ask."""

import asyncio
import io
import socket
from dataclasses import replace
from typing import Any

import orjson
import pytest
from aiohttp import web
from rich.console import Console

from pumpcast.watch import Seen, asker, books_line, drawn, look, watch_service
from shared.contracts.statistics import Books, ModelStatistics, ServiceStatistics
from shared.errors import Invalid, PumpcastError, Unavailable
from tests.support.serving import served_routes

NOTHING = {
    "predictions": 0, "positives": 0, "alerts": 0, "pending": 0, "unresolved": 0, "resolved": 0, "base_rate": None,
    "mean_probability": None, "mean_duration_ms": None,
    "prediction": {"tp": 0, "fp": 0, "tn": 0, "fn": 0, "precision": None, "recall": None, "f1": None, "brier": None},
    "alert": {
        "tp": 0, "fp": 0, "tn": 0, "fn": 0, "precision": None, "recall": None, "f1": None, "brier": None,
        "unresolved": 0, "pending": 0,
    },
    "change": {name: {"count": 0, "mean_pct": None} for name in ("all", "positives", "alerts")},
}  # fmt: skip
"""Figures of a service that has just been set up."""


def service(*, owed: int, predictions: int, skipped: dict[str, int]) -> ServiceStatistics:
    balanced = owed == predictions + sum(skipped.values())
    return ServiceStatistics.model_validate({
        "books": {
            "rows": owed, "owed": owed, "predictions": predictions, "skipped": skipped, "not_rolled_up": 0,
            "balanced": balanced,
        },
        "figures": NOTHING, "deliveries": {"pending": 2, "delivered": 40}, "recording_clock": "2026-03-01T12:00:00Z",
        "models": {"live": 0, "shadow": 0, "inactive": 0, "with_statistics": 0}, "last_prediction_at": None,
        "workers": [{
            "shards": [0, 1, 2, 3, 4, 5, 6, 7], "beat": "2026-03-01T12:00:00Z", "listener": "listen",
            "lag_seconds": 1.5, "coins_in_memory": 7, "trouble": None,
        }],
    })  # fmt: skip


def text_of(seen: Seen, *, before: Seen | None = None) -> str:
    console = Console(file=io.StringIO(), width=160)
    console.print(drawn(seen, before=before))
    return console.file.getvalue()


def seen(at: float, **books: Any) -> Seen:
    return Seen(at=at, service=service(**books), models=(), modes={})


def test_table_when_books_balance_then_the_last_line_says_so():
    first = seen(10.0, owed=1_200, predictions=1_000, skipped={"phase": 150, "stale": 50})
    said = text_of(seen(12.0, owed=1_300, predictions=1_100, skipped={"phase": 150, "stale": 50}), before=first)
    assert said.splitlines()[-1].strip() == "books: 1,300 answers owed = 1,100 predictions + 200 left out"
    assert "left out: phase 150, stale 50" in said
    assert "deliveries: delivered 40, pending 2" in said
    assert "8 of 8 parts of the coins, listen, 1.5 s behind" in said
    assert "predictions per second: 50.0" in said


def test_table_when_an_answer_is_missing_then_the_last_line_says_how_many():
    said = text_of(seen(1.0, owed=100, predictions=90, skipped={"phase": 7}))
    last = said.splitlines()[-1]
    assert last == "THE BOOKS DO NOT ADD UP: 100 answers owed, 90 predictions + 7 left out, +3 unaccounted for"


def test_table_when_a_name_holds_brackets_then_it_is_shown_as_it_is():
    plain = seen(1.0, owed=0, predictions=0, skipped={})
    absent = dict.fromkeys(
        (
            "is_active",
            "decision_threshold",
            "alert_threshold",
            "first_hour",
            "last_hour",
            "last_prediction_at",
            "hold_out",
        )
    )
    parts = {name: [] for name in ("by_day", "by_hour", "by_phase", "calibration", "drift")}
    models = tuple(
        ModelStatistics.model_validate(
            {"active_model_id": 1, "model_id": 1, "name": name, "total": NOTHING, **absent, **parts}
        )
        for name in ("pump [/v2]", "pump [red]x")
    )
    said = text_of(replace(plain, models=models))
    assert "pump [/v2]" in said
    assert "pump [red]x" in said


def test_books_when_the_counts_agree_but_the_rows_do_not_then_it_is_told():
    books = Books(rows=5, owed=5, predictions=4, skipped={}, not_rolled_up=0, balanced=False)
    assert books_line(books).startswith("THE BOOKS DO NOT ADD UP")


def test_watch_when_nobody_listens_then_one_sentence_says_how_to_start_it(monkeypatch: pytest.MonkeyPatch):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    url = f"http://127.0.0.1:{port}/api"
    with pytest.raises(Unavailable, match=f"does not answer at {url} .*start it with `pumpcast up`"):
        watch_service(url=url, once=True)
    for wrong in (
        "127.0.0.1:8000",
        "http://",
        "http://h:99999/api",
        "http://[::1/api",
        "http://a b/api",
        "http://a..b/",
    ):
        with pytest.raises(Invalid, match="is no address of an API"):
            asker(wrong, "")
    with pytest.raises(Invalid, match="is no address of an API"):
        watch_service(url=f"http://127.0.0.1:{port}/a b", once=True)
    with pytest.raises(Invalid, match="The key holds"):
        asker(url, "ключ")


async def answered_with(body: bytes, status: int = 200) -> PumpcastError:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=body, status=status)

    async with served_routes([web.get("/{path:.*}", answer)]) as address:
        with pytest.raises(PumpcastError) as caught:
            await asyncio.to_thread(look, asker(f"{address}/api", "a key"))
    return caught.value


async def test_watch_when_the_service_refuses_or_is_another_one_then_says_so():
    assert "wants a key that may read" in (await answered_with(b"{}", 401)).message
    assert "answers 503: gone" in (await answered_with(b"gone", 503)).message
    assert "is of another version" in (await answered_with(orjson.dumps({"models": 7}))).message
