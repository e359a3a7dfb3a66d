"""From the action of a policy to a signal."""

from dataclasses import dataclass
from typing import Final, Literal, assert_never

import numpy as np
from numpy.typing import NDArray

from shared.contracts.packages import ChoiceDecoder, Decoder, DirectionDecoder, Signal
from shared.errors import PackageInvalid

Floats = NDArray[np.float64]
Sentiment = Literal["bullish", "bearish", "neutral"]

_SENTIMENTS: Final[dict[Signal, Sentiment]] = {"LONG": "bullish", "SHORT": "bearish", "FLAT": "neutral"}
_HIGHEST: Final = 99.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a package would do now."""

    signal: Signal
    confidence: float
    """0–99; 0 for FLAT."""
    sentiment: Sentiment


def decode(action: Floats, probabilities: Floats | None, decoder: Decoder) -> Decision:
    """Read an action as LONG, SHORT or FLAT with a confidence.

    direction: d = action[index]; LONG where d > threshold, SHORT where d < −threshold, else FLAT; the confidence rises
    from 50 at the threshold t by (|d| − t) / (1 − t) · 100, to at most 99.
    choice: action[0] is the number of a discrete action, whose signal the decoder names; the confidence is its
    probability · 100, at most 99. The confidence of FLAT is 0.

    Shapes and types: action float64 (k,), probabilities float64 (n,) of a discrete action, else None.
    NaN: refused, since a signal must not be made up.
    Raises: PackageInvalid for an action that is not finite, or a choice without its probability.

    >>> decode(np.array([0.665, 0.0, 0.0, 0.0, 0.0]), None, DirectionDecoder())
    Decision(signal='LONG', confidence=99.0, sentiment='bullish')
    >>> decode(np.array([-0.33]), None, DirectionDecoder())
    Decision(signal='FLAT', confidence=0.0, sentiment='neutral')
    >>> decode(np.array([1.0]), np.array([0.25, 0.75]), ChoiceDecoder(signals=["FLAT", "SHORT"]))
    Decision(signal='SHORT', confidence=75.0, sentiment='bearish')
    """
    if not np.isfinite(action).all():
        raise PackageInvalid(f"The policy answered {action.tolist()}, which is no action: the package is damaged")
    match decoder:
        case DirectionDecoder(index=index, threshold=threshold):
            return _directed(float(action[index]), threshold)
        case ChoiceDecoder(signals=signals):
            chosen = int(action[0])
            if probabilities is None or not np.isfinite(probabilities[chosen]):
                raise PackageInvalid("The policy gave no probability for the action it chose: the package is damaged")
            return _decision(signals[chosen], float(probabilities[chosen]) * 100)
        case _ as never:
            assert_never(never)


def _directed(direction: float, threshold: float) -> Decision:
    strength = (abs(direction) - threshold) / (1 - threshold) * 100 + 50
    if direction > threshold:
        return _decision("LONG", strength)
    return _decision("SHORT", strength) if direction < -threshold else _decision("FLAT", 0.0)


def _decision(signal: Signal, confidence: float) -> Decision:
    return Decision(
        signal=signal,
        confidence=0.0 if signal == "FLAT" else min(confidence, _HIGHEST),
        sentiment=_SENTIMENTS[signal],
    )
