"""What the forecaster's file tells about its sizes, and whether they are those of the manifest."""

from collections.abc import Mapping
from typing import Any, assert_never

from prediction_service.runtime.packages import bare_sizes, patchtst_config
from prediction_service.runtime.packages.patchtst_config import PatchTstConfig
from prediction_service.runtime.packages.pt_file import PtFile
from prediction_service.runtime.packages.shapes import Shape, check_shapes, plain_names
from prediction_service.runtime.packages.work import check_work
from shared.contracts.packages import Forecast
from shared.errors import PackageInvalid

OF = "The forecaster"
_PATCHTST = "patchtst/1"
_STANDARD = 28
_FLOATS = {"float64", "float32", "float16", "bfloat16"}
_COUNTER = ".num_batches_tracked"


def read_forecast(file: PtFile, given: Mapping[str, Any]) -> dict[str, Any]:
    """Give the section `forecast` of a manifest as far as the file tells it; `given` is that section as uploaded."""
    shapes = _shapes(file)
    if file.format == _PATCHTST:
        return _read_patchtst(patchtst_config.read_config(file.config), shapes)
    if file.format is not None:
        raise PackageInvalid(f"The forecaster has format {file.format!r:.60}; patchtst/1 or a bare state_dict is read")
    if bare_sizes.is_bare(shapes):
        return _read_bare(shapes, given)
    if any(name.startswith("model.encoder.") for name in shapes):
        raise PackageInvalid(
            "The forecaster is a bare state_dict of PatchTST, whose config is missing; save "
            "{'format': 'patchtst/1', 'config': model.config.to_dict(), 'state_dict': model.state_dict()}"
        )
    raise PackageInvalid(
        "The forecaster's tensors are of no layout that is read: patchtst/1 with its config, "
        "or a bare state_dict with patch_embed.project, pos_embed, encoder.layers, head.1 and head.4"
    )


def check_forecast(file: PtFile, forecast: Forecast) -> None:
    """Refuse a forecaster whose tensors are not exactly those its manifest describes."""
    shapes = _shapes(file)
    for name, tensor in plain_names(file.tensors, of=OF).items():
        if tensor.dtype not in _FLOATS and not name.endswith(_COUNTER):
            raise PackageInvalid(f"{name} of the forecaster holds {tensor.dtype}, weights are floating-point numbers")
    match forecast.arch:
        case "patchtst/1":
            _check_patchtst(file, shapes, forecast)
        case "bare/1":
            _check_bare(file, shapes, forecast)
        case _ as never:
            assert_never(never)


def _shapes(file: PtFile) -> dict[str, Shape]:
    return {name: tensor.shape for name, tensor in plain_names(file.tensors, of=OF).items()}


def _read_patchtst(config: PatchTstConfig, shapes: Mapping[str, Shape]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "arch": _PATCHTST,
        "context_length": config.context_length,
        "patch_length": config.patch_length,
        "patch_stride": config.patch_stride,
        "n_heads": config.num_attention_heads,
        "prediction_length": config.prediction_length,
        "output": {"kind": "cumulative_log_return"},
    }
    quantiles = config.quantiles or _usual_quantiles(shapes, config.prediction_length)
    if quantiles:
        found["quantiles"] = quantiles
    return found | _usual_channels(config.num_input_channels)


def _read_bare(shapes: Mapping[str, Shape], given: Mapping[str, Any]) -> dict[str, Any]:
    stride, heads = _count(given, "patch_stride", bare_sizes.STRIDE), _count(given, "n_heads", bare_sizes.HEADS)
    told = given.get("quantiles")
    quantiles = told if isinstance(told, list) and told else list(bare_sizes.QUANTILES)
    sizes = bare_sizes.read_sizes(shapes, patch_stride=stride, n_heads=heads, quantiles=len(quantiles))
    if sizes.columns % sizes.quantiles:
        raise PackageInvalid(
            f"head.4.weight of the forecaster has {sizes.columns} rows, not a multiple of {sizes.quantiles} quantiles; "
            "name them in forecast.quantiles of the manifest"
        )
    return {
        "arch": "bare/1",
        "context_length": sizes.shortest_context,
        "patch_length": sizes.patch_length,
        "patch_stride": stride,
        "n_heads": heads,
        "prediction_length": sizes.columns // sizes.quantiles,
        "quantiles": quantiles,
        "output": {"kind": "cumulative_log_return"},
        **_usual_channels(sizes.channels),
    }


def _count(given: Mapping[str, Any], key: str, usual: int) -> int:
    value = given.get(key)
    return value if type(value) is int and value > 0 else usual


