"""Packages of a forecaster and a policy: the manifest, and what the registry answers."""

from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

from shared.contracts.candles import DAY_SECONDS
from shared.contracts.fields import NO_NUL, Name

Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
PackageStatus = Literal["UPLOADED", "READY", "ARCHIVED"]
WarmupStatus = Literal["PENDING", "RUNNING", "DONE", "FAILED"]
Signal = Literal["LONG", "SHORT", "FLAT"]
Block = Literal["core28", "forecast35", "account9"]
BLOCK_SIZES: dict[Block, int] = {"core28": 28, "forecast35": 35, "account9": 9}
Activation = Literal["tanh", "relu", "elu", "leaky_relu", "gelu", "silu", "sigmoid", "identity"]
MOST_CHANNELS = 64
MOST_PACKAGES = 1000
"""In one answer."""
PackageId = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,128}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Channel(_Strict):
    """One input series of the forecaster: (transform(x) − mean) / scale."""

    name: str = Field(max_length=64, description="A column of core28")
    transform: Literal["none", "percent", "log1p"] = "none"
    mean: Finite | None = Field(None, description="null: taken from the warm-up rows, and said so in diagnostics")
    scale: Positive | None = None

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.mean is None) != (self.scale is None):
            raise ValueError("mean and scale are given both or neither")
        return self


class Market(_Strict):
    """Candles a package was made for."""

    interval_seconds: int = Field(900, ge=60, le=86_400)
    warmup_bars: int = Field(1500, ge=1, le=20_000, description="Closed candles without a gap that a signal needs")
    symbol: str | None = Field(None, min_length=1, max_length=100, pattern=NO_NUL)
    source: Literal["candles", "coin_metrics"] = "candles"

    @field_validator("interval_seconds")
    @classmethod
    def _divides_a_day(cls, seconds: int) -> int:
        if DAY_SECONDS % seconds:
            raise ValueError("must divide a day: there are no candles of this length")
        return seconds


class Output(_Strict):
    """What the numbers of the head mean."""

    kind: Literal["cumulative_log_return", "step_log_return"] = Field(
        "cumulative_log_return",
        description="log(price at step / price now), or the log return of each step in units of its channel",
    )
    channel: str | None = Field(None, description="step_log_return: the channel whose forecast is the price")


class Forecast(_Strict):
    """The forecaster."""

    arch: Literal["patchtst/1", "bare/1"]
    channels: list[Channel] = Field(min_length=1, max_length=MOST_CHANNELS)
    context_length: int = Field(ge=1, le=8192)
    patch_length: int = Field(ge=1, le=1024)
    patch_stride: int = Field(ge=1, le=1024)
    n_heads: int = Field(ge=1, le=128)
    prediction_length: int = Field(ge=1, le=4096)
    quantiles: list[Annotated[float, Field(gt=0, lt=1)]] = Field(
        [0.2, 0.5, 0.8], min_length=1, max_length=19, description="Ascending, with 0.5; one: a point forecast"
    )
    output: Output = Output()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if sorted(set(self.quantiles)) != self.quantiles or 0.5 not in self.quantiles:  # noqa: PLR2004
            raise ValueError("quantiles must ascend and hold 0.5")
        names = [channel.name for channel in self.channels]
        if len(set(names)) < len(names):
            raise ValueError("a channel is named twice")
        if self.patch_length > self.context_length:
            raise ValueError("patch_length must not exceed context_length")
        if (self.output.kind == "step_log_return") != (self.output.channel is not None):
            raise ValueError("output.channel belongs to step_log_return, which needs it")
        if self.output.channel is not None and self.output.channel not in names:
            raise ValueError("output.channel must be one of the channels")
        return self


class Normalization(_Strict):
    """Statistics of observations, as VecNormalize keeps them: clip((obs − mean) / sqrt(var + epsilon))."""

    mean: list[Finite] = Field(min_length=1, max_length=4096)
    var: list[Annotated[float, Field(ge=0, allow_inf_nan=False)]] = Field(min_length=1, max_length=4096)
    epsilon: Positive = 1e-8
    clip: Positive = 10.0


