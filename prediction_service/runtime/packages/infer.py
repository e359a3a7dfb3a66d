"""The manifest of a package completed from its files, and both files checked against it and each other."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import ValidationError

from prediction_service.runtime.packages.forecast_sizes import check_forecast, read_forecast
from prediction_service.runtime.packages.policy_file import PolicyFile
from prediction_service.runtime.packages.policy_sizes import check_policy, read_policy
from prediction_service.runtime.packages.pt_file import PtFile
from shared.contracts.packages import BoxSpace, Manifest, Probe
from shared.errors import PackageInvalid

_SECTIONS = ("market", "forecast", "policy")
_USUAL_BARS = 1500
_UNION_TAGS = {"box", "discrete", "direction", "choice"}


def complete_manifest(given: dict[str, Any], forecast: PtFile, policy: PolicyFile) -> Manifest:
    """Give the whole manifest: what was given, over what the files tell, over what is usual.

    `inferred` of it lists what was not given. PackageInvalid names the field or tensor that contradicts another.
    """
    for section in _SECTIONS:
        if not isinstance(given.get(section, {}), Mapping):
            raise PackageInvalid(f"{section} of the manifest must be an object")
    told = {section: given.get(section, {}) for section in _SECTIONS}
    found = {"forecast": read_forecast(forecast, told["forecast"]), "policy": read_policy(policy)}
    whole = {section: {**found[section], **told[section]} for section in found}
    _name_missing(whole["forecast"], whole["policy"])
    found["market"] = {"interval_seconds": 900, "warmup_bars": _bars(whole["forecast"].get("context_length"))}
    whole["market"] = {**found["market"], **told["market"]}
    inferred = [f"{section}.{key}" for section in _SECTIONS for key in found[section] if key not in told[section]]
    if _guesses_price(forecast, whole["forecast"]):
        inferred.append("forecast.output.channel")
    manifest = _validated({**given, **whole, "inferred": _union(given.get("inferred"), inferred)})
    check_forecast(forecast, manifest.forecast)
    check_policy(policy, manifest.policy)
    _check_pair(manifest)
    return manifest


def _guesses_price(file: PtFile, section: Mapping[str, Any]) -> bool:
    """Say whether a forecaster forecasts several channels, and nobody told which the price is: the first is read."""
    output, channels = section.get("output"), section.get("channels")
    told = isinstance(output, Mapping) and output.get("channel") is not None
    several = isinstance(channels, list) and len(channels) > 1
    return file.format is not None and several and not told and "target_channel" not in file.config


def _bars(context_length: Any) -> int:
    from prediction_service.runtime.packages.core import FIRST_VALID

    return max(_USUAL_BARS, FIRST_VALID + context_length) if type(context_length) is int else _USUAL_BARS


def _name_missing(forecast: Mapping[str, Any], policy: Mapping[str, Any]) -> None:
    """Refuse what only its trainer knows and did not tell."""
    for present, field, why in (
        ("channels" in forecast, "forecast.channels", "the forecaster does not take the 28 of core28, so name its own"),
        ("quantiles" in forecast, "forecast.quantiles", "the head has more columns than one or three a step"),
        ("decoder" in policy, "policy.decoder", "nobody else knows what each of its discrete actions means"),
    ):
        if not present:
            raise PackageInvalid(f"{field} must be told in a manifest: {why}")


def _union(told: Any, inferred: list[str]) -> Any:
    """Give what was inferred now or, in a manifest that was completed before, then; anything else is for pydantic."""
    return [*told, *(path for path in inferred if path not in told)] if isinstance(told, list) else told or inferred


def _validated(whole: dict[str, Any]) -> Manifest:
    try:
        return Manifest.model_validate(whole)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"] if part not in _UNION_TAGS)
        message = first["msg"].removeprefix("Value error, ")
        what = f", got {first['input']!r:.60}" if not isinstance(first["input"], Mapping) else ""
        raise PackageInvalid(f"{field[:100] or 'The manifest'}: {message[:200]}{what}") from None


def _check_pair(manifest: Manifest) -> None:
    from prediction_service.runtime.packages.channels import check_channels
    from prediction_service.runtime.packages.core import FIRST_VALID
    from prediction_service.runtime.packages.forecast_features import FORECAST_STEPS

    forecast, policy = manifest.forecast, manifest.policy
    check_channels(forecast)
    if "forecast35" in policy.observation and forecast.prediction_length != FORECAST_STEPS:
        raise PackageInvalid(
            f"forecast.prediction_length is {forecast.prediction_length}, "
            f"the block forecast35 of policy.observation reads {FORECAST_STEPS} steps"
        )
    needed = FIRST_VALID + forecast.context_length
    if manifest.market.warmup_bars < needed:
        raise PackageInvalid(
            f"market.warmup_bars is {manifest.market.warmup_bars}, {needed} are needed: {FIRST_VALID} before features "
            f"are valid, and context_length {forecast.context_length}"
        )
    if manifest.probe is not None:
        _check_probe(manifest.probe, manifest, needed)


def _check_probe(probe: Probe, manifest: Manifest, needed: int) -> None:
    told = probe.candles
    lengths = {len(series) for series in (told.open, told.high, told.low, told.close, told.volume)}
    if len(lengths) > 1 or min(lengths) < needed:
        raise PackageInvalid(
            f"probe.candles must be five lists of one length of at least {needed}, got {sorted(lengths)}"
        )
    _check_prices(probe)
    steps, quantiles = manifest.forecast.prediction_length, len(manifest.forecast.quantiles)
    if {len(row) for row in probe.forecast} != {quantiles} or len(probe.forecast) != steps:
        raise PackageInvalid(f"probe.forecast must have {steps} rows of {quantiles} quantiles")
    space = manifest.policy.action_space
    actions = len(space.low) if isinstance(space, BoxSpace) else 1
    if len(probe.action) != actions:
        raise PackageInvalid(f"probe.action has {len(probe.action)} numbers, the policy gives {actions}")


def _check_prices(probe: Probe) -> None:
    told = probe.candles
    low, high = np.array(told.low), np.array(told.high)
    wrong = (np.minimum(told.open, told.close) < low) | (np.maximum(told.open, told.close) > high)
    if wrong.any():
        raise PackageInvalid(
            f"probe.candles: open or close of candle {int(wrong.argmax())} lies outside its low and high"
        )
