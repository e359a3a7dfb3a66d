"""The forecaster of a bare state_dict: patches of each channel, an encoder they share, one head over all of them."""

import torch
from torch import Tensor, nn

from prediction_service.runtime.packages.bare_sizes import BareSizes


class BarePatchTst(nn.Module):
    """Values (batch, context_length, channels) → forecasts (batch, prediction_length, quantiles)."""

    def __init__(self, sizes: BareSizes, dropout: float = 0.1) -> None:
        super().__init__()
        self.sizes = sizes
        self.patch_embed = nn.ModuleDict({"project": nn.Linear(sizes.patch_length, sizes.d_model)})
        self.pos_embed = nn.Parameter(torch.randn(1, 1, sizes.patches, sizes.d_model))
        layer = nn.TransformerEncoderLayer(
            sizes.d_model, sizes.n_heads, sizes.ffn_dim, dropout=dropout, batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, sizes.layers, enable_nested_tensor=False)
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(sizes.channels * sizes.patches * sizes.d_model, sizes.hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(sizes.hidden, sizes.columns),
        )

    def forward(self, values: Tensor) -> Tensor:
        """Cut patches from the oldest value on; newest ones that do not fill one are left out."""
        patches = values.transpose(1, 2).unfold(-1, self.sizes.patch_length, self.sizes.patch_stride)
        embedded: Tensor = self.patch_embed["project"](patches) + self.pos_embed
        hidden: Tensor = self.encoder(embedded.flatten(0, 1))
        columns: Tensor = self.head(hidden.reshape(embedded.shape))
        return columns.reshape(len(values), -1, self.sizes.quantiles)
