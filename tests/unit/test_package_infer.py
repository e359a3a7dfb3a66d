"""What is not told about a package is taken from its files; what contradicts is refused, with both numbers."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from prediction_service.runtime.packages.infer import complete_manifest
from prediction_service.runtime.packages.policy_file import PolicyFile, read_policy_zip
from prediction_service.runtime.packages.pt_file import PtFile, read_pt
from prediction_service.runtime.packages.tensors import TensorSpec
from shared.contracts.packages import Manifest
from shared.errors import PackageInvalid
from tests.support.package_files import (
    CHANNELS,
    bare_bytes,
    patchtst_bytes,
    ppo_bytes,
    probed,
    tiny_manifest,
    tiny_package,
)

DISCRETE = {
    "action_space": {"kind": "discrete", "n": 3},
    "decoder": {"kind": "choice", "signals": ["LONG", "SHORT", "FLAT"]},
}


SQUARE = TensorSpec(dtype="float32", shape=(2, 2))


def box(low: list[float], high: list[float]) -> dict[str, Any]:
    return {"kind": "box", "low": low, "high": high}


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("packages")

    def written(name: str, content: bytes) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return {
        "patchtst": read_pt(written("patchtst.pt", patchtst_bytes())),
        "bare": read_pt(written("bare.pt", bare_bytes(prefix="_orig_mod."))),
        "ppo": read_policy_zip(written("ppo.zip", ppo_bytes())),
    }


def with_config(file: PtFile, **changes: Any) -> PtFile:
    return replace(file, config=file.config | changes)


def with_shape(file: Any, name: str, *shape: int, dtype: str = "float32") -> Any:
    return replace(file, tensors=file.tensors | {name: TensorSpec(dtype=dtype, shape=shape)})


def without(file: Any, name: str) -> Any:
    return replace(file, tensors={key: spec for key, spec in file.tensors.items() if key != name})


def test_manifest_when_nothing_is_given_then_all_is_taken_from_the_files(read: dict[str, Any]) -> None:
    manifest = complete_manifest({}, read["bare"], read["ppo"])
    forecast, policy = manifest.forecast, manifest.policy
    assert (forecast.arch, forecast.context_length, forecast.patch_length, forecast.patch_stride) == (
        "bare/1",
        64,
        16,
        8,
    )
    assert (forecast.prediction_length, forecast.quantiles, forecast.n_heads) == (192, [0.2, 0.5, 0.8], 4)
    assert [channel.name for channel in forecast.channels][::27] == ["ret_1", "time_to_next_funding_steps"]
    assert (policy.net_arch, policy.activation, policy.obs_dim, policy.obs_normalization) == ([8, 8], "tanh", 72, None)
    assert policy.action_space.model_dump() == {"kind": "box", "low": [-1.0] * 5, "high": [1.0] * 5, "squash": False}
    assert (manifest.market.interval_seconds, manifest.market.warmup_bars) == (900, 1500)
    # Another stride is another context of as many patches, which no shape contradicts.
    denser = complete_manifest({"forecast": {"patch_stride": 4}}, read["bare"], read["ppo"])
    assert denser.forecast.context_length == 40
    assert {"policy.obs_normalization", "forecast.channels", "forecast.quantiles", "market.warmup_bars"} <= {
        *manifest.inferred
    }


def test_manifest_when_fields_are_given_then_only_others_are_marked_as_inferred(read: dict[str, Any]) -> None:
    given = tiny_manifest(symbol="BTCUSDT")
    given["policy"]["obs_normalization"] = None
    manifest = complete_manifest(given, read["patchtst"], read["ppo"])
    assert manifest.market.symbol == "BTCUSDT"
    assert manifest.inferred == [
        *(f"forecast.{name}" for name in ("arch", "context_length", "patch_length", "patch_stride", "n_heads")),
        *("forecast.prediction_length", "forecast.output", "policy.net_arch", "policy.observation", "policy.obs_dim"),
        *("policy.decoder", "forecast.output.channel"),
    ]
    again = complete_manifest(manifest.model_dump(mode="json"), read["patchtst"], read["ppo"])
    assert again == manifest


def test_manifest_of_a_long_context_when_bars_are_not_given_then_they_suffice(read: dict[str, Any]) -> None:
    position = "model.encoder.positional_encoder.position_enc"
    file = with_shape(with_config(read["patchtst"], context_length=1000), position, 124, 16)
    assert complete_manifest(tiny_manifest(warmup_bars=1672), file, read["ppo"]).market.warmup_bars == 1672
    given = tiny_manifest()
    del given["market"]["warmup_bars"]
    assert complete_manifest(given, file, read["ppo"]).market.warmup_bars == 1672


def test_manifest_of_a_discrete_policy_when_signals_are_told_then_fits(read: dict[str, Any]) -> None:
    policy = without(with_shape(with_shape(read["ppo"], "action_net.weight", 3, 8), "action_net.bias", 3), "log_std")
    policy = replace(policy, hints={})
    given = tiny_manifest() | {"policy": DISCRETE}
    assert complete_manifest(given, read["patchtst"], policy).policy.decoder.signals == ["LONG", "SHORT", "FLAT"]
    with pytest.raises(PackageInvalid, match=r"policy\.decoder must be told"):
        complete_manifest(tiny_manifest() | {"policy": {}}, read["patchtst"], policy)


@pytest.mark.parametrize(
    ("section", "told", "words"),
    [
        ("market", {"warmup_bars": 700}, r"warmup_bars is 700, 736 are needed"),
        ("market", {"interval_seconds": "x"}, r"market\.interval_seconds"),
        ("market", [], r"market of the manifest must be an object"),
        ("forecast", {"context_length": 512}, r"context_length is 512 in the manifest, 64"),
        ("forecast", {"patch_stride": 4}, r"patch_stride is 4 in the manifest, 8"),
        ("forecast", {"n_heads": 3}, r"n_heads is 3 in the manifest, 2"),
        ("forecast", {"prediction_length": 96}, r"prediction_length is 96 in the manifest, 192"),
        ("forecast", {"quantiles": [0.5]}, r"head\.projection\.weight .*\(576, 16\).*\(192, 16\).*192 × 1 quantiles"),
        ("forecast", {"quantiles": [0.5, 0.1]}, r"forecast: quantiles must ascend"),
        ("forecast", {"quantiles": "all"}, r"forecast\.quantiles"),
        ("forecast", {"channels": CHANNELS[:3]}, r"names 3 channels, the forecaster takes 4"),
        ("forecast", {"channels": [*CHANNELS[:3], {"name": "rsi_15"}]}, r"'rsi_15', which is no column of core28"),
        ("forecast", {"arch": "bare/1"}, r"arch is bare/1, the forecaster is a patchtst/1 file"),
        ("forecast", {"heads": 4}, r"forecast\.heads: Extra inputs"),
        ("policy", {"observation": ["core28", "account9"]}, r"obs_dim is 72, the observation core28\+account9 has 37"),
        ("policy", {"observation": ["account9"], "obs_dim": 9, "obs_normalization": None},
         r"obs_dim is 9 \(account9\), .* takes 72"),
        ("policy", {"net_arch": [64, 64]}, r"net_arch is \[64, 64\], .* have \[8, 8\]"),
        ("policy", {"activation": "relu"}, r"activation is relu, .* saved with tanh"),
        ("policy", {"action_space": box([-1], [1])}, r"has 1 actions, action_net .* gives 5"),
        ("policy", {"action_space": box([-1] * 5, [2] * 5)}, r"high is \[2.0, .* saved with \[1.0"),
        ("policy", {"action_space": box([1] * 5, [-1] * 5)}, r"policy\.action_space: low and high"),
        ("policy", DISCRETE, r"of kind discrete, the policy is continuous"),
        ("policy", {"algorithm": "SAC"}, r"policy\.algorithm: Input should be 'PPO'"),
        ("policy", {"decoder": {"kind": "direction", "index": 5}}, r"the decoder does not fit the action space"),
    ],
)  # fmt: skip
def test_manifest_when_it_contradicts_the_files_then_is_refused_by_name(
    read: dict[str, Any], section: str, told: Any, words: str
) -> None:
    given = tiny_manifest()
    given[section] = given[section] | told if told else told
    with pytest.raises(PackageInvalid, match=words) as refused:
        complete_manifest(given, read["patchtst"], read["ppo"])
    assert "\n" not in refused.value.message


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"context_length": 64, "patch_stride": 4}, r"every 4 makes 13, pos_embed of the forecaster has 7"),
        (
            {"context_length": 80},
            r"context_length 80 in patches of 16 every 8 makes 9, pos_embed of the forecaster has 7",
        ),
        ({"n_heads": 3}, r"n_heads is 3, which does not divide d_model 8"),
        ({"quantiles": [0.1, 0.3, 0.5, 0.7, 0.9]}, r"576 rows, not a multiple of 5 quantiles"),
        ({"quantiles": [0.1, 0.5], "prediction_length": 192}, r"192 × 2 quantiles is 384, .* 576 rows"),
        ({"patch_length": 12}, r"patch_length is 12, patch_embed\.project takes 16"),
        ({"channels": CHANNELS}, r"names 4 channels, the forecaster takes 28"),
        ({"quantiles": [0.5]}, r"prediction_length is 576, the block forecast35 .* 192 steps"),
    ],
)
def test_manifest_of_a_bare_forecaster_when_it_contradicts_then_is_refused_by_name(
    read: dict[str, Any], given: dict[str, Any], words: str
) -> None:
    with pytest.raises(PackageInvalid, match=words):
        complete_manifest({"forecast": given}, read["bare"], read["ppo"])


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"loss": "nll"}, "distribution outputs cannot be rebuilt"),
        ({"num_attention_heads": 3}, "num_attention_heads .* is 3, which does not divide d_model 16"),
        ({"pre_nrom": False}, "config.pre_nrom .* pre_norm is meant"),
        ({"d_model": 32}, r"shape \(11?, ?16|\(7, 16\), needed is \(7, 32\)"),
        (
            {"patch_stride": 16},
            r"position_enc .* \(7, 16\), needed is \(4, 16\): context_length 64 in patches of 16 every 16",
        ),
        ({"num_hidden_layers": 2}, r"has no model\.encoder\.layers\.1"),
        ({"num_hidden_layers": 0}, r"has a tensor 'model\.encoder\.layers\.0"),
        ({"norm_type": "batchnorm"}, r"norm_sublayer1\.batchnorm"),
        ({"use_cls_token": True}, r"position_enc"),
        ({"activation_function": "swish9"}, "config.activation_function"),
        ({"prediction_length": 10**9}, "config.prediction_length"),
        ({"context_length": 16}, "context_length .* is 16, which must exceed patch_length 16"),
        ({"target_channel": 4}, "target_channel .* is 4, of 4 channels"),
        ({"quantiles": [0.2, 0.5, 0.8]}, r"quantiles is \[0.1, 0.5, 0.9\] in the manifest, \[0.2, 0.5, 0.8\]"),
        ({"scaling_dim": 2}, "config.scaling_dim"),
        ({"context_length": 8192, "patch_length": 1, "patch_stride": 1}, "numbers at once"),
        ({"context_length": 8192, "patch_length": 1, "patch_stride": 1, "num_hidden_layers": 64}, "multiplications"),
    ],
)
def test_forecaster_when_its_config_contradicts_its_tensors_then_is_refused_by_name(
    read: dict[str, Any], config: dict[str, Any], words: str
) -> None:
    with pytest.raises(PackageInvalid, match=words):
        complete_manifest(tiny_manifest(), with_config(read["patchtst"], **config), read["ppo"])


def test_files_when_any_tensor_is_missing_renamed_reshaped_or_of_whole_numbers_then_are_refused(
    read: dict[str, Any],
) -> None:
    for kind in ("patchtst", "bare", "ppo"):
        file = read[kind]
        for name, spec in file.tensors.items():
            changed = [
                without(file, name),
                with_shape(without(file, name), f"{name}s", *spec.shape),
                with_shape(file, name, *spec.shape[:-1], spec.shape[-1] + 1),
                with_shape(file, name, *spec.shape, 1),
                with_shape(file, name, *spec.shape, dtype="int64"),
            ]
            # The file of a discrete policy has none, and may say less than it knows.
            for other in changed[1:] if name == "log_std" else changed:
                pair = (read["patchtst"], other) if kind == "ppo" else (other, read["ppo"])
                # Of one more value a patch the context would be longer: right in itself.
                given = {"forecast": {"patch_length": 16}} if kind == "bare" else tiny_manifest()
                with pytest.raises(PackageInvalid, match=r"forecaster|policy|patch_embed"):
                    complete_manifest(given, *pair)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("actor.mu.weight", "TD3"),
        ("actor.latent_pi.0.weight", "SAC"),
        ("q_net.q_net.0.weight", "DQN"),
        ("lstm_actor.weight_ih_l0", "recurrent"),
        ("features_extractor.cnn.0.weight", "CNN"),
        ("pi_features_extractor.extractors.image.cnn.0.weight", "dictionary"),
        ("mlp_extractor.shared_net.0.weight", r"before 1\.8"),
        ("mlp_extractor.policy_net.1.weight", "no chain of Linear layers"),
        ("extra", "MlpPolicy does not know"),
    ],
)
def test_policy_of_a_kind_that_cannot_be_rebuilt_when_read_then_is_refused_by_name(
    read: dict[str, Any], name: str, words: str
) -> None:
    with pytest.raises(PackageInvalid, match=words):
        complete_manifest(tiny_manifest(), read["patchtst"], with_shape(read["ppo"], name, 8, 8))


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (PtFile(format="patchtst/2", config={}, tensors={}), "format 'patchtst/2'"),
        (PtFile(format=None, config={}, tensors={"fc.weight": SQUARE}), "no layout"),
        (PtFile(format=None, config={}, tensors={"model.encoder.layers.0.ff.0.weight": SQUARE}), "config is missing"),
        (PtFile(format="patchtst/1", config={}, tensors={}), "config.num_input_channels"),
    ],
)  # fmt: skip
def test_forecaster_of_another_layout_when_read_then_is_refused_with_what_to_do(
    read: dict[str, Any], file: PtFile, words: str
) -> None:
    with pytest.raises(PackageInvalid, match=words):
        complete_manifest(tiny_manifest(), file, read["ppo"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda probe: probe["candles"]["close"].pop(), "probe.candles must be five lists"),
        (lambda probe: [series.clear() for series in list(probe["candles"].values())[1:]], "at least 736"),
        (lambda probe: probe["candles"]["low"].__setitem__(5, 1e9), "candle 5 lies outside"),
        (lambda probe: probe["forecast"].pop(), "192 rows of 3 quantiles"),
        (lambda probe: probe["forecast"][7].pop(), "192 rows of 3 quantiles"),
        (lambda probe: probe["action"].pop(), "probe.action has 4 numbers, the policy gives 5"),
        (lambda probe: probe["account"].pop(), "probe.account"),
        (lambda probe: probe.update(tolerance=1), "probe.tolerance"),
    ],
)
def test_probe_when_it_does_not_fit_the_package_then_is_refused(read: dict[str, Any], change: Any, words: str) -> None:
    given = probed(tiny_package(), bars=740).manifest
    assert isinstance(complete_manifest(given, read["patchtst"], read["ppo"]), Manifest)
    change(given["probe"])
    with pytest.raises(PackageInvalid, match=words):
        complete_manifest(given, read["patchtst"], read["ppo"])


def test_policy_when_its_description_is_missing_then_the_usual_is_taken_and_said(read: dict[str, Any]) -> None:
    policy = PolicyFile(tensors=read["ppo"].tensors, hints={})
    given = tiny_manifest() | {"policy": {}}
    manifest = complete_manifest(given, read["patchtst"], policy)
    assert (manifest.policy.activation, manifest.policy.action_space.high) == ("tanh", [1.0] * 5)
    assert {"policy.activation", "policy.action_space"} <= {*manifest.inferred}
