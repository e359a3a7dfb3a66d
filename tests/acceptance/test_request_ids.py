"""One id leads through the logs of all processes, one trace through their spans, and no secret is among them."""

import time
from pathlib import Path

from tests.support.collector import collecting
from tests.support.database import TestServer
from tests.support.stage import stage
from tests.support.stage_logs import (
    HEADER,
    MARKED,
    PASSWORD,
    follow_import,
    follow_job,
    follow_message,
    see_no_secret,
    see_trace,
)
from tests.support.stage_market import go_on, load_history, market
from tests.support.stage_receiver import receiving

SERVICES = ("training-api", "prediction-api", "training-worker", "prediction-worker")
QUESTION = {
    "name": "followed", "model_type": "xgboost", "features": ["price_close", "volume_sol"],
    "target_var": "price_close", "use_time_based_prediction": True, "future_minutes": 5, "min_percent_change": 20.0,
    "direction": "down",
}  # fmt: skip


def test_request_when_it_leads_to_a_job_and_to_a_message_then_its_id_is_in_all_logs_and_its_spans_hang_together(
    postgres: TestServer, tmp_path: Path
):
    shown = market(history_minutes=150, later_minutes=60)
    with postgres.fresh() as name, receiving() as received, collecting() as spans:
        dsn = postgres.dsn(name)
        load_history(dsn, shown)
        told = {
            **MARKED,
            "LOG_LEVEL": "INFO",
            "OTEL_EXPORTER_OTLP_ENDPOINT": spans.url,
            "OTEL_BSP_SCHEDULE_DELAY": "500",
        }
        with stage(tmp_path, f"{dsn}&password={PASSWORD}", *SERVICES, **told) as running:
            there = running.ask("training", "GET", "/data-availability")
            window = {"train_start": there["min_timestamp"], "train_end": there["max_timestamp"]}
            asked = running.ask("training", "POST", "/models/create", QUESTION | window, request_id="followed-1")
            while (job := running.ask("training", "GET", f"/queue/{asked['job_id']}"))["status"] in {
                "PENDING",
                "RUNNING",
            }:
                time.sleep(0.3)
            assert job["request_id"] == "followed-1"
            running.ask("prediction", "POST", "/models/import", {"model_id": job["result_model_id"]})
            endpoint = {"url": received.url, "headers": {"X-Secret": HEADER}}
            created = running.ask("prediction", "POST", "/webhooks", endpoint)
            go_on(running.dsn, shown.later(0, 2))
            follow_import(running)
            see_trace(spans, follow_job(running, "TRAIN"), follow_message(running, received, created["id"]))
            see_no_secret(running, created["secret"])
