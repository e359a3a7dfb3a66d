"""Sizes of packages that can be trained."""

from dataclasses import dataclass
from typing import Any, Final

from prediction_service.runtime.packages.core import FIRST_VALID
from shared.contracts.packages import Channel, Forecast

QUANTILES: Final = [0.2, 0.5, 0.8]
PREDICTION_LENGTH: Final = 192
TARGET: Final = "ret_1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The shape of both networks."""

    channels: tuple[str, ...]
    """Columns of core28 that the forecaster looks at; the first is ret_1."""
    context_length: int
    """Candles it looks back."""
    patch_length: int
    patch_stride: int
    d_model: int
    heads: int
    layers: int
    pooling: str | None
    """What the head sees of all patches: their mean, or (None) all of them."""
    net_arch: tuple[int, ...]
    """Hidden layers of the policy."""

    @property
    def purge(self) -> int:
        """Give how many candles lie between parts, so that no window and no label reaches into another part."""
        return self.context_length + PREDICTION_LENGTH

    @property
    def first_row(self) -> int:
        """Give the first candle at which a forecast can be made."""
        return FIRST_VALID + self.context_length - 1

    def forecast(self, scales: dict[str, tuple[float, float]]) -> Forecast:
        """Give the forecaster's part of a manifest; `scales` holds mean and scale of each channel, if known."""
        channels = [
            Channel(name=name, mean=scales[name][0], scale=scales[name][1]) if name in scales else Channel(name=name)
            for name in self.channels
        ]
        return Forecast(
            arch="patchtst/1",
            channels=channels,
            context_length=self.context_length,
            patch_length=self.patch_length,
            patch_stride=self.patch_stride,
            n_heads=self.heads,
            prediction_length=PREDICTION_LENGTH,
            quantiles=QUANTILES,
        )

    def config(self) -> dict[str, Any]:
        """Give the config that goes into the forecaster's file."""
        return {
            "num_input_channels": len(self.channels),
            "context_length": self.context_length,
            "patch_length": self.patch_length,
            "patch_stride": self.patch_stride,
            "prediction_length": PREDICTION_LENGTH,
            "d_model": self.d_model,
            "num_attention_heads": self.heads,
            "num_hidden_layers": self.layers,
            "ffn_dim": 2 * self.d_model,
            "norm_type": "layernorm",
            "channel_attention": len(self.channels) > 1,
            "pooling_type": self.pooling,
            "scaling": "std",
            # Returns of 15 minutes have variances near 1e-6: the usual 1e-5 would hide them.
            "minimum_scale": 1e-12,
            "ff_dropout": 0.1,
            "head_dropout": 0.1,
            "loss": "quantile",
            "quantiles": QUANTILES,
            "target_channel": 0,
        }


RECIPES: Final = {
    "tiny": Recipe(
        channels=(TARGET, "hl_range_pct"),
        context_length=512, patch_length=64, patch_stride=64, d_model=16, heads=2, layers=1, pooling="mean",
        net_arch=(16, 16),
    ),
    "small": Recipe(
        channels=(TARGET, "hl_range_pct", "vol_z_96", "ema_200_dist"),
        context_length=512, patch_length=16, patch_stride=16, d_model=32, heads=4, layers=2, pooling="mean",
        net_arch=(64, 64),
    ),
    "standard": Recipe(
        channels=(TARGET, "hl_range_pct", "oc_range_pct", "vol_z_96", "vol_96", "ema_200_dist", "rsi_14", "adx_14"),
        context_length=512, patch_length=16, patch_stride=8, d_model=64, heads=8, layers=3, pooling=None,
        net_arch=(128, 128),
    ),
}  # fmt: skip
