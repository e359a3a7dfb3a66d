"""Settings of the prediction service."""

import re
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from shared.contracts.candle_feeds import Feed, parse_feed
from shared.settings import HEX_KEY, CommaList, Port, ServiceSettings, TrainingAddressPart


class PredictionSettings(ServiceSettings, TrainingAddressPart):
    """Everything the prediction API and its worker read."""

    prediction_api_port: Port = Field(8000, description="Port of the prediction API")
    prediction_metrics_port: Port = Field(9100, description="Metrics of the worker; taken: the next free one")
    polling_interval_seconds: Annotated[float, Field(gt=0, le=3600)] = Field(
        30, description="Seconds between two looks when no notification comes"
    )
    batch_size: Annotated[int, Field(ge=1, le=10_000)] = Field(
        500, description="Rows of one batch; up to eight times it in catch-up"
    )
    batch_timeout_seconds: Annotated[float, Field(ge=0, le=10)] = Field(
        0.05, description="The longest that rows gather under load; an idle worker never waits"
    )
    catchup_max_age_seconds: Annotated[float, Field(gt=0)] = Field(
        600, description="A row that arrives this much behind the newest one is counted stale, not predicted"
    )
    default_alert_threshold: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="Alert threshold of new imports; empty: the model's own"
    )
    prediction_retention_days: Annotated[int, Field(ge=1, le=36_500)] | None = Field(
        None,
        description="Days of the recording after which evaluated predictions and ended deliveries go; empty: never",
    )
    n8n_webhook_url: str = Field(
        "", pattern=r"^(https?://.*)?$", description="The built-in webhook endpoint; empty: none"
    )
    webhook_allowed_hosts: CommaList = Field((), description="Hosts of webhooks that are trusted, by comma")
    webhook_allow_private: bool = Field(False, description="true: webhooks may go to private addresses")
    model_packages_dir: Path | None = Field(
        None, description="Packages of forecaster and policy; empty: packages/ below PUMPCAST_HOME"
    )
    model_package_max_forecast_mb: Annotated[int, Field(ge=1, le=16_384)] = Field(
        512, description="Largest forecast_model.pt of an upload, MiB"
    )
    model_package_max_ppo_mb: Annotated[int, Field(ge=1, le=4096)] = Field(
        32, description="Largest ppo_policy.zip of an upload, MiB"
    )
    candle_feeds: CommaList = Field(
        (), description="Candles that are followed, as exchange:symbol:interval by comma, like binance:BTC/USDT:15m"
    )
    artifact_public_key: CommaList = Field(
        (), description="Ed25519 public keys (hex) by comma, one of which must sign imported model files; empty: any"
    )

    @field_validator("artifact_public_key")
    @classmethod
    def _keys_are_keys(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(re.fullmatch(HEX_KEY, key) for key in value):
            raise ValueError(f"each must match {HEX_KEY}")
        return value

    @field_validator("candle_feeds")
    @classmethod
    def _feeds_can_be_meant(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        feeds = [parse_feed(text) for text in value]
        for number, feed in enumerate(feeds):
            for other in feeds[:number]:
                if (feed.symbol, feed.interval) == (other.symbol, other.interval):
                    raise ValueError(
                        f"{other.name} and {feed.name} both bring {feed.symbol} {feed.interval}: leave one out"
                    )
        return value

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """Give the candles that are followed."""
        return tuple(map(parse_feed, self.candle_feeds))

    @property
    def packages_folder(self) -> Path:
        """Give the folder of packages."""
        return (self.model_packages_dir or self.home / "packages").expanduser().resolve()
