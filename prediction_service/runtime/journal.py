"""What a batch said, summed up for its row in the journal: totals need not count the predictions."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from prediction_service.runtime.answers import Answers
from shared.coin_metrics.read import Batch
from shared.coin_metrics.rows import Ints

HOUR = 3_600_000_000
MINUTE = 60_000_000
# Phases have 32 bits: an hour and a phase fit into one number, which sorts quicker than two.
_PHASES = 2**33


def entries(answers: Sequence[Answers], rows: Batch, *, duration_ms: float) -> list[dict[str, Any]]:
    """Give one entry for each model that answered.

    Its `cells` hold for each hour and phase of its rows [hour (unix seconds), phase (-1: none), predictions, positives,
    alerts, sum of probabilities, sum of durations in ms, newest timestamp (microseconds)], its `spans` the first and
    the last timestamp (microseconds) of each minute that occurs. The target stands in the entry, as the model may be
    deleted before its answers come out.
    """
    kinds, kind = np.unique(rows.timestamp // HOUR * _PHASES + rows.phase + _PHASES // 2, return_inverse=True)
    everything = _spans(rows.timestamp)
    return [
        {
            "active_model_id": given.model.active_id,
            "model_id": given.model.model_id,
            "target": given.model.loaded.target,
            "horizon_minutes": given.model.loaded.horizon_minutes,
            "cells": _cells(given, kinds, kind[given.rows], rows.timestamp[given.rows], duration_ms),
            "spans": everything if len(given.rows) == len(rows) else _spans(rows.timestamp[given.rows]),
        }
        for given in answers
        if len(given.rows)
    ]


def _cells(given: Answers, kinds: Ints, kind: Ints, times: Ints, duration_ms: float) -> list[list[float]]:
    counts = np.bincount(kind, minlength=len(kinds))
    sums = [
        np.bincount(kind, weights, minlength=len(kinds))
        for weights in (given.prediction, given.alert, given.probability)
    ]
    newest = np.full(len(kinds), np.iinfo(np.int64).min)
    np.maximum.at(newest, kind, times)
    cells: list[list[float]] = []
    for at in np.flatnonzero(counts).tolist():
        hour, phase = divmod(int(kinds[at]), _PHASES)
        count, positives, alerts, total = int(counts[at]), *(float(one[at]) for one in sums)
        cells.append(
            [hour * 3600, phase - _PHASES // 2, count, int(positives), int(alerts), total, count * duration_ms,
             int(newest[at])]
        )  # fmt: skip
    return cells


def _spans(times: Ints) -> list[list[int]]:
    ordered = np.sort(times)
    first = np.flatnonzero(np.diff(ordered // MINUTE, prepend=np.iinfo(np.int64).min))
    last = np.append(first[1:], len(ordered)) - 1
    return [[low, high] for low, high in zip(ordered[first].tolist(), ordered[last].tolist(), strict=True)]