class BoxSpace(_Strict):
    """Continuous actions within these bounds."""

    kind: Literal["box"] = "box"
    low: list[Finite] = Field(min_length=1, max_length=256)
    high: list[Finite] = Field(min_length=1, max_length=256)
    squash: bool = Field(
        False, description="Not clipped, but tanh stretched over the bounds, as gSDE with squash_output"
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if len(self.low) != len(self.high) or any(a >= b for a, b in zip(self.low, self.high, strict=True)):
            raise ValueError("low and high must have the same length, and every low lie below its high")
        return self


class DiscreteSpace(_Strict):
    """One of n actions."""

    kind: Literal["discrete"] = "discrete"
    n: int = Field(ge=2, le=256)


ActionSpace = Annotated[BoxSpace | DiscreteSpace, Field(discriminator="kind")]


class DirectionDecoder(_Strict):
    """d = action[index]; above the threshold LONG, below its negative SHORT, else FLAT."""

    kind: Literal["direction"] = "direction"
    index: int = Field(0, ge=0, le=255)
    threshold: float = Field(0.33, gt=0, lt=1)


class ChoiceDecoder(_Strict):
    """The signal of each discrete action; confidence is its probability."""

    kind: Literal["choice"] = "choice"
    signals: list[Signal] = Field(min_length=2, max_length=256)


Decoder = Annotated[DirectionDecoder | ChoiceDecoder, Field(discriminator="kind")]


class Policy(_Strict):
    """The policy, rebuilt from policy.pth."""

    algorithm: Literal["PPO"] = "PPO"
    net_arch: list[Annotated[int, Field(ge=1, le=8192)]] = Field(max_length=16)
    activation: Activation = "tanh"
    observation: list[Block] = Field(["core28", "forecast35", "account9"], min_length=1, max_length=3)
    obs_dim: int = Field(ge=1, le=4096)
    obs_normalization: Normalization | None = None
    action_space: ActionSpace
    decoder: Decoder = DirectionDecoder()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(set(self.observation)) < len(self.observation):
            raise ValueError("a block of the observation is named twice")
        expected = sum(BLOCK_SIZES[block] for block in self.observation)
        if self.obs_dim != expected:
            raise ValueError(f"obs_dim is {self.obs_dim}, the observation {'+'.join(self.observation)} has {expected}")
        if self.obs_normalization and {len(self.obs_normalization.mean), len(self.obs_normalization.var)} != {expected}:
            raise ValueError(f"obs_normalization must have {expected} means and variances")
        match self.action_space, self.decoder:
            case BoxSpace() as box, DirectionDecoder() as decoder if decoder.index < len(box.low):
                pass
            case DiscreteSpace(n=n), ChoiceDecoder(signals=signals) if n == len(signals):
                pass
            case _:
                raise ValueError("the decoder does not fit the action space: direction reads an index of a box, "
                                 "choice names the signal of every discrete action")  # fmt: skip
        return self


class ProbeCandles(_Strict):
    """Candles of a probe, oldest first, without gaps."""

    start: AwareDatetime
    open: list[Positive] = Field(max_length=20_000)
    high: list[Positive] = Field(max_length=20_000)
    low: list[Positive] = Field(max_length=20_000)
    close: list[Positive] = Field(max_length=20_000)
    volume: list[Annotated[float, Field(ge=0, allow_inf_nan=False)]] = Field(max_length=20_000)


class Probe(_Strict):
    """An input with the answers its trainer saw: proves that pair, features and manifest belong together."""

    candles: ProbeCandles
    account: list[Finite] = Field(min_length=9, max_length=9, description="The block account9")
    forecast: list[list[Finite]] = Field(max_length=4096, description="prediction_length rows of all quantiles")
    action: list[Finite] = Field(min_length=1, max_length=256)
    tolerance: float = Field(1e-3, gt=0, le=0.1, description="Largest absolute difference that passes")


class Digests(_Strict):
    """SHA-256 of both files."""

    forecast_model: Sha256
    ppo_model: Sha256


class Manifest(_Strict):
    """Everything about a package that its two files do not say themselves."""

    format: Literal["package/1"] = "package/1"
    layout: Literal["core28-forecast35-account9/1"] = "core28-forecast35-account9/1"
    market: Market = Market()
    forecast: Forecast
    policy: Policy
    sha256: Digests | None = None
    probe: Probe | None = None
    versions: dict[str, Annotated[str, Field(max_length=100)]] = Field({}, max_length=20)
    description: str = Field("", max_length=2000)
    report: dict[str, Any] = Field({}, description="What its trainer measured; shown, never used")
    inferred: list[Annotated[str, Field(max_length=100)]] = Field(
        [], max_length=100, description="What was not given but taken from the files or from defaults"
    )


class Package(BaseModel):
    """A package as the registry lists it."""

    model_config = ConfigDict(protected_namespaces=())

    id: str
    name: str
    status: PackageStatus
    warmup_required: bool
    warmup_status: WarmupStatus
    warmup_error: str | None
    warmup_completed_at: AwareDatetime | None
    forecast_rel_path: str
    ppo_rel_path: str
    forecast_sha256: str | None
    ppo_sha256: str | None
    forecast_bytes: int | None
    ppo_bytes: int | None
    uploaded_by: str
    is_builtin: bool
    validated_at: AwareDatetime | None
    archived_at: AwareDatetime | None
    created_at: AwareDatetime
    updated_at: AwareDatetime


class PackageDetails(Package):
    """A package with its manifest and what its latest warm-up found."""

    manifest: dict[str, Any]
    warmup_diagnostics: dict[str, Any]
    request_id: str | None = Field(
        None, description="X-Request-ID of the request that uploaded it, or asked for its latest warm-up"
    )


class Packages(BaseModel):
    """The registry, newest first."""

    packages: list[Package]
    total: int


class UploadOptions(BaseModel):
    """How an upload is treated."""

    model_config = ConfigDict(extra="forbid")

    strict: bool = Field(False, description="Wait for the validation; 422 to files that are not safe or do not fit")


class UploadedPackage(BaseModel):
    """What an upload made."""

    id: str
    name: Name
    status: PackageStatus
    warmup_required: bool
    warmup_status: WarmupStatus
