"""What a batch said, summed up for its row in the journal: totals need not count the predictions."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from prediction_service.runtime.answers import Answers
from shared.coin_metrics.read import Batch
from shared.coin_metrics.rows import Ints

HOUR = 3_600_000_000
MINUTE = 60_000_000


def entries(answers: Sequence[Answers], rows: Batch, *, duration_ms: float) -> list[dict[str, Any]]:
    """Give one entry for each model that answered.

    Its `cells` hold for each hour and phase of its rows [hour (unix seconds), phase (-1: none), predictions, positives,
    alerts, sum of probabilities, sum of durations in ms, newest timestamp (microseconds)], its `spans` the first and
    the last timestamp (microseconds) of each minute that occurs. The target stands in the entry, as the model may be
    deleted before its answers come out.
    """
    return [
        {
            "active_model_id": given.model.active_id,
            "model_id": given.model.model_id,
            "target": given.model.loaded.target,
            "horizon_minutes": given.model.loaded.horizon_minutes,
            "cells": _cells(given, rows, duration_ms),
            "spans": _spans(rows.timestamp[given.rows]),
        }
        for given in answers
        if len(given.rows)
    ]


def _cells(given: Answers, rows: Batch, duration_ms: float) -> list[list[float]]:
    times, phases = rows.timestamp[given.rows], rows.phase[given.rows]
    hours = times // HOUR
    if (hours == hours[0]).all() and (phases == phases[0]).all():
        at, kinds = np.zeros(len(times), np.int64), np.array([[hours[0], phases[0]]])
    else:
        kinds, at = np.unique(np.stack([hours, phases], axis=1), axis=0, return_inverse=True)
        at = at.reshape(-1)
    counts, positives, alerts, probabilities = (
        np.bincount(at, weights, minlength=len(kinds))
        for weights in (None, given.prediction, given.alert, given.probability)
    )
    newest = np.full(len(kinds), np.iinfo(np.int64).min)
    np.maximum.at(newest, at, times)
    return [
        [
            int(hour) * 3600,
            int(phase),
            int(count),
            int(positive),
            int(alert),
            float(total),
            count * duration_ms,
            int(last),
        ]
        for (hour, phase), count, positive, alert, total, last in zip(
            kinds, counts.tolist(), positives, alerts, probabilities, newest, strict=True
        )
    ]


def _spans(times: Ints) -> list[list[int]]:
    ordered = np.sort(times)
    first = np.flatnonzero(np.diff(ordered // MINUTE, prepend=-1))
    last = np.append(first[1:], len(ordered)) - 1
    return [[low, high] for low, high in zip(ordered[first].tolist(), ordered[last].tolist(), strict=True)]
