"""PatchTST: forecasts from patches of each channel, read by a transformer.

Nie, Nguyen, Sinthong, Kalagnanam, "A Time Series is Worth 64 Words", ICLR 2023. Parameters are named and computed as in
PatchTSTForPrediction of Hugging Face transformers, so that its state_dicts load. A head of several quantiles is ours.
"""

import math

import torch
from torch import Tensor, nn

from prediction_service.runtime.packages.patchtst_config import PatchTstConfig

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "gelu": nn.GELU,
    "relu": nn.ReLU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "leaky_relu": nn.LeakyReLU,
}
_SMALLEST_VARIANCE, _SMALLEST_MEAN = 1e-5, 1e-10


class PatchTst(nn.Module):
    """Values (batch, context_length, channels) → forecasts (batch, prediction_length, quantiles, channels)."""

    def __init__(self, config: PatchTstConfig, quantiles: int = 1) -> None:
        super().__init__()
        self.config, self.quantiles = config, quantiles
        self.model = nn.ModuleDict({"encoder": _Encoder(config)})
        self.head = _Head(config, quantiles)

    def forward(self, values: Tensor) -> Tensor:
        """Scale by the window's own statistics, forecast, scale back."""
        location, scale = window_scale(values, self.config)
        columns: Tensor = self.head(self.model["encoder"](self._patches((values - location) / scale)))
        forecast = columns.reshape(*columns.shape[:2], self.config.prediction_length, self.quantiles)
        return forecast.permute(0, 2, 3, 1) * scale[:, :, None] + location[:, :, None]

    def _patches(self, scaled: Tensor) -> Tensor:
        """(batch, length, channels) → (batch, channels, patches, patch_length), the newest value in the last patch."""
        config = self.config
        used = config.patch_length + config.patch_stride * (config.patches - 1)
        return scaled[:, -used:].unfold(1, config.patch_length, config.patch_stride).transpose(1, 2)


def window_scale(values: Tensor, config: PatchTstConfig) -> tuple[Tensor, Tensor]:
    """Give location and scale (batch, 1, channels) of windows (batch, length, channels).

    std: mean and sqrt(variance + minimum_scale); mean: 0 and max(mean of |x|, minimum_scale); none: 0 and 1.
    """
    match config.scaler:
        case "std":
            mean = values.mean(1, keepdim=True)
            variance = (values - mean).square().mean(1, keepdim=True)
            return mean, (variance + (config.minimum_scale or _SMALLEST_VARIANCE)).sqrt()
        case "mean":
            scale = values.abs().mean(1, keepdim=True).clamp_min(config.minimum_scale or _SMALLEST_MEAN)
            return torch.zeros_like(scale), scale
        case "none":
            one = torch.ones_like(values[:, :1])
            return torch.zeros_like(one), one


class _Encoder(nn.Module):
    """Patches (batch, channels, patches, patch_length) → (batch, channels, patches or one more, d_model)."""

    def __init__(self, config: PatchTstConfig) -> None:
        super().__init__()
        self.embedder = _Embedding(config)
        self.positional_encoder = _Positions(config)
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.num_hidden_layers))

    def forward(self, patches: Tensor) -> Tensor:
        hidden: Tensor = self.positional_encoder(self.embedder(patches))
        for layer in self.layers:
            hidden = layer(hidden)
        return hidden


class _Embedding(nn.Module):
    def __init__(self, config: PatchTstConfig) -> None:
        super().__init__()
        self.input_embedding: nn.Module = (
            nn.Linear(config.patch_length, config.d_model)
            if config.share_embedding
            else nn.ModuleList(nn.Linear(config.patch_length, config.d_model) for _ in range(config.num_input_channels))
        )

    def forward(self, patches: Tensor) -> Tensor:
        if isinstance(self.input_embedding, nn.ModuleList):
            parts = zip(self.input_embedding, patches.unbind(1), strict=True)
            return torch.stack([embed(part) for embed, part in parts], dim=1)
        embedded: Tensor = self.input_embedding(patches)
        return embedded


class _Positions(nn.Module):
    """Adds where a patch stands; puts the class token of the window first, if there is one."""

    def __init__(self, config: PatchTstConfig) -> None:
        super().__init__()
        places = config.patches + config.use_cls_token
        if config.use_cls_token:
            self.cls_token = nn.Parameter(0.02 * torch.randn(1, 1, 1, config.d_model))
        fixed = config.positional_encoding_type == "sincos"
        values = _waves(places, config.d_model) if fixed else torch.randn(places, config.d_model)
        self.position_enc = nn.Parameter(values, requires_grad=not fixed)
        self.positional_dropout = nn.Dropout(config.positional_dropout)

    def forward(self, patches: Tensor) -> Tensor:
        token = self.position_enc[: -patches.shape[2]]
        placed: Tensor = self.positional_dropout(patches + self.position_enc[len(token) :])
        if not len(token):
            return placed
        return torch.cat(((self.cls_token + token).expand(*patches.shape[:2], -1, -1), placed), dim=2)


