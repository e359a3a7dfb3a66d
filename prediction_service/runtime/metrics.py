"""Prometheus metrics of the live worker: its own timings and troubles. The API tells totals, from the database."""

import threading
from collections.abc import Iterable

from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

SKIP_REASONS = ("stale", "duplicate", "phase", "coin_filter", "no_score")
"""Why an answer that is owed may be left out."""
_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


class WeightedHistogram(Collector):
    """A histogram that takes many equal values at once: a batch answers hundreds of rows at the same moment.

    >>> delays = WeightedHistogram("ml_doctest_seconds", "Delays", buckets=(1.0, 2.0), registry=None)
    >>> delays.observe(1.5, times=3)
    >>> [(sample.labels.get("le"), sample.value) for sample in delays.collect()[0].samples]
    [('1.0', 0.0), ('2.0', 3.0), ('+Inf', 3.0), (None, 3.0), (None, 4.5)]
    """

    def __init__(
        self, name: str, documentation: str, *, buckets: tuple[float, ...], registry: object = REGISTRY
    ) -> None:
        self._name = name
        self._documentation = documentation
        self._bounds = (*buckets, float("inf"))
        self._counts = [0] * len(self._bounds)
        self._sum = 0.0
        # Scrapes are answered by another thread.
        self._lock = threading.Lock()
        if registry is REGISTRY:
            REGISTRY.register(self)

    def observe(self, value: float, *, times: int) -> None:
        """Count a value so many times."""
        place = next(number for number, bound in enumerate(self._bounds) if value <= bound)
        with self._lock:
            self._counts[place] += times
            self._sum += value * times

    def collect(self) -> list[Metric]:
        """Give the family."""
        with self._lock:
            counts, total = list(self._counts), self._sum
        buckets, below = [], 0
        for bound, count in zip(self._bounds, counts, strict=True):
            below += count
            buckets.append(("+Inf" if bound == float("inf") else str(bound), float(below)))
        return [HistogramMetricFamily(self._name, self._documentation, buckets=buckets, sum_value=total)]

    def describe(self) -> Iterable[Metric]:
        """Give the name without a look at the values."""
        return [HistogramMetricFamily(self._name, self._documentation)]


BATCH_SECONDS = Histogram(
    "ml_prediction_duration_seconds",
    "From reading a batch of rows to the commit of its predictions",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
INSERT_SECONDS = WeightedHistogram(
    "ml_insert_to_prediction_seconds",
    "From the notification of rows, or the last look without them, to the commit of their predictions: at most so long",
    buckets=_SECONDS,
)
RECONNECTS = Counter("ml_listener_reconnects", "How often the listener connected again")
LISTENING = Gauge("ml_listener_up", "1 while notifications of new rows arrive, 0 while the worker polls")
LAG = Gauge("ml_lag_seconds", "Since when the worker has not caught up with the table; 0 when it has")
LOADED = Gauge("ml_loaded_models", "Models in the memory of this worker")
WEBHOOK_SECONDS = Histogram(
    "ml_webhook_duration_seconds", "From connecting to a receiver to its answer, or to giving up", buckets=_SECONDS
)
PACKAGE_CHILD_FAILURES = Counter("ml_package_child_failures", "Ends of the process of packages that were not meant")
