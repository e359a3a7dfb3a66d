"""Forecasts equal those of the public implementation of PatchTST, whose state_dicts load."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from prediction_service.runtime.packages.forecast_sizes import check_forecast
from prediction_service.runtime.packages.forecaster import build_forecaster, load_forecaster
from prediction_service.runtime.packages.patchtst import PatchTst
from prediction_service.runtime.packages.patchtst_config import read_config, tensor_shapes
from prediction_service.runtime.packages.pt_file import read_pt
from shared.contracts.packages import Forecast
from shared.errors import PackageInvalid
from tests.support.package_files import saved

SMALL = {
    "num_input_channels": 3, "context_length": 33, "patch_length": 8, "patch_stride": 4, "d_model": 16,
    "num_attention_heads": 2, "num_hidden_layers": 2, "ffn_dim": 24, "prediction_length": 7,
}  # fmt: skip
CONFIGS: list[dict[str, Any]] = [
    {},
    {"norm_type": "layernorm"},
    {"pre_norm": False},
    {"norm_type": "layernorm", "pre_norm": False, "norm_eps": 1e-3},
    {"use_cls_token": True},
    {"use_cls_token": True, "positional_encoding_type": "random", "scaling": "mean"},
    {"channel_attention": True},
    {"channel_attention": True, "pre_norm": False, "norm_type": "layernorm", "scaling": None},
    {"pooling_type": None},
    {"pooling_type": "max", "scaling": "mean"},
    {"scaling": True, "share_embedding": False},
    {"scaling": "none", "patch_stride": 5, "pooling_type": None},
    {"patch_length": 16, "patch_stride": 16, "bias": False, "activation_function": "relu"},
    {"patch_length": 5, "patch_stride": 1, "d_model": 12, "num_attention_heads": 4, "activation_function": "silu"},
    {"num_input_channels": 1, "context_length": 64, "num_hidden_layers": 1, "num_attention_heads": 1},
    {"num_hidden_layers": 0, "share_embedding": False, "use_cls_token": True},
]


def public_model(seed: int = 3, **changes: Any) -> Any:
    """Give one of theirs with weights and running statistics far from their start."""
    # Seconds, which every process that only collects the tests would take too.
    from transformers.models.patchtst.configuration_patchtst import PatchTSTConfig
    from transformers.models.patchtst.modeling_patchtst import PatchTSTForPrediction

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    built = PatchTSTForPrediction(PatchTSTConfig(**SMALL | changes)).eval()
    for name, tensor in built.state_dict().items():
        if "batchnorm" in name and tensor.is_floating_point():
            tensor.copy_(0.5 + torch.rand_like(tensor))
        elif name.endswith(("bias", "weight", "cls_token")):
            tensor.copy_(torch.randn_like(tensor) * 0.3)
    return built


def forecast_of(config: dict[str, Any], **changes: Any) -> Forecast:
    """Give the section of a manifest that fits a config."""
    told = {
        "arch": "patchtst/1",
        "channels": [{"name": name} for name in ("ret_1", "ret_4", "rsi_14")[: config["num_input_channels"]]],
        "n_heads": config["num_attention_heads"],
        "quantiles": [0.5],
        **{name: config[name] for name in ("context_length", "patch_length", "patch_stride", "prediction_length")},
    }
    return Forecast.model_validate(told | changes)


def windows(channels: int = 3, length: int = 33) -> np.ndarray:
    random = np.random.default_rng(5)
    level = np.array([0.0, 5.0, -50.0])[:channels]
    spread = np.array([1e-3, 1.0, 30.0])[:channels]
    return (level + spread * random.normal(size=(4, length, channels))).astype(np.float32)


def write(path: Path, config: dict[str, Any], state: dict[str, Any]) -> Path:
    path.write_bytes(saved({"format": "patchtst/1", "config": config, "state_dict": state}))
    return path


@pytest.mark.parametrize("changes", CONFIGS, ids=lambda changes: "-".join(map(str, changes.values())) or "standard")
def test_forecaster_of_the_public_implementation_when_loaded_then_forecasts_the_same(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    model = public_model(**changes)
    config = model.config.to_dict()
    path = write(tmp_path / "forecast_model.pt", config, model.state_dict())
    values = windows(config["num_input_channels"], config["context_length"])
    with torch.no_grad():
        expected = model(past_values=torch.from_numpy(values)).prediction_outputs.numpy()
    for place, name in enumerate(("ret_1", "ret_4", "rsi_14")[: config["num_input_channels"]]):
        forecast = forecast_of(config, output={"kind": "step_log_return", "channel": name})
        loaded = load_forecaster(path, forecast)
        scale = np.abs(expected[..., place]).max()
        np.testing.assert_allclose(
            loaded.predict_many(values)[..., 0], expected[..., place], rtol=1e-5, atol=1e-6 * scale
        )
        assert loaded.predict(values[2]).shape == (config["prediction_length"], 1)
        check_forecast(read_pt(path), forecast)


@given(
    changes=st.fixed_dictionaries(
        {},
        optional={
            "context_length": st.integers(12, 40),
            "patch_length": st.integers(1, 11),
            "patch_stride": st.integers(1, 9),
            "d_model": st.sampled_from([4, 8, 20]),
            "num_attention_heads": st.sampled_from([1, 2, 4]),
            "num_hidden_layers": st.integers(0, 3),
            "ffn_dim": st.integers(1, 9),
            "prediction_length": st.integers(1, 9),
            "norm_type": st.sampled_from(["batchnorm", "layernorm"]),
            "pooling_type": st.sampled_from(["mean", "max", None]),
            "scaling": st.sampled_from(["std", "mean", None]),
            "positional_encoding_type": st.sampled_from(["sincos", "random"]),
            **dict.fromkeys(
                ("pre_norm", "bias", "share_embedding", "channel_attention", "use_cls_token"), st.booleans()
            ),
        },
    )
)
@settings(max_examples=60, deadline=None)
def test_forecaster_of_any_config_when_given_public_weights_then_forecasts_the_same(changes: dict[str, Any]) -> None:
    model = public_model(**changes)
    network = PatchTst(read_config(model.config.to_dict())).eval()
    network.load_state_dict(model.state_dict(), strict=True)
    values = torch.from_numpy(windows(3, model.config.context_length))
    with torch.no_grad():
        expected, got = model(past_values=values).prediction_outputs.numpy(), network(values)[:, :, 0].numpy()
    largest = np.abs(expected).max(axis=(0, 1))
    np.testing.assert_array_less(np.abs(got - expected), 1e-5 * np.abs(expected) + 1e-5 * largest + 1e-9)


def test_forecaster_when_projection_is_not_shared_then_each_channel_has_its_own(tmp_path: Path) -> None:
    model = public_model(pooling_type=None)
    heads = [torch.nn.Linear(*reversed(model.head.projection.weight.shape)) for _ in range(3)]
    state = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith("head.")}
    for place, head in enumerate(heads):
        state |= {f"head.projections.{place}.{name}": tensor for name, tensor in head.state_dict().items()}
    config = model.config.to_dict() | {"share_projection": False}
    values = windows()
    for place, head in enumerate(heads):
        model.head.projection = head
        with torch.no_grad():
            expected = model(past_values=torch.from_numpy(values)).prediction_outputs[..., place].numpy()
        path = write(tmp_path / "forecast_model.pt", config | {"target_channel": place}, state)
        got = load_forecaster(path, forecast_of(config)).predict_many(values)[..., 0]
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max())


def test_forecaster_with_a_head_of_quantiles_then_each_is_one_public_model(tmp_path: Path) -> None:
    low, middle, high = (public_model(seed=9) for _ in range(3))
    state = low.state_dict()
    for name in ("head.projection.weight", "head.projection.bias"):
        parts = [torch.randn_like(low.state_dict()[name]) for _ in range(3)]
        for model, part in zip((low, middle, high), parts, strict=True):
            model.state_dict()[name].copy_(part)
        # Rows of one step stand together: its quantiles, then those of the next step.
        state[name] = torch.stack(parts, dim=1).flatten(0, 1)
    config = low.config.to_dict()
    path = write(tmp_path / "forecast_model.pt", config, state)
    values = windows()
    got = load_forecaster(path, forecast_of(config, quantiles=[0.1, 0.5, 0.9])).predict_many(values)
    assert got.shape == (4, 7, 3)
    for place, model in enumerate((low, middle, high)):
        with torch.no_grad():
            expected = model(past_values=torch.from_numpy(values)).prediction_outputs[..., 0].numpy()
        np.testing.assert_allclose(got[..., place], expected, rtol=1e-5, atol=1e-6)


def test_forecaster_when_trained_one_step_then_learns_and_dropout_acts_only_while_training() -> None:
    config = SMALL | dict.fromkeys(("attention_dropout", "positional_dropout", "path_dropout", "ff_dropout"), 0.3)
    torch.manual_seed(1)
    network = build_forecaster(forecast_of(config, quantiles=[0.1, 0.5, 0.9]), config)
    values = torch.randn(4, 33, 3)
    assert not torch.equal(network(values), network(values))
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    losses = []
    for _ in range(20):
        loss = (network(values)[..., 0] - 0.5).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-5:]) < np.mean(losses[:5])
    network.eval()
    assert torch.equal(network(values), network(values))


@pytest.mark.parametrize("changes", CONFIGS[:11], ids=str)
def test_shapes_told_without_torch_when_compared_then_are_those_of_the_network(changes: dict[str, Any]) -> None:
    config = read_config(SMALL | changes)
    state = build_forecaster(forecast_of(SMALL | changes, quantiles=[0.2, 0.5]), SMALL | changes).state_dict()
    assert tensor_shapes(config, 2) == {name: tuple(tensor.shape) for name, tensor in state.items()}


def test_forecaster_in_half_precision_when_loaded_then_computes_in_float32(tmp_path: Path) -> None:
    model = public_model()
    config = model.config.to_dict()
    path = write(tmp_path / "forecast_model.pt", config, model.half().state_dict())
    values = windows()
    with torch.no_grad():
        expected = model.float()(past_values=torch.from_numpy(values)).prediction_outputs[..., 0].numpy()
    got = load_forecaster(path, forecast_of(config)).predict_many(values)[..., 0]
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("content", [b"", b"no model", saved([1, 2]), saved({"format": "patchtst/1"})], ids=len)
def test_forecaster_when_its_file_was_changed_then_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "forecast_model.pt"
    path.write_bytes(content)
    with pytest.raises(PackageInvalid, match="forecaster"):
        load_forecaster(path, forecast_of(SMALL))
