"""What the training API tells Prometheus: totals of the database, which no restart and no deletion loses."""

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from shared.db import Pool, UndefinedColumn, UndefinedTable
from training_service.store import jobs, models
from training_service.store.jobs import JOB_TYPES

ASKED = "PENDING"
ENDED = ("COMPLETED", "FAILED", "CANCELLED")
OPEN = ("PENDING", "RUNNING")


async def totals(pool: Pool) -> list[Metric]:
    """Give all totals; none while the tables are missing."""
    try:
        return [*await _of_jobs(pool), *await _of_queue(pool), *await _of_models(pool)]
    except (UndefinedTable, UndefinedColumn):
        return []


async def _of_jobs(pool: Pool) -> list[Metric]:
    """Count how often jobs came to a state: one that is run again does so twice, and no number ever falls."""
    now, before = await jobs.totals(pool), await jobs.endings_before(pool)
    entered = CounterMetricFamily(
        "ml_jobs", "How often a job was asked for or run again (PENDING), or ended", labels=["job_type", "status"]
    )
    waiting = GaugeMetricFamily("ml_jobs_open", "Jobs that wait or run now", labels=["job_type", "status"])
    for job_type in JOB_TYPES:
        again = sum(before.get((job_type, status), 0) for status in ENDED)
        asked = sum(number for (kind, _), number in now.items() if kind == job_type) + again
        entered.add_metric([job_type, ASKED], asked)
        for status in ENDED:
            entered.add_metric([job_type, status], now.get((job_type, status), 0) + before.get((job_type, status), 0))
        for status in OPEN:
            waiting.add_metric([job_type, status], now.get((job_type, status), 0))
    return [entered, waiting]


async def _of_queue(pool: Pool) -> list[Metric]:
    queue = await jobs.queue(pool)
    return [
        GaugeMetricFamily("ml_jobs_oldest_seconds", "How long the first waiting job waits", queue.oldest_seconds),
        GaugeMetricFamily("ml_jobs_overdue", "Running jobs whose worker has not renewed its lease", queue.overdue),
    ]


async def _of_models(pool: Pool) -> list[Metric]:
    made = await models.totals(pool)
    return [
        CounterMetricFamily("ml_models", "Models ever trained, the deleted ones too", made.ever),
        GaugeMetricFamily("ml_models_available", "Models that are ready and not deleted", made.available),
    ]