def _usual_channels(channels: int) -> dict[str, Any]:
    """Give the channels of a forecaster that takes all of core28; of others nobody can tell them."""
    from prediction_service.runtime.packages.core import CORE_NAMES

    return {"channels": [{"name": name} for name in CORE_NAMES]} if channels == _STANDARD else {}


def _usual_quantiles(shapes: Mapping[str, Shape], prediction_length: int) -> list[float] | None:
    head = shapes.get("head.projection.weight") or shapes.get("head.projections.0.weight") or (0,)
    return {1: [0.5], len(bare_sizes.QUANTILES): list(bare_sizes.QUANTILES)}.get(head[0] // prediction_length)


def _check_patchtst(file: PtFile, shapes: Mapping[str, Shape], forecast: Forecast) -> None:
    if file.format != _PATCHTST:
        raise PackageInvalid("forecast.arch is patchtst/1, the forecaster is a bare state_dict; leave it out")
    config = patchtst_config.read_config(file.config)
    for field, told, found in (
        ("context_length", forecast.context_length, config.context_length),
        ("patch_length", forecast.patch_length, config.patch_length),
        ("patch_stride", forecast.patch_stride, config.patch_stride),
        ("n_heads", forecast.n_heads, config.num_attention_heads),
        ("prediction_length", forecast.prediction_length, config.prediction_length),
        ("quantiles", forecast.quantiles, config.quantiles or forecast.quantiles),
    ):
        if told != found:
            raise PackageInvalid(f"forecast.{field} is {told} in the manifest, {found} in the forecaster's config")
    _check_channels(forecast, config.num_input_channels)
    places = config.patches + config.use_cls_token
    sizes = {"d_model": config.d_model, "ffn_dim": config.ffn_dim, "heads": config.num_attention_heads}
    check_work(sequences=config.num_input_channels, places=places, layers=config.num_hidden_layers, **sizes)
    if config.channel_attention:
        check_work(sequences=places, places=config.num_input_channels, layers=config.num_hidden_layers, **sizes)
    patches = f"context_length {config.context_length} in patches of {config.patch_length} every {config.patch_stride}"
    head = f"prediction_length {config.prediction_length} × {len(forecast.quantiles)} quantiles"

    def why(name: str) -> str:
        if name.endswith(".position_enc"):
            return f": {patches}"
        return f": {head}" if name.startswith("head.") else " by its config"

    check_shapes(shapes, patchtst_config.tensor_shapes(config, len(forecast.quantiles)), of=OF, why=why)


def _check_bare(file: PtFile, shapes: Mapping[str, Shape], forecast: Forecast) -> None:
    if file.format is not None:
        raise PackageInvalid(f"forecast.arch is bare/1, the forecaster is a {file.format} file; leave it out")
    sizes = bare_sizes.read_sizes(
        shapes, patch_stride=forecast.patch_stride, n_heads=forecast.n_heads, quantiles=len(forecast.quantiles)
    )
    _check_channels(forecast, sizes.channels)
    if forecast.patch_length != sizes.patch_length:
        raise PackageInvalid(
            f"forecast.patch_length is {forecast.patch_length}, patch_embed.project takes {sizes.patch_length} values"
        )
    patches = (forecast.context_length - forecast.patch_length) // forecast.patch_stride + 1
    if patches != sizes.patches:
        raise PackageInvalid(
            f"forecast.context_length {forecast.context_length} in patches of {forecast.patch_length} every "
            f"{forecast.patch_stride} makes {patches}, pos_embed of the forecaster has {sizes.patches}"
        )
    columns = forecast.prediction_length * sizes.quantiles
    if columns != sizes.columns:
        raise PackageInvalid(
            f"forecast.prediction_length {forecast.prediction_length} × {sizes.quantiles} quantiles is {columns}, "
            f"head.4.weight of the forecaster has {sizes.columns} rows"
        )
    check_work(
        sequences=sizes.channels, places=sizes.patches, layers=sizes.layers, d_model=sizes.d_model,
        ffn_dim=sizes.ffn_dim, heads=sizes.n_heads,
    )  # fmt: skip
    check_shapes(shapes, bare_sizes.tensor_shapes(sizes), of=OF, why=lambda _: " beside its other tensors")


def _check_channels(forecast: Forecast, channels: int) -> None:
    if len(forecast.channels) != channels:
        raise PackageInvalid(
            f"forecast.channels names {len(forecast.channels)} channels, the forecaster takes {channels}"
        )
