"""The config of a patchtst/1 file, with the keys and defaults of PatchTSTConfig of Hugging Face transformers."""

from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from prediction_service.runtime.packages.shapes import Shape
from shared.errors import PackageInvalid

Share = Annotated[float, Field(ge=0, lt=1)]
_LIKENESS = 0.85


class PatchTstConfig(BaseModel):
    """What builds the network. Keys that only matter to pretraining or to saving are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    # Theirs have no defaults that a real model would have by chance.
    num_input_channels: int = Field(ge=1, le=64)
    context_length: int = Field(ge=1, le=8192)
    patch_length: int = Field(ge=1, le=1024)
    patch_stride: int = Field(ge=1, le=1024)
    prediction_length: int = Field(ge=1, le=4096)
    d_model: int = Field(128, ge=1, le=4096)
    num_attention_heads: int = Field(4, ge=1, le=128)
    num_hidden_layers: int = Field(3, ge=0, le=64)
    ffn_dim: int = Field(512, ge=1, le=16_384)
    norm_type: Literal["batchnorm", "layernorm"] = "batchnorm"
    norm_eps: float = Field(1e-5, gt=0, lt=1)
    pre_norm: bool = True
    activation_function: Literal["gelu", "relu", "silu", "tanh", "sigmoid", "leaky_relu"] = "gelu"
    bias: bool = True
    share_embedding: bool = True
    channel_attention: bool = False
    use_cls_token: bool = False
    positional_encoding_type: Literal["sincos", "random"] = "sincos"
    pooling_type: Literal["mean", "max"] | None = "mean"
    share_projection: bool = True
    scaling: Literal["std", "mean", "none"] | bool | None = "std"
    minimum_scale: float | None = Field(None, gt=0, description="null: 1e-5 for std, 1e-10 for mean")
    scaling_dim: Literal[1] = 1
    keepdim: Literal[True] = True
    loss: Literal["mse", "quantile"] = Field("mse", description="A distribution (nll) cannot be read as quantiles")
    attention_dropout: Share = 0.0
    positional_dropout: Share = 0.0
    path_dropout: Share = 0.0
    ff_dropout: Share = 0.0
    head_dropout: Share = 0.0
    quantiles: list[float] | None = Field(None, max_length=19, description="Ours: the head has one column for each")
    target_channel: int = Field(0, ge=0, description="Ours: whose forecast a cumulative_log_return is")

    @property
    def patches(self) -> int:
        """How many patches the context holds; the oldest values are left out when they do not fill one."""
        return (self.context_length - self.patch_length) // self.patch_stride + 1

    @property
    def scaler(self) -> Literal["std", "mean", "none"]:
        """The kind of scaling, whose true means mean."""
        if isinstance(self.scaling, str):
            return self.scaling
        return "mean" if self.scaling else "none"


def read_config(config: dict[str, Any]) -> PatchTstConfig:
    """Check the config of a patchtst/1 file; PackageInvalid names what is wrong."""
    for key in config.keys() - PatchTstConfig.model_fields.keys():
        meant = get_close_matches(str(key)[:80], PatchTstConfig.model_fields, n=1, cutoff=_LIKENESS)
        if meant:
            raise PackageInvalid(f"config.{key!s:.80} of the forecaster is unknown; {meant[0]} is meant?")
    if str(config.get("loss", "mse")) not in {"mse", "quantile"}:
        raise PackageInvalid(
            f"config.loss of the forecaster is {config['loss']!r:.60}: distribution outputs cannot be rebuilt; "
            "train it with loss 'mse', or with a head of quantiles"
        )
    try:
        read = PatchTstConfig.model_validate(config)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(["config", *(str(part) for part in first["loc"][:1])])
        raise PackageInvalid(f"{field} of the forecaster: {first['msg']}, got {first['input']!r:.60}") from None
    if read.context_length <= read.patch_length:
        raise _contradiction(
            "context_length", read.context_length, f"which must exceed patch_length {read.patch_length}"
        )
    if read.d_model % read.num_attention_heads:
        raise _contradiction(
            "num_attention_heads", read.num_attention_heads, f"which does not divide d_model {read.d_model}"
        )
    if read.target_channel >= read.num_input_channels:
        raise _contradiction("target_channel", read.target_channel, f"of {read.num_input_channels} channels from 0")
    return read


def _contradiction(key: str, value: int, why: str) -> PackageInvalid:
    return PackageInvalid(f"config.{key} of the forecaster is {value}, {why}")


def tensor_shapes(config: PatchTstConfig, quantiles: int) -> dict[str, Shape]:
    """Give the name and shape of every tensor of such a forecaster."""
    width, encoder = config.d_model, "model.encoder."
    places = config.patches + config.use_cls_token
    shapes: dict[str, Shape] = {f"{encoder}positional_encoder.position_enc": (places, width)}
    if config.use_cls_token:
        shapes[f"{encoder}positional_encoder.cls_token"] = (1, 1, 1, width)
    embedding = f"{encoder}embedder.input_embedding"
    for name in _each(embedding, config.num_input_channels, shared=config.share_embedding):
        shapes |= _linear(name, width, config.patch_length)
    for index in range(config.num_hidden_layers):
        layer = f"{encoder}layers.{index}."
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes |= _linear(f"{layer}self_attn.{name}", width, width)
        for name in ("norm_sublayer1", *(["norm_sublayer2"] if config.channel_attention else []), "norm_sublayer3"):
            shapes |= _norm(layer + name, config)
        shapes |= _linear(f"{layer}ff.0", config.ffn_dim, width, bias=config.bias)
        shapes |= _linear(f"{layer}ff.3", width, config.ffn_dim, bias=config.bias)
    pooled = width if config.use_cls_token or config.pooling_type else width * config.patches
    head = "head.projection" if config.share_projection else "head.projections"
    for name in _each(head, config.num_input_channels, shared=config.share_projection):
        shapes |= _linear(name, config.prediction_length * quantiles, pooled)
    return shapes


def _each(name: str, channels: int, *, shared: bool) -> list[str]:
    return [name] if shared else [f"{name}.{index}" for index in range(channels)]


def _linear(name: str, rows: int, columns: int, *, bias: bool = True) -> dict[str, Shape]:
    return {f"{name}.weight": (rows, columns), **({f"{name}.bias": (rows,)} if bias else {})}


def _norm(name: str, config: PatchTstConfig) -> dict[str, Shape]:
    if config.norm_type == "layernorm":
        return {f"{name}.{part}": (config.d_model,) for part in ("weight", "bias")}
    values = {
        f"{name}.batchnorm.{part}": (config.d_model,) for part in ("weight", "bias", "running_mean", "running_var")
    }
    return {**values, f"{name}.batchnorm.num_batches_tracked": ()}
