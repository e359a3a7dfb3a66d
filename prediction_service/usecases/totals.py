"""What the prediction API tells Prometheus: totals of the database, which no restart and no deletion loses."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from prediction_service.runtime.metrics import SKIP_REASONS
from prediction_service.store import active_models, deliveries, drift, endpoints, positions
from prediction_service.store import statistics as statistics_store
from prediction_service.store.positions import Reported
from prediction_service.store.statistics import NOTHING, Lately, Total
from shared.db import Pool, UndefinedTable

BEAT_SECONDS = 30
"""A worker that has said nothing for so long does not work."""
LATELY = timedelta(days=1)
_ENDINGS = ("delivered", "failed", "expired")
_ACTIVE_ID = "active_model_id"


async def totals(pool: Pool) -> list[Metric]:
    """Give all totals; none while the tables are missing."""
    try:
        reported = await positions.reported(pool)
        clock = max((one.clock for one in reported if one.clock is not None), default=None)
        active = await active_models.list_active_ids(pool)
        return [
            *_of_rows(reported, clock),
            *_of_models(active, await statistics_store.totals(pool)),
            *_of_active_models(
                active,
                await statistics_store.lately(pool, since=clock - LATELY) if clock is not None else {},
                await drift.newest_scores(pool),
            ),
            *await _of_webhooks(pool),
        ]
    except UndefinedTable:
        return []


def is_silent(one: Reported) -> bool:
    """Tell whether a shard has no worker that lives."""
    beat = one.status.get("beat")
    return beat is None or (datetime.now(UTC) - datetime.fromisoformat(beat)).total_seconds() > BEAT_SECONDS


def _of_rows(reported: Sequence[Reported], clock: datetime | None) -> list[Metric]:
    left_out = Counter(dict.fromkeys(SKIP_REASONS, 0))
    rows = 0
    for one in reported:
        left_out.update(one.counters.get("skipped", {}))
        rows += one.counters.get("rows", 0)
    skipped = CounterMetricFamily("ml_rows_skipped", "Answers owed but left out", labels=["reason"])
    for reason, total in left_out.items():
        skipped.add_metric([reason], total)
    workers = len({one.owner for one in reported if not is_silent(one)})
    newest = GaugeMetricFamily(
        "ml_newest_row_timestamp_seconds", "The recording clock: newest timestamp that is believed"
    )
    if clock is not None:
        newest.add_metric([], clock.timestamp())
    return [
        CounterMetricFamily("ml_rows_processed", "Rows of coin_metrics that were taken in", rows),
        skipped,
        newest,
        GaugeMetricFamily("ml_prediction_workers", "Workers that own coins and live", workers),
    ]


def _of_models(active: Sequence[int], made_by: Mapping[int, Total]) -> list[Metric]:
    # What has not begun yet stands at 0, or its first ones would be no increase.
    found = {**dict.fromkeys(active, NOTHING), **made_by}
    made = CounterMetricFamily("ml_predictions", "Predictions stored", labels=[_ACTIVE_ID])
    outcomes = CounterMetricFamily("ml_outcomes", "Predictions whose outcome is known", labels=[_ACTIVE_ID, "outcome"])
    for active_id, total in found.items():
        made.add_metric([str(active_id)], total.predictions)
        for outcome, number in total.outcomes.items():
            outcomes.add_metric([str(active_id), outcome], number)
    alerts = sum(total.alerts for total in found.values())
    return [
        made,
        outcomes,
        CounterMetricFamily("ml_alerts_triggered", "Predictions at or above the alert threshold", alerts),
    ]


def _of_active_models(active: Sequence[int], lately: Mapping[int, Lately], scores: Mapping[int, float]) -> list[Metric]:
    labels = [_ACTIVE_ID, "of"]
    precision = GaugeMetricFamily(
        "ml_live_precision", "Share that came true in the last 24 recorded hours", labels=labels
    )
    known = GaugeMetricFamily("ml_live_outcomes", "Outcomes that this share rests on", labels=labels)
    drifted = GaugeMetricFamily(
        "ml_drift_score_psi", "Stability index of the probability on the newest measured day", labels=[_ACTIVE_ID]
    )
    for active_id in active:
        if active_id in lately:
            for of, (true, false) in lately[active_id].by_kind.items():
                known.add_metric([str(active_id), of], true + false)
                if true + false:
                    precision.add_metric([str(active_id), of], true / (true + false))
        if active_id in scores:
            drifted.add_metric([str(active_id)], scores[active_id])
    return [precision, known, drifted, GaugeMetricFamily("ml_active_models", "Models that predict", len(active))]


async def _of_webhooks(pool: Pool) -> list[Metric]:
    sent = CounterMetricFamily("ml_webhook_deliveries", "Messages by how they ended", labels=["result"])
    for status, total in {**dict.fromkeys(_ENDINGS, 0), **await deliveries.endings(pool)}.items():
        sent.add_metric([status], total)
    states = GaugeMetricFamily("ml_webhook_endpoints", "Endpoints by state", labels=["state"])
    for state, number in (await endpoints.count_states(pool)).items():
        states.add_metric([state], number)
    oldest = await deliveries.oldest_pending(pool)
    waited = 0.0 if oldest is None else max(0.0, time.time() - oldest.timestamp())
    return [
        sent,
        states,
        GaugeMetricFamily("ml_webhook_backlog", "Messages that wait", await deliveries.count_pending(pool)),
        GaugeMetricFamily(
            "ml_webhook_oldest_seconds", "Age of the oldest message that waits for the first time", waited
        ),
    ]
