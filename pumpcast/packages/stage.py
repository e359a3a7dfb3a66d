"""What a policy trades on: candles, forecasts and features of one market, and its observation at any candle."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from prediction_service.runtime.packages.account import EMPTY_ACCOUNT, account_features, account_state
from prediction_service.runtime.packages.candles import Candles
from prediction_service.runtime.packages.channels import Scales, forecast_curves
from prediction_service.runtime.packages.observation import build_observation
from prediction_service.runtime.paper import Candle, Rules
from prediction_service.runtime.paper_account import Account
from pumpcast.packages.walk import candle_at
from pumpcast.packages.windows import Windows
from shared.contracts.packages import BoxSpace, Forecast, Normalization, Policy

Floats = NDArray[np.float64]

ACTIONS: Final = 5
OBSERVED: Final = 72
CLIP: Final = 10.0
ACCOUNT_MEAN: Final = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 192.0, 1.0, 0.1)
"""Of an account without a position."""
ACCOUNT_SPREAD: Final = (2.0, 1.0, 0.01, 0.05, 0.001, 48.0, 48.0, 0.05, 0.05)
"""Usual deviations from it; measured ones would hang on what the policy does while it learns."""
SAMPLED: Final = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Candles to trade on, in a row, with everything known at the close of each."""

    symbol: str
    candles: Candles
    core: Floats
    """(n, 28)"""
    curves: Floats
    """(n, 192, 3) forecasts."""
    forecast: Forecast
    policy: Policy
    scales: Scales
    rules: Rules

    def __len__(self) -> int:
        """Give how many candles."""
        return len(self.candles)

    def observation(self, place: int, account: Account) -> NDArray[np.float32]:
        """Give what the policy sees at the close of a candle."""
        return self._seen(place, account_features(account_state(account, at=int(self.candles.close_time[place]))))

    def candle(self, place: int) -> Candle:
        """Give a candle as paper trading takes it."""
        return candle_at(self.candles, place)

    def normalised(self) -> "Stage":
        """Give the same with observations centred and scaled by what they look like on these candles."""
        places = range(0, len(self), max(1, len(self) // SAMPLED))
        seen = np.stack([self._seen(place, EMPTY_ACCOUNT) for place in places]).astype(np.float64)
        mean, var = seen.mean(axis=0), seen.var(axis=0)
        # A column that never moves stays near 0 should it ever move.
        var[var <= 1e-12 * (1 + mean**2)] = 1.0
        mean[-len(ACCOUNT_MEAN) :], var[-len(ACCOUNT_MEAN) :] = ACCOUNT_MEAN, np.square(ACCOUNT_SPREAD)
        how = Normalization(mean=mean.tolist(), var=var.tolist(), clip=CLIP)
        return replace(self, policy=self.policy.model_copy(update={"obs_normalization": how}))

    def _seen(self, place: int, account: Floats) -> NDArray[np.float32]:
        return build_observation(self.core[place], self.curves[place], account, self.forecast, self.policy, self.scales)


def make_stage(
    windows: Windows, candles: Candles, part: range, forecasts: Floats, policy: Policy, *, symbol: str, rules: Rules
) -> Stage:
    """Put together what can be traded on in a part of a history; `forecasts` (k, 192, 3) are those of its candles."""
    curves = [forecast_curves(forecast, windows.forecast, windows.scales) for forecast in forecasts]
    return Stage(
        symbol=symbol,
        candles=candles.part(part.start, part.stop),
        core=windows.core[part.start : part.stop],
        curves=np.stack(curves),
        forecast=windows.forecast,
        policy=policy,
        scales=windows.scales,
        rules=rules,
    )


def untrained_policy(net_arch: tuple[int, ...]) -> Policy:
    """Give the policy's part of a manifest."""
    return Policy(
        net_arch=list(net_arch),
        obs_dim=OBSERVED,
        action_space=BoxSpace(low=[-1.0] * ACTIONS, high=[1.0] * ACTIONS),
    )
