"""Prometheus metrics of the live worker."""

from prometheus_client import Counter, Gauge, Histogram

ROWS = Counter("ml_rows_processed", "Rows of coin_metrics that were looked at")
PREDICTIONS = Counter("ml_predictions", "Predictions stored", ["active_model_id"])
ALERTS = Counter("ml_alerts_triggered", "Predictions at or above the alert threshold")
SKIPPED = Counter("ml_rows_skipped", "Answers owed but left out", ["reason"])
BATCH_SECONDS = Histogram(
    "ml_prediction_duration_seconds",
    "From reading a batch of rows to the commit of its predictions",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)
ERRORS = Counter("ml_errors", "Failures of the live loop, each tried again", ["type"])
RECONNECTS = Gauge("ml_listener_reconnects_total", "How often the listener connected again")
MODELS = Gauge("ml_active_models", "Models that answer")
PACKAGE_CHILD_FAILURES = Counter("ml_package_child_failures", "Ends of the process of packages that were not meant")
