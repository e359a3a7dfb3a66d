"""Sizes of a bare state_dict, read off its shapes."""

from collections.abc import Mapping
from dataclasses import dataclass

from prediction_service.runtime.packages.shapes import Shape
from shared.errors import PackageInvalid

STRIDE, HEADS, QUANTILES = 8, 4, (0.2, 0.5, 0.8)
"""What shapes do not tell, as in the models this layout comes from."""
_LAYER = "encoder.layers."


@dataclass(frozen=True, slots=True, kw_only=True)
class BareSizes:
    """Everything the shapes of its tensors tell, and the three that they do not."""

    channels: int
    patches: int
    patch_length: int
    d_model: int
    ffn_dim: int
    layers: int
    hidden: int
    """Width between the two layers of the head."""
    columns: int
    """prediction_length · quantiles."""
    patch_stride: int = STRIDE
    n_heads: int = HEADS
    quantiles: int = len(QUANTILES)

    @property
    def shortest_context(self) -> int:
        """Candles its patches cover."""
        return (self.patches - 1) * self.patch_stride + self.patch_length


def is_bare(shapes: Mapping[str, Shape]) -> bool:
    """Say whether tensors are named as in this layout."""
    return {"patch_embed.project.weight", "pos_embed", "head.1.weight"} <= shapes.keys()


def read_sizes(shapes: Mapping[str, Shape], *, patch_stride: int, n_heads: int, quantiles: int) -> BareSizes:
    """Give the sizes of a bare forecaster; PackageInvalid names the tensor that does not fit the others."""
    d_model, patch_length = _shape(shapes, "patch_embed.project.weight", 2)
    *ones, patches, _ = _shape(shapes, "pos_embed", 4)
    if ones != [1, 1]:
        raise PackageInvalid(
            f"pos_embed of the forecaster has shape {shapes['pos_embed']}, (1, 1, patches, d_model) is read"
        )
    hidden, inputs = _shape(shapes, "head.1.weight", 2)
    columns, _ = _shape(shapes, "head.4.weight", 2)
    channels, rest = divmod(inputs, patches * d_model)
    if rest or not channels:
        raise PackageInvalid(
            f"head.1.weight of the forecaster has {inputs} columns, "
            f"not a multiple of {patches} patches (pos_embed) × {d_model} (patch_embed.project)"
        )
    if d_model % n_heads:
        raise PackageInvalid(
            f"forecast.n_heads is {n_heads}, which does not divide d_model {d_model} of the forecaster"
        )
    layers = len({name.removeprefix(_LAYER).split(".")[0] for name in shapes if name.startswith(_LAYER)})
    if not layers:
        raise PackageInvalid("The forecaster has no encoder.layers.0; upload the state_dict of the whole model")
    return BareSizes(
        channels=channels, patches=patches, patch_length=patch_length, d_model=d_model, layers=layers, hidden=hidden,
        ffn_dim=_shape(shapes, f"{_LAYER}0.linear1.weight", 2)[0], columns=columns,
        patch_stride=patch_stride, n_heads=n_heads, quantiles=quantiles,
    )  # fmt: skip


def tensor_shapes(sizes: BareSizes) -> dict[str, Shape]:
    """Give the name and shape of every tensor of such a forecaster."""
    d_model, flat = sizes.d_model, sizes.channels * sizes.patches * sizes.d_model
    shapes: dict[str, Shape] = {"pos_embed": (1, 1, sizes.patches, d_model)}
    linear = {"patch_embed.project": (d_model, sizes.patch_length)}
    for index in range(sizes.layers):
        layer = f"{_LAYER}{index}"
        shapes |= {f"{layer}.self_attn.in_proj_weight": (3 * d_model, d_model)}
        shapes |= {f"{layer}.self_attn.in_proj_bias": (3 * d_model,)}
        linear |= {
            f"{layer}.self_attn.out_proj": (d_model, d_model),
            f"{layer}.linear1": (sizes.ffn_dim, d_model),
            f"{layer}.linear2": (d_model, sizes.ffn_dim),
        }
        for norm in ("norm1", "norm2"):
            shapes |= {f"{layer}.{norm}.weight": (d_model,), f"{layer}.{norm}.bias": (d_model,)}
    linear |= {"head.1": (sizes.hidden, flat), "head.4": (sizes.columns, sizes.hidden)}
    for name, shape in linear.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return shapes


def _shape(shapes: Mapping[str, Shape], name: str, dimensions: int) -> Shape:
    shape = shapes.get(name)
    if shape is None:
        raise PackageInvalid(f"The forecaster has no {name}; upload the state_dict of the whole model")
    if len(shape) != dimensions or 0 in shape:
        raise PackageInvalid(f"{name} of the forecaster has shape {shape}, {dimensions} dimensions are read")
    return shape
