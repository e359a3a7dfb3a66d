"""A stage as an operator finds it after some hours: models, shadows, endpoints, alerts with outcomes, paper trades."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any, Final

from tests.support.stage import Stage, until
from tests.support.stage_market import Market, go_on

HISTORY_MINUTES: Final = 360
LATER_MINUTES: Final = 90
HORIZON_MINUTES: Final = 10
JOB_SECONDS: Final = 240.0
FEATURES: Final = (
    "volume_sol", "num_buys", "num_sells", "buy_volume_sol", "sell_volume_sol", "market_cap_close",
    "bonding_curve_pct", "virtual_sol_reserves",
)  # fmt: skip
PACKAGE: Final = "ppo_v1"
SYMBOL: Final = "SIMUSDT"
TRADED_CANDLES: Final = 240
CANDLES: Final = 1500 + TRADED_CANDLES + 20
"""What a package looks back on from the first candle that is traded."""
CANDLES_A_SIGNAL: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What there is to look at, by number or name."""

    model: int
    job: int
    test: int
    comparison: int
    active: int
    endpoint: int
    prediction: int
    coin: str


def furnish(stage: Stage, market: Market, receiver: str) -> Known:
    """Let there be everything a page can show; the rows that come later have come when it returns."""
    window = {"train_start": market.start.isoformat(), "train_end": market.now.isoformat()}
    models, job = _train(stage, window)
    # Not before the last label of the training is known.
    unseen = market.later(HORIZON_MINUTES + 1)
    later = {"test_start": unseen.column("timestamp")[0].as_py().isoformat()}
    later["test_end"] = market.rows.column("timestamp")[-1].as_py().isoformat()
    _endpoints(stage, receiver)
    active = _import(stage, models)
    go_on(stage.dsn, market.later())
    _until_outcomes(stage)
    test = _done(stage, stage.ask("training", "POST", f"/models/{models[0]}/test", later)["job_id"])
    compared = {"model_ids": [models[0], models[1]], **later}
    comparison = _done(stage, stage.ask("training", "POST", "/models/compare", compared)["job_id"])
    _paper_trades(stage)
    shown = known(stage)
    return Known(
        model=models[0], job=job, active=active, prediction=shown.prediction, coin=shown.coin, endpoint=shown.endpoint,
        test=test["result_test"]["id"], comparison=comparison["result_comparison"]["id"],
    )  # fmt: skip


def known(stage: Stage) -> Known:
    """Find what there is to look at on a stage that somebody else furnished."""
    jobs = stage.ask("training", "GET", "/queue?status=COMPLETED&job_type=TRAIN&limit=100")["jobs"]
    active = stage.ask("prediction", "GET", "/models/active")["models"]
    alerts = stage.ask("prediction", "GET", "/predictions?is_alert=true&outcome=tp&limit=1")["predictions"]
    shown = (alerts or stage.ask("prediction", "GET", "/predictions?limit=1")["predictions"])[0]
    return Known(
        model=active[0]["model_id"], job=jobs[-1]["id"], active=active[0]["id"],
        prediction=shown["id"], coin=shown["coin_id"],
        endpoint=stage.ask("prediction", "GET", "/webhooks")["webhooks"][0]["id"],
        test=_newest(stage, "/test-results", "test_results"), comparison=_newest(stage, "/comparisons", "comparisons"),
    )  # fmt: skip


