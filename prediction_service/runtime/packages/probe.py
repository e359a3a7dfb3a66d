"""Probes: candles with the answers that a trainer saw, which prove that files and manifest belong together."""

from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from prediction_service.runtime.packages.candles import Candles
from shared.contracts.packages import Probe, ProbeCandles

Floats = NDArray[np.float64]
_TOLERANCE = 1e-4
"""Far above what processors round differently, well below a forecast of any use."""
_SERIES = ("open", "high", "low", "close", "volume")


def make_probe(candles: Candles, account: Floats, *, prediction: Floats, action: Floats) -> Probe:
    """Give the probe of an answer: its prediction (P, Q) and raw action (k,) for candles and a block account9."""
    start = datetime.fromtimestamp(int(candles.open_time[0]) / 1_000_000, UTC)
    series = {name: getattr(candles, name).tolist() for name in _SERIES}
    return Probe(
        candles=ProbeCandles(start=start, **series),
        account=account.tolist(),
        forecast=prediction.tolist(),
        action=action.tolist(),
        tolerance=_TOLERANCE,
    )


def probe_candles(probe: Probe, interval_seconds: int) -> Candles:
    """Give the candles of a probe as arrays."""
    told = probe.candles
    series = {name: np.array(getattr(told, name), np.float64) for name in _SERIES}
    first = round(told.start.timestamp() * 1_000_000)
    steps = np.arange(len(told.close), dtype=np.int64) * interval_seconds * 1_000_000
    return Candles(open_time=first + steps, interval_seconds=interval_seconds, **series)
