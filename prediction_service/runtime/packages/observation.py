"""The observation of a policy: one function for service, trainer and probe."""

import numpy as np
from numpy.typing import NDArray

from prediction_service.runtime.packages.channels import Scales, channel_places, scaled_channels
from prediction_service.runtime.packages.forecast_features import forecast_features
from shared.contracts.packages import Block, Forecast, Normalization, Policy

Floats = NDArray[np.float64]


def build_observation(
    core_row: Floats, curves: Floats, account: Floats, forecast: Forecast, policy: Policy, scales: Scales
) -> NDArray[np.float32]:
    """Put the blocks of `policy.observation` one after the other, normalised as the manifest says.

    core28 is the row of `core_features` at the newest candle: scaled where the column is a channel of the forecaster,
    raw elsewhere. forecast35 is `forecast_features` of the curves, account9 the block as it is.

    Shapes and types: core_row float64 (28,), curves float64 (192, 3), account float64 (9,); float32 (obs_dim,).
    Units: those of the blocks; with obs_normalization clip((x − mean) / sqrt(var + epsilon), −clip, clip) of x as
    float32, as VecNormalize of stable-baselines3 computes it.
    NaN: stays; whoever uses the observation checks it.
    Raises: ValueError for arrays of another shape.

    >>> from shared.contracts.packages import BoxSpace, Channel
    >>> forecast = Forecast(arch="patchtst/1", channels=[Channel(name="ret_4", mean=1.0, scale=2.0)], context_length=2,
    ...     patch_length=2, patch_stride=1, n_heads=1, prediction_length=192)
    >>> policy = Policy(net_arch=[8], observation=["core28", "account9"], obs_dim=37,
    ...     action_space=BoxSpace(low=[-1.0], high=[1.0]))
    >>> scales = Scales(mean=np.array([1.0]), scale=np.array([2.0]), from_warmup=())
    >>> seen = build_observation(np.full(28, 5.0), np.zeros((192, 3)), np.arange(9.0), forecast, policy, scales)
    >>> seen[:3].tolist(), seen[28:].tolist()
    ([5.0, 2.0, 5.0], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])
    """
    parts = [_block(block, core_row, curves, account, forecast, scales) for block in policy.observation]
    observation = np.concatenate(parts).astype(np.float32)
    if observation.shape != (policy.obs_dim,):
        raise ValueError(f"an observation of {len(observation)} numbers where {policy.obs_dim} were due")
    return normalised(observation, policy.obs_normalization) if policy.obs_normalization else observation


def normalised(observation: NDArray[np.float32], how: Normalization) -> NDArray[np.float32]:
    """Give clip((x − mean) / sqrt(var + epsilon), −clip, clip), float32 (..., obs_dim).

    >>> how = Normalization(mean=[1.0, 0.0], var=[4.0, 1.0], epsilon=1e-12, clip=3.0)
    >>> normalised(np.array([5.0, -9.0], np.float32), how).tolist()
    [2.0, -3.0]
    """
    centred = (observation - np.array(how.mean)) / np.sqrt(np.array(how.var) + how.epsilon)
    clipped: NDArray[np.float32] = np.clip(centred, -how.clip, how.clip).astype(np.float32)
    return clipped


def _block(
    block: Block, core_row: Floats, curves: Floats, account: Floats, forecast: Forecast, scales: Scales
) -> Floats:
    if block == "core28":
        row = core_row.copy()
        row[channel_places(forecast)] = scaled_channels(core_row[None], forecast, scales)[0]
        return row
    return forecast_features(curves) if block == "forecast35" else account