def _waves(places: int, width: int) -> Tensor:
    """Sines in even columns, cosines in odd ones, centred, with a standard deviation of a tenth."""
    # Arithmetic on the meta device, where networks are made before they are filled, imports torch's compiler: a second.
    with torch.device("cpu"):
        steps, columns = torch.arange(places)[:, None], torch.arange(0, width, 2)
    angles = steps * torch.exp(columns * (-math.log(10_000.0) / width))
    waves = torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1)[:, :width]
    return (waves - waves.mean()) / (10 * waves.std())


class _Attention(nn.Module):
    def __init__(self, config: PatchTstConfig) -> None:
        super().__init__()
        self.heads, self.dropout = config.num_attention_heads, config.attention_dropout
        self.k_proj = nn.Linear(config.d_model, config.d_model)
        self.v_proj = nn.Linear(config.d_model, config.d_model)
        self.q_proj = nn.Linear(config.d_model, config.d_model)
        self.out_proj = nn.Linear(config.d_model, config.d_model)

    def forward(self, sequence: Tensor) -> Tensor:
        rows, places, width = sequence.shape
        query, key, value = (
            project(sequence).reshape(rows, places, self.heads, width // self.heads).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        dropout = self.dropout if self.training else 0.0
        mixed = nn.functional.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
        attended: Tensor = self.out_proj(mixed.transpose(1, 2).flatten(2))
        return attended


class _BatchNorm(nn.Module):
    def __init__(self, config: PatchTstConfig) -> None:
        super().__init__()
        self.batchnorm = nn.BatchNorm1d(config.d_model, eps=config.norm_eps)

    def forward(self, sequence: Tensor) -> Tensor:
        normed: Tensor = self.batchnorm(sequence.transpose(1, 2))
        return normed.transpose(1, 2)


def _norm(config: PatchTstConfig) -> nn.Module:
    return _BatchNorm(config) if config.norm_type == "batchnorm" else nn.LayerNorm(config.d_model, eps=config.norm_eps)


class _Layer(nn.Module):
    """Attention over time, then (if wanted) by the same weights over channels, then a feed-forward network."""

    def __init__(self, config: PatchTstConfig) -> None:
        super().__init__()
        self.pre_norm, self.channel_attention = config.pre_norm, config.channel_attention
        self.self_attn = _Attention(config)
        self.norm_sublayer1 = _norm(config)
        if config.channel_attention:
            self.norm_sublayer2 = _norm(config)
        self.ff = nn.Sequential(
            nn.Linear(config.d_model, config.ffn_dim, bias=config.bias),
            _ACTIVATIONS[config.activation_function](),
            nn.Dropout(config.ff_dropout),
            nn.Linear(config.ffn_dim, config.d_model, bias=config.bias),
        )
        self.norm_sublayer3 = _norm(config)
        self.path_dropout = nn.Dropout(config.path_dropout)

    def forward(self, hidden: Tensor) -> Tensor:
        batch, channels, places, width = hidden.shape
        sequence = self._add(hidden.flatten(0, 1), self.self_attn, self.norm_sublayer1)
        if self.channel_attention:
            across = sequence.reshape(batch, channels, places, width).transpose(1, 2).flatten(0, 1)
            across = self._add(across, self.self_attn, self.norm_sublayer2)
            sequence = across.reshape(batch, places, channels, width).transpose(1, 2).flatten(0, 1)
        return self._add(sequence, self.ff, self.norm_sublayer3).reshape(hidden.shape)

    def _add(self, sequence: Tensor, branch: nn.Module, norm: nn.Module) -> Tensor:
        if self.pre_norm:
            added: Tensor = sequence + self.path_dropout(branch(norm(sequence)))
        else:
            added = norm(sequence + self.path_dropout(branch(sequence)))
        return added


class _Head(nn.Module):
    """(batch, channels, places, d_model) → (batch, channels, prediction_length · quantiles)."""

    def __init__(self, config: PatchTstConfig, quantiles: int) -> None:
        super().__init__()
        self.use_cls_token, self.pooling_type = config.use_cls_token, config.pooling_type
        pooled = config.use_cls_token or config.pooling_type is not None
        size = config.d_model if pooled else config.d_model * config.patches
        width = config.prediction_length * quantiles
        if config.share_projection:
            self.projection = nn.Linear(size, width)
        else:
            self.projections = nn.ModuleList(nn.Linear(size, width) for _ in range(config.num_input_channels))
        self.dropout = nn.Dropout(config.head_dropout)

    def forward(self, hidden: Tensor) -> Tensor:
        pooled: Tensor = self.dropout(self._pool(hidden))
        if hasattr(self, "projections"):
            parts = zip(self.projections, pooled.unbind(1), strict=True)
            return torch.stack([project(part) for project, part in parts], dim=1)
        columns: Tensor = self.projection(pooled)
        return columns

    def _pool(self, hidden: Tensor) -> Tensor:
        if self.use_cls_token:
            return hidden[:, :, 0]
        match self.pooling_type:
            case "mean":
                return hidden.mean(2)
            case "max":
                return hidden.amax(2)
            case None:
                return hidden.flatten(2)
