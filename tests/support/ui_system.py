"""Both services as the page of the system sees them: all well, unless a test says otherwise."""

from datetime import UTC, datetime
from typing import Any

from shared.contracts.candle_feeds import CandleFeed, CandleFeeds
from shared.contracts.health import Configuration, HealthReport, Setting
from shared.contracts.packages import Package, Packages
from shared.contracts.statistics import Books, ServiceStatistics, WorkerState
from tests.support.fake_services import FakeService
from tests.support.ui_active import service_statistics

QUEUE = {"jobs_waiting": 0, "jobs_running": 0}


def health(service: str = "prediction", **changed: Any) -> HealthReport:
    """Give a service that is well."""
    values: dict[str, Any] = {
        "status": "healthy", "service": service, "db_connected": True, "uptime_seconds": 7200.0,
        "start_time": datetime.now(UTC), "last_error": None, "listener": "listen", "lag_seconds": 0.0,
        "disk_free_bytes": 64 << 30, "model_store": "writable", "migrations": "current",
        "details": QUEUE if service == "training" else {},
    }  # fmt: skip
    return HealthReport(**{**values, **changed})


def worker(**changed: Any) -> WorkerState:
    """Give a worker that answers all coins."""
    values: dict[str, Any] = {
        "shards": list(range(8)), "beat": datetime.now(UTC), "listener": "listen", "lag_seconds": 0.0,
        "coins_in_memory": 1234, "trouble": None,
    }  # fmt: skip
    return WorkerState(**{**values, **changed})


def books(**changed: Any) -> Books:
    """Give books that balance."""
    values: dict[str, Any] = {
        "rows": 600, "owed": 1200, "predictions": 1150, "skipped": {"duplicate": 40, "stale": 10}, "not_rolled_up": 0,
        "balanced": True,
    }  # fmt: skip
    return Books(**{**values, **changed})


def statistics(**changed: Any) -> ServiceStatistics:
    """Give a service with one worker and balanced books."""
    values: dict[str, Any] = {"workers": [worker()], "books": books(), "recording_clock": datetime.now(UTC)}
    return service_statistics().model_copy(update={**values, **changed})


def feed(name: str = "binance:BTC/USDT:15m", **changed: Any) -> CandleFeed:
    """Give a feed that is followed."""
    values: dict[str, Any] = {
        "feed": name, "symbol": "BTCUSDT", "interval": "15m", "last_candle": datetime.now(UTC),
        "updated_at": datetime.now(UTC),
    }  # fmt: skip
    return CandleFeed(**{**values, **changed})


def package(**changed: Any) -> Package:
    """Give a package that is warm."""
    values: dict[str, Any] = dict.fromkeys(Package.model_fields)
    values |= {
        "id": "ppo_v1", "name": "PPO v1", "status": "READY", "warmup_required": True, "warmup_status": "DONE",
        "forecast_rel_path": "f", "ppo_rel_path": "p", "uploaded_by": "local", "is_builtin": True,
        "created_at": datetime.now(UTC), "updated_at": datetime.now(UTC),
    }  # fmt: skip
    return Package(**{**values, **changed})


def setting(name: str, value: Any, default: Any = None, **changed: Any) -> Setting:
    """Give a setting, changed where its value is not the default."""
    values: dict[str, Any] = {
        "name": name, "value": value, "default": default, "is_changed": value != default, "is_secret": False,
        "origin": "default" if value == default else "environment", "description": f"What {name} means",
    }  # fmt: skip
    return Setting(**{**values, **changed})


def configuration(service: str = "prediction", version: str = "0.1.0") -> Configuration:
    """Give some settings."""
    found = [
        setting("ALLOWED_HOSTS", ["bot.lan", "n8n"], []),
        setting("API_KEYS", "set", [], is_secret=True),
        setting("BATCH_SIZE", 500, 500),
        setting("DB_DSN", "postgresql://db.lan/coins", "", is_secret=True),
        setting("N8N_WEBHOOK_URL", "not set", "", is_secret=True, is_changed=False),
        setting("WEBHOOK_ALLOW_PRIVATE", value=False, default=False),
    ]
    return Configuration(service=service, version=version, settings=found)


def serve(prediction: FakeService, training: FakeService, **of_statistics: Any) -> None:
    """Have both services say that all is well."""
    prediction.get("/health", health()).get("/stats", statistics(**of_statistics))
    prediction.get("/candles/feeds", CandleFeeds(feeds=[]))
    prediction.get("/model-packages", Packages(packages=[package()], total=1))
    prediction.get("/configuration", configuration())
    training.get("/health", health("training")).get("/configuration", configuration("training"))
