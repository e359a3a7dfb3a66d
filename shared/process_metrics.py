"""Metrics that every worker has: troubles, time since the start, connections to the database."""

from collections.abc import Iterable

from prometheus_client import REGISTRY, Counter, Gauge, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from shared.db import Pool

# A line more for every series, which nobody reads.
disable_created_metrics()  # type: ignore[no-untyped-call]


def pool_families(pool: Pool) -> list[Metric]:
    """Give what a pool has and may have."""
    family = GaugeMetricFamily("ml_db_pool_connections", "Connections of the pool by state", labels=["state"])
    idle = pool.get_idle_size()
    family.add_metric(["used"], pool.get_size() - idle)
    family.add_metric(["idle"], idle)
    most = GaugeMetricFamily("ml_db_pool_max_connections", "Connections that the pool may have", pool.get_max_size())
    return [family, most]


class PoolFigures(Collector):
    """The same for a worker, whose figures are collected by a thread of their own."""

    def __init__(self) -> None:
        self.pool: Pool | None = None
        """Set while there is one."""

    def collect(self) -> Iterable[Metric]:
        """Give the figures; none without a pool."""
        return [] if self.pool is None else pool_families(self.pool)


ERRORS = Counter("ml_errors", "Troubles of loops and attempts, each tried again, by class of error", ["type"])
UPTIME = Gauge("ml_service_uptime_seconds", "Seconds since the start")
WORKER_POOL = PoolFigures()
REGISTRY.register(WORKER_POOL)
