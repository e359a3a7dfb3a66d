"""Trading on candles as a gymnasium environment, with the rules of paper trading."""

from typing import Any, Final

import gymnasium
import numpy as np
from numpy.typing import NDArray

from prediction_service.runtime.packages.decoder import Decision, decode
from prediction_service.runtime.paper_account import Account, Closed, Step, close_position, mark_candle, take_signal
from pumpcast.packages.stage import ACTIONS, Stage

BASIS_POINTS: Final = 1e4
SMALLEST_EQUITY: Final = 1.0
"""USDT; with less an episode ends, and the logarithm stays finite."""


class TradingEnvironment(gymnasium.Env[NDArray[np.float32], NDArray[np.float32]]):
    """An account that follows a policy from candle to candle.

    A step reads the action as a signal, acts on it at the close of the candle, and lets the next candle pass. The
    reward is the change of the logarithm of equity after fees, in basis points. At the end all positions are closed.
    """

    metadata = {"render_modes": []}  # noqa: RUF012 - as gymnasium declares it

    def __init__(self, stage: Stage, *, steps: int | None = None) -> None:
        """Trade on a stage: all of it, or `steps` candles from a place drawn at each reset."""
        self.stage = stage
        how = stage.policy.obs_normalization
        bound = how.clip if how else np.inf
        self.observation_space = gymnasium.spaces.Box(-bound, bound, (stage.policy.obs_dim,), np.float32)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (ACTIONS,), np.float32)
        self._steps = min(steps or len(stage) - 1, len(stage) - 1)
        self._place = self._end = 0
        self.account = Account(rules=stage.rules)
        self.closed: list[Closed] = []
        self.decisions: list[Decision] = []

    def reset(
        self,
        *,
        seed: int | None = None,
        options: dict[str, Any] | None = None,  # noqa: ARG002 - gymnasium passes it
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin with a fresh account."""
        super().reset(seed=seed)
        self._place = int(self.np_random.integers(len(self.stage) - self._steps))
        self._end = self._place + self._steps
        self.account, self.closed, self.decisions = Account(rules=self.stage.rules), [], []
        return self.stage.observation(self._place, self.account), {}

    def step(self, action: NDArray[np.float32]) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Act at the close of the present candle and let the next one pass."""
        before = self.account.equity
        self._act(np.clip(np.asarray(action, np.float64), -1.0, 1.0))
        self._place += 1
        self._take(mark_candle(self.account, self.stage.candle(self._place), symbol=self.stage.symbol))
        ended, ruined = self._place >= self._end, self.account.equity <= SMALLEST_EQUITY
        if ended or ruined:
            self._close_all()
        reward = BASIS_POINTS * float(np.log(max(self.account.equity, SMALLEST_EQUITY) / before))
        observation = self.stage.observation(self._place, self.account)
        return observation, reward, ruined, ended and not ruined, {"equity": self.account.equity}

    def _act(self, action: NDArray[np.float64]) -> None:
        decision = decode(action, None, self.stage.policy.decoder)
        self.decisions.append(decision)
        candle = self.stage.candle(self._place)
        self._take(
            take_signal(
                self.account,
                symbol=self.stage.symbol,
                signal=decision.signal,
                confidence=decision.confidence,
                price=candle.close,
                at=candle.close_at,
            )
        )

    def _close_all(self) -> None:
        candle = self.stage.candle(self._place)
        for position in self.account.positions:
            self._take(close_position(self.account, position, price=candle.close, reason="MANUAL", at=candle.close_at))

    def _take(self, step: Step) -> None:
        self.account = step.account
        self.closed.extend(step.closed)
