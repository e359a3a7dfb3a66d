"""What a package answers when it is asked about a market."""

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.contracts.candles import Symbol
from shared.contracts.fields import Moment
from shared.contracts.packages import Signal, WarmupStatus

Sentiment = Literal["bullish", "bearish", "neutral"]
Source = Literal["candles", "coin_metrics"]


class SignalFilter(BaseModel):
    """About which market, as of when, from what."""

    model_config = ConfigDict(extra="forbid")

    symbol: Symbol | None = Field(None, description="Market, or the mint of a coin; none: the one of the manifest")
    at: Moment | None = Field(None, description="As of then: candles that had closed by it; none: now")
    source: Source | None = Field(None, description="Where candles come from; none: as the manifest says")


class ForecastValues(BaseModel):
    """The forecast as three curves, one value a step; returns are log(price at the step / price now)."""

    times: list[AwareDatetime] = Field(description="Close of each forecast candle")
    lower: list[float] = Field(description="Cumulative log returns of the lowest quantile")
    median: list[float]
    upper: list[float]
    lower_price: list[float]
    median_price: list[float]
    upper_price: list[float]


class ScalerDiagnostics(BaseModel):
    """Where the scales of the channels came from."""

    source: Literal["manifest", "warmup_rows", "both"]
    from_warmup_rows: list[str] = Field(description="Channels without mean and scale in the manifest")


class SignalDiagnostics(BaseModel):
    """What the answer rests on."""

    lookback_rows_used: int = Field(description="Rows of features without a gap; 1500 candles give 828")
    warmup_ready: bool
    warmup_status: WarmupStatus
    feature_dim: int = Field(description="Numbers in the observation of the policy")
    scaler: ScalerDiagnostics
    probe: dict[str, Any] | None = Field(description="What the probe of the manifest found; null: it has none")
    package_id: str
    package_name: str
    forecast_arch: str
    policy_algorithm: str
    forecast_sha256: str
    ppo_sha256: str
    symbol: str
    source: Source
    interval_seconds: int
    candles_used: int
    candles_without_trades: int = Field(description="Made up of the last price, of coin_metrics only")
    candle_close_time: AwareDatetime = Field(description="Close of the newest candle: the moment of the signal")
    age_seconds: float = Field(description="Since then, up to `at` or now")
    age: str | None = Field(description="Set when candles have not arrived since: which and for how long")


class PackageSignal(BaseModel):
    """What a package would do now."""

    model_config = ConfigDict(protected_namespaces=())

    model_id: str
    symbol: str
    signal: Signal
    confidence: float = Field(description="0–99; 0 for FLAT")
    sentiment: Sentiment
    current_price: float = Field(description="Close of the newest candle")
    action_raw: list[float] = Field(description="What the policy said, before it was read as a signal")
    forecast_values: ForecastValues
    diagnostics: SignalDiagnostics
