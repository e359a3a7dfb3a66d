"""Outcomes counted by model, hour and phase, as the roll-ups take them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from prediction_service.runtime.verdicts import OUTCOMES, Pending, Verdicts
from shared.coin_metrics.rows import Floats, Ints

HOUR = 3_600_000_000
BINS = 20
_STEPS = 1_000_000 // BINS
_TP, _FP, _TN, _FN, _UNRESOLVED = range(len(OUTCOMES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Numbers of predictions by a key; `columns` hold one entry for each key."""

    active_ids: list[int]
    hours: list[int]
    """Start of the hour of data_timestamp, microseconds."""
    parts: list[int]
    """The phase, -1 for none; in a tally of calibration the twentieth of probability."""
    columns: dict[str, list[float]]


def count_outcomes(pending: Pending, verdicts: Verdicts, active_ids: Sequence[int]) -> Tally:
    """Count outcomes by phase; `active_ids` are the models of the questions.

    What was counted as unresolved before is so no longer; its change may have been counted then.
    """
    truth = _truth(verdicts)
    error = (pending.probability - truth) ** 2
    known, alert, again = ~np.isnan(truth), pending.alert, pending.again
    moved = ~np.isnan(verdicts.change_pct) & ~pending.has_change
    weights: dict[str, Floats | Ints] = {
        name: (verdicts.outcome == code).astype(np.int64) for code, name in enumerate(OUTCOMES)
    }
    weights["unresolved"] = weights["unresolved"] - again
    weights |= {
        "alert_tp": (alert & (truth == 1)).astype(np.int64),
        "alert_fp": (alert & (truth == 0)).astype(np.int64),
        "alert_unresolved": (alert & ~known).astype(np.int64) - (alert & again),
        "brier_sum": np.where(known, error, 0.0),
        "alert_brier_sum": np.where(known & alert, error, 0.0),
    }
    for name, chosen in (("", moved), ("positive_", moved & pending.prediction), ("alert_", moved & alert)):
        weights[f"{name}changes"] = chosen.astype(np.int64)
        weights[f"{name}change_pct_sum"] = np.where(chosen, verdicts.change_pct, 0.0)
    return _tally(pending, pending.phase, weights, active_ids)


def count_calibration(pending: Pending, verdicts: Verdicts, active_ids: Sequence[int]) -> Tally:
    """Count resolved predictions by twentieths of probability."""
    known = verdicts.outcome != _UNRESOLVED
    resolved, truth = pending.take(known), _truth(verdicts.take(known))
    # Probabilities have six decimals: whole millionths are exact where twentieths are not.
    place = np.minimum(np.round(resolved.probability * 1_000_000).astype(np.int64) // _STEPS, BINS - 1)
    weights: dict[str, Floats | Ints] = {
        "resolved": np.ones(len(resolved), np.int64),
        "positives": truth.astype(np.int64),
        "probability_sum": resolved.probability,
    }
    return _tally(resolved, place, weights, active_ids)


def _truth(verdicts: Verdicts) -> Floats:
    is_true = np.isin(verdicts.outcome, (_TP, _FN)).astype(np.float64)
    return np.where(verdicts.outcome == _UNRESOLVED, np.nan, is_true)


def _tally(pending: Pending, parts: Ints, weights: dict[str, Floats | Ints], active_ids: Sequence[int]) -> Tally:
    active = np.array(active_ids, np.int64)[pending.question]
    keys = np.stack([active, pending.timestamp // HOUR * HOUR, parts], axis=1)
    found, slot = np.unique(keys, axis=0, return_inverse=True)
    columns = {}
    for name, weight in weights.items():
        sums = np.bincount(slot.reshape(-1), weight, minlength=len(found))
        columns[name] = (sums if weight.dtype.kind == "f" else np.round(sums).astype(np.int64)).tolist()
    return Tally(
        active_ids=found[:, 0].tolist(), hours=found[:, 1].tolist(), parts=found[:, 2].tolist(), columns=columns
    )
