"""A package loaded: candles and an account in, a signal out. The libraries it needs are imported when one is loaded."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from prediction_service.runtime.packages.candles import Candles
from prediction_service.runtime.packages.probe import probe_candles
from shared.contracts.packages import Forecast, Manifest
from shared.errors import CandlesUnusable, PackageInvalid, Unavailable

if TYPE_CHECKING:
    from prediction_service.runtime.packages.decoder import Decision
    from prediction_service.runtime.packages.forecaster import Forecaster
    from prediction_service.runtime.packages.policy import LoadedPolicy

Floats = NDArray[np.float64]
FORECAST_FILE, POLICY_FILE = "forecast_model.pt", "ppo_policy.zip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a package says at the newest of its candles."""

    decision: "Decision"
    action_raw: Floats
    """(k,) what the policy did, before it was read."""
    probabilities: Floats | None
    """(n,) of its discrete actions."""
    prediction: Floats
    """(P, Q) the numbers of the forecaster's head."""
    curves: Floats
    """(P, 3) log return since the newest close: lower, median, upper."""
    price_path: Floats
    """(P, 3) the same as prices."""
    price: float
    """The newest close."""
    lookback_rows_used: int
    """Rows whose features were valid."""
    feature_dim: int
    """Numbers the policy saw."""
    scaled_from_warmup: tuple[str, ...]
    """Channels whose scale was taken from these rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """How far the answers to the probe lie from those its trainer saw."""

    forecast_error: float
    """Largest absolute difference."""
    action_error: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether both are within the tolerance."""
        return max(self.forecast_error, self.action_error) <= self.tolerance


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A forecaster and a policy in memory, with their manifest."""

    manifest: Manifest
    forecaster: "Forecaster"
    policy: "LoadedPolicy"

    @classmethod
    def load(cls, folder: Path, manifest: Manifest) -> "Instance":
        """Read both files of a validated package; PackageInvalid if they are not those any more."""
        try:
            import talib  # noqa: F401  # the features need it, and the first answer should not wait for it

            from prediction_service.runtime.packages.forecaster import load_forecaster
            from prediction_service.runtime.packages.policy import load_policy
        except ModuleNotFoundError as error:
            raise Unavailable(
                f"{error.name} is not installed, which packages need; run: pip install 'pumpcast[packages]'"
            ) from error
        return cls(
            manifest=manifest,
            forecaster=load_forecaster(folder / FORECAST_FILE, manifest.forecast),
            policy=load_policy(folder / POLICY_FILE, manifest.policy),
        )

    def answer(self, candles: Candles, account: Floats) -> Answer:
        """Give the signal at the newest candle for the block account9 of an account."""
        from prediction_service.runtime.packages.core import FIRST_VALID, core_features

        forecast, interval = self.manifest.forecast, self.manifest.market.interval_seconds
        if candles.interval_seconds != interval:
            raise PackageInvalid(
                f"The candles are of {candles.interval_seconds} seconds, the package was made for {interval}"
            )
        valid = max(len(candles) - FIRST_VALID, 0)
        if valid < forecast.context_length:
            raise PackageInvalid(
                f"{len(candles)} candles give {valid} valid rows, the forecaster reads {forecast.context_length}"
            )
        core = core_features(candles, newest=rows_read(forecast, len(candles)))
        return self.answer_from(core, candles, account)

    def answer_from(self, core: Floats, candles: Candles, account: Floats) -> Answer:
        """Give the same from the features of these candles, (n, 28): all valid rows, or the newest that are read."""
        from prediction_service.runtime.packages import channels, observation
        from prediction_service.runtime.packages.core import FIRST_VALID, check_features
        from prediction_service.runtime.packages.decoder import decode

        forecast, policy = self.manifest.forecast, self.manifest.policy
        check_features(core, candles, rows_read(forecast, len(candles)))
        scales = channels.fit_scales(core, forecast)
        prediction = self.forecaster.predict(channels.forecaster_input(core, forecast, scales))
        _refuse_nonsense(prediction, "forecast")
        curves = channels.forecast_curves(prediction, forecast, scales)
        seen = observation.build_observation(core[-1], curves, account, forecast, policy, scales)
        _refuse_nonsense(seen, "observation")
        action = self.policy.act(seen)
        _refuse_nonsense(action.values, "action")
        price = float(candles.close[-1])
        with np.errstate(over="ignore"):
            price_path = price * np.exp(curves)
        _refuse_nonsense(price_path, "price path")
        return Answer(
            decision=decode(action.values, action.probabilities, policy.decoder),
            action_raw=action.values,
            probabilities=action.probabilities,
            prediction=prediction,
            curves=curves,
            price_path=price_path,
            price=price,
            lookback_rows_used=len(candles) - FIRST_VALID,
            feature_dim=policy.obs_dim,
            scaled_from_warmup=scales.from_warmup,
        )

    def check_probe(self) -> ProbeResult | None:
        """Answer the probe of the manifest, if it has one."""
        probe = self.manifest.probe
        if probe is None:
            return None
        candles = probe_candles(probe, self.manifest.market.interval_seconds)
        try:
            answer = self.answer(candles, np.array(probe.account))
        except CandlesUnusable as error:
            raise PackageInvalid(f"probe.candles: {error.message}") from error
        return ProbeResult(
            forecast_error=_distance(answer.prediction, probe.forecast, "probe.forecast"),
            action_error=_distance(answer.action_raw, probe.action, "probe.action"),
            tolerance=probe.tolerance,
        )


def rows_read(forecast: Forecast, bars: int) -> int:
    """Give how many of the newest rows an answer hangs on: all, where scales are taken from them."""
    told = all(channel.scale is not None for channel in forecast.channels)
    return forecast.context_length if told else bars


def refuse_unusable(candles: Candles, forecast: Forecast) -> None:
    """Refuse candles that no package can answer from, `CandlesUnusable`, without the package."""
    from prediction_service.runtime.packages.core import check_features, core_features

    rows = rows_read(forecast, len(candles))
    check_features(core_features(candles, newest=rows), candles, rows)


def _distance(got: Floats, told: Any, name: str) -> float:
    expected = np.array(told, np.float64)
    if expected.shape != got.shape:
        raise PackageInvalid(f"{name} has shape {expected.shape}, the package answers {got.shape}")
    return float(np.abs(got - expected).max())


def _refuse_nonsense(values: NDArray[np.floating[Any]], name: str) -> None:
    if not np.isfinite(values).all():
        raise PackageInvalid(f"The package gives a {name} that is not finite; its weights or scales do not fit")