@contextmanager
def answering() -> Iterator[str]:
    """Run a server that takes messages below /ok and fails below /broken; give its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = b'{"ok": true}' if self.path.startswith("/ok") else b'{"error": "out of order"}'
            self.send_response(200 if self.path.startswith("/ok") else 503)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _train(stage: Stage, window: dict[str, str]) -> tuple[list[int], int]:
    question = {
        **window, "features": list(FEATURES), "use_engineered_features": True, "future_minutes": HORIZON_MINUTES,
        "min_percent_change": 30, "label_resolution": "observed", "cv_splits": 3,
    }  # fmt: skip
    requests: list[dict[str, Any]] = [
        {"name": "Pump 30 % in 10 min", "model_type": "xgboost", "alert_threshold_by": "expected_value"},
        {"name": "Pump 30 % forest", "model_type": "random_forest"},
        {
            "name": "Dump 20 % in 5 min", "model_type": "xgboost", "direction": "down", "min_percent_change": 20,
            "future_minutes": 5,
        },
        {"name": "Nobody rises that much", "model_type": "xgboost", "min_percent_change": 900_000},
    ]  # fmt: skip
    jobs = [stage.ask("training", "POST", "/models/create", question | one)["job_id"] for one in requests]
    tuned = {**question, "name": "Pump 30 % tuned", "model_type": "xgboost", "trials": 4}
    jobs.append(stage.ask("training", "POST", "/models/tune", tuned)["job_id"])
    ended = [_done(stage, job, may_fail=True) for job in jobs]
    return [job["result_model_id"] for job in ended if job["result_model_id"]], jobs[0]


def _import(stage: Stage, models: list[int]) -> int:
    first = stage.ask("prediction", "POST", "/models/import", {"model_id": models[0], "line": "pump"})
    stage.ask("prediction", "POST", "/models/import", {"model_id": models[1], "line": "pump", "mode": "shadow"})
    stage.ask("prediction", "POST", "/models/import", {"model_id": models[2], "line": "dump"})
    return int(first["active_model_id"])


def _endpoints(stage: Stage, receiver: str) -> None:
    for path, modes in (("ok", ["alerts_only"]), ("broken", ["alerts_only"])):
        body = {"url": f"{receiver}/{path}/alerts", "send_modes": modes, "headers": {"X-Source": "pumpcast"}}
        stage.ask("prediction", "POST", "/webhooks", body)


def _until_outcomes(stage: Stage) -> None:
    def resolved() -> bool:
        books = [stage.ask("prediction", "GET", f"/predictions?outcome={name}&limit=1") for name in ("tp", "fp", "tn")]
        return all(book["predictions"] for book in books)

    until(resolved, "outcomes of predictions", seconds=90)


def _done(stage: Stage, job: int, *, may_fail: bool = False) -> dict[str, Any]:
    def ended() -> dict[str, Any] | None:
        found: dict[str, Any] = stage.ask("training", "GET", f"/queue/{job}")
        return found if found["status"] in ("COMPLETED", "FAILED", "CANCELLED") else None

    found: dict[str, Any] = until(ended, f"job {job}", seconds=JOB_SECONDS)
    assert may_fail or found["status"] == "COMPLETED", found["error_msg"]
    return found


def _newest(stage: Stage, path: str, name: str) -> int:
    found = stage.ask("training", "GET", f"{path}?limit=1")[name]
    return int(found[0]["id"]) if found else 0


def _paper_trades(stage: Stage) -> None:
    """Let the package that comes along trade the last days, each candle told when it closed."""

    def warm() -> bool:
        return bool(stage.ask("prediction", "GET", f"/model-packages/{PACKAGE}")["warmup_status"] == "DONE")

    until(warm, "the warm-up")
    found = stage.ask("prediction", "GET", f"/candles?symbol={SYMBOL}&interval=15m&limit={TRADED_CANDLES}")["candles"]
    candles = sorted(found, key=lambda candle: str(candle["open_time"]))
    first = {"timestamp": candles[0]["open_time"], "price": candles[0]["open"]}
    # The account begins where the candles do.
    stage.ask("prediction", "GET", f"/paper/account/{PACKAGE}")
    told = {"model_id": PACKAGE, "symbol": SYMBOL, "side": "LONG", **first}
    stage.ask("prediction", "POST", "/paper/position/open", told)
    stage.ask("prediction", "POST", f"/paper/account/{PACKAGE}/reset?keep_history=false")
    for number, (candle, following) in enumerate(pairwise(candles)):
        at, price = following["open_time"], candle["close"]
        stage.ask("prediction", "POST", "/paper/price-update", {"symbol": SYMBOL, "price": price, "timestamp": at})
        if number % CANDLES_A_SIGNAL == 0:
            said = stage.ask("prediction", "GET", f"/paper/ml-signal/{PACKAGE}?symbol={SYMBOL}&at={at}")
            body = {"model_id": PACKAGE, "symbol": SYMBOL, "current_price": price, "timestamp": at}
            body |= {"signal": said["signal"], "confidence": said["confidence"]}
            stage.ask("prediction", "POST", "/paper/signal", body)
