"""How far the rows of each day are from those a model learnt: measured on a sample, off the live path."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby

import numpy as np
import structlog
from numpy.typing import NDArray

from prediction_service.settings import PredictionSettings
from prediction_service.store import drift
from prediction_service.store.drift import ENOUGH_ROWS, DueDay, Reference, Sampled
from shared.coin_metrics import read
from shared.coin_metrics.read import Layout, microseconds
from shared.contracts.artifact import Histogram
from shared.db import Pool
from shared.errors import PumpcastError
from shared.features import FeatureSpec, build_last
from shared.scoring import histogram_counts, population_stability_index

log = structlog.get_logger(__name__)

SAMPLE = 2_000
"""Rows of one distribution then differ by an index of 0.005."""
DAYS_BACK = 31
DAYS_A_TIME = 3
"""A backlog of days is worked off bit by bit."""
_PROBES = 200
_ZOOMS = 8
# Of a model with so few predictions a day, all are read along the index of the model.
_FEW = 20_000
_MOST_TRIED = 200_000
_TRIED_TOGETHER = 2_000
# Rows of history that one query brings: the loop that answers live rows waits for no more than they take to read.
_HISTORY_ROWS = 400
_PAUSE_SECONDS = 0.01
_NEWEST_ID = 2**63 - 1
_NO_LATER_ROWS = 0


async def measure_due(pool: Pool, _settings: PredictionSettings) -> bool:
    """Measure the newest days that have got predictions since they were measured; True when others are still to do."""
    done = 0
    for _, models in groupby(await drift.due(pool, days=DAYS_BACK), key=lambda due: due.day):
        if done == DAYS_A_TIME:
            return True
        of_day = list(models)
        bounds = await _bounds(pool, of_day[0].start, of_day[0].until)
        if bounds is None:
            # They are deleted by now.
            continue
        measured = [await _try_to_measure(pool, due, bounds) for due in of_day]
        done += any(measured)
    return False


async def _try_to_measure(pool: Pool, due: DueDay, bounds: tuple[int, int]) -> bool:
    try:
        return await _measure(pool, due, bounds)
    except (PumpcastError, ValueError, ArithmeticError) as error:
        # A manifest of an older service must not keep the others from being measured.
        log.warning("drift cannot be measured", active_model_id=due.active_model_id, reason=str(error))
        return False


async def _measure(pool: Pool, due: DueDay, bounds: tuple[int, int]) -> bool:
    """Measure a day of a model; False when there is nothing left of it."""
    known = await drift.reference(pool, due.active_model_id)
    sample = await _sample(pool, due, bounds)
    if known is None or not sample:
        return False
    spec = FeatureSpec(known.features)
    layout = await read.layout(pool, spec.base_columns)
    features = np.empty((0, len(spec.names)), np.float32)
    if layout is not None:
        found = await _features(pool, layout, spec, sample)
        # The tracker may have deleted most of them: the rest are too few, and no fair sample.
        features = found if len(found) >= min(len(sample), ENOUGH_ROWS) else features
    probability = np.array([one.probability for one in sample])
    score_psi, indexes = await asyncio.to_thread(compare, known, probability, features)
    await drift.put(pool, due, rows=len(sample), score_psi=score_psi, features=indexes)
    return True


def compare(
    known: Reference, probability: NDArray[np.float64], features: NDArray[np.float32]
) -> tuple[float | None, dict[str, float]]:
    """Give the index of the probability and of each feature; float32[n, features] follow the names of `known`."""
    score_psi = None if known.score_histogram is None else _index(known.score_histogram, probability)
    indexes = {}
    for name, values in zip(known.features, features.T, strict=True):
        index = _index(known.histograms[name], values) if name in known.histograms else None
        if index is not None:
            indexes[name] = index
    return score_psi, indexes


def _index(told: dict[str, object], values: NDArray[np.floating]) -> float | None:
    learnt = Histogram.model_validate(told)
    counts, missing = histogram_counts(values, learnt.edges)
    return population_stability_index([*learnt.counts, learnt.missing], [*counts.tolist(), missing])


async def _features(pool: Pool, layout: Layout, spec: FeatureSpec, sample: Sequence[Sampled]) -> NDArray[np.float32]:
    """Give the features of the sampled rows that coin_metrics still has, float32[≤ n, features]."""
    depth = spec.history_needed()
    together = max(_HISTORY_ROWS // depth, 1)
    parts = [np.empty((0, len(spec.names)), np.float32)]
    for first in range(0, len(sample), together):
        chosen = sample[first : first + together]
        times = np.array([microseconds(one.data_timestamp) for one in chosen], np.int64)
        tails, _ = await read.tails(
            pool, layout, mints=[one.coin_id for one in chosen], times=times,
            ids=np.full(len(chosen), _NEWEST_ID), rows=depth, until=_NO_LATER_ROWS,
        )  # fmt: skip
        there = (tails.count > 0) & (tails.timestamp[:, -1] == times)
        parts.append(
            await asyncio.to_thread(build_last, tails.values[there], tails.timestamp[there], tails.count[there], spec)
        )
        await asyncio.sleep(_PAUSE_SECONDS)
    return np.concatenate(parts)


async def _bounds(pool: Pool, start: datetime, until: datetime) -> tuple[int, int] | None:
    """Give ids between which the predictions of a day lie, and not many others; None when they are gone.

    Ids follow the recording but for rows that came late, so a few looks at evenly spaced ones find the day. A few rows
    at its ends may be missed, which a sample can bear.
    """
    bounds = await drift.ends(pool)
    for _ in range(_ZOOMS):
        if bounds is None:
            return None
        low, high = bounds
        ids = np.unique(np.linspace(low, high, _PROBES).astype(np.int64))
        probed = sorted(set(await drift.probe(pool, ids.tolist())))
        inside = [number for number, (_, at) in enumerate(probed) if start <= at < until]
        if inside:
            first, last = max(inside[0] - 1, 0), min(inside[-1] + 1, len(probed) - 1)
        else:
            before = [number for number, (_, at) in enumerate(probed[:-1]) if at < start <= probed[number + 1][1]]
            if not before:
                return None
            first, last = before[-1], before[-1] + 1
        bounds = probed[first][0], probed[last][0]
        if bounds == (low, high) or len(inside) > len(probed) // 2:
            break
    return bounds


async def _sample(pool: Pool, due: DueDay, bounds: tuple[int, int]) -> list[Sampled]:
    """Give at most `SAMPLE` of a model's predictions of a day, spread evenly over it; the same ones each time."""
    low, high = bounds
    if due.predictions <= _FEW:
        one_in = -(-due.predictions // SAMPLE)
        return await drift.read_few(pool, due, bounds, one_in=one_in, most=SAMPLE)
    # Ids of other models lie between: more are tried than are wanted.
    tried = max(1, min(SAMPLE * (high - low + 1) // due.predictions, _MOST_TRIED, high - low + 1))
    random = np.random.default_rng(due.day.toordinal())
    ids = low + ((np.arange(tried) + random.random(tried)) * ((high - low + 1) / tried)).astype(np.int64)
    found: list[Sampled] = []
    for first in range(0, tried, _TRIED_TOGETHER):
        found += await drift.read_chosen(pool, due, ids[first : first + _TRIED_TOGETHER].tolist())
        await asyncio.sleep(_PAUSE_SECONDS)
    return [found[index] for index in np.linspace(0, len(found) - 1, min(len(found), SAMPLE)).astype(int)]
