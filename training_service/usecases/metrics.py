"""Prometheus metrics of the training worker: its own timings and troubles. The API tells totals, from the database."""

from prometheus_client import Counter, Gauge, Histogram

ACTIVE = Gauge("ml_active_jobs", "Jobs this worker runs")
DURATION = Histogram(
    "ml_jobs_duration_seconds", "Time of a job's attempt", buckets=(1, 3, 10, 30, 60, 180, 600, 1800, 7200)
)
QUEUE_WAIT = Histogram(
    "ml_job_queue_wait_seconds",
    "From the request for a job, or its retry, to its first attempt",
    buckets=(0.1, 0.5, 1, 3, 10, 30, 60, 180, 600, 1800, 7200),
)
LOST_JOBS = Counter("ml_jobs_lost", "Jobs of vanished workers that this one put back into the queue")
