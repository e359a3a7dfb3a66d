"""Drift: what a day's sample says of rows that are as they were, of rows that are not, and of what is missing."""

from datetime import date, timedelta

import numpy as np
import pytest

from prediction_service.store import drift
from prediction_service.usecases.drift import SAMPLE, measure_due
from shared.coin_metrics import read
from shared.features import FeatureSpec, build
from tests.support.database import START, insert_rows, row
from tests.support.live import settings
from tests.support.models import FEATURES, activate_model
from tests.support.predictions import store
from training_service.ml.golden import histogram_of

DAY = 86_400
MIDNIGHT = -DAY / 2
"""START is at noon; days are counted from the midnight before it."""
COINS, ROWS = 20, 40


def market(day: int, *, volume: float = 1.0, price: float = 1.0, **values):
    """Give rows of coins that live on one day, told by its number after that of START; all days are alike."""
    random = np.random.default_rng(day + 1)
    rows = []
    for coin in range(COINS):
        prices = 3e-8 * price * np.exp(np.cumsum(random.normal(0, 0.05, ROWS)))
        for number, (close, traded) in enumerate(zip(prices, random.lognormal(size=ROWS) * volume, strict=True)):
            bought = traded * random.random()
            own = {"volume_sol": traded, "buy_volume_sol": bought, "sell_volume_sol": traded - bought}
            seconds = MIDNIGHT + day * DAY + number * 2000 + coin
            rows.append(row(f"coin {day} {coin}", seconds, price_close=float(close), **{**own, **values}))
    return rows


async def predict(pool, active_id, rows, *, probability=lambda at: 0.1 + 0.001 * (at % 50)):
    """Store predictions of rows, and their totals as they are kept by the hour."""
    await store(
        pool,
        *(
            {"active_model_id": active_id, "model_id": 1, "coin_id": one["mint"], "data_timestamp": one["timestamp"],
             "probability": probability(at)}
            for at, one in enumerate(sorted(rows, key=lambda one: one["timestamp"]))
        ),
    )  # fmt: skip
    await pool.execute(
        "INSERT INTO prediction_stats (active_model_id, model_id, bucket_start, predictions)"
        " SELECT $1, 1, date_trunc('hour', data_timestamp, 'UTC'), count(*) FROM predictions"
        " WHERE active_model_id = $1 GROUP BY 3 ON CONFLICT (active_model_id, bucket_start, phase)"
        " DO UPDATE SET predictions = excluded.predictions",
        active_id,
    )


@pytest.fixture
async def learnt(pool, connection, tmp_path):
    """Give the active id of a model that learnt from the day before START's."""
    rows = market(-1)
    await insert_rows(connection, rows)
    active_id = await activate_model(pool, tmp_path)
    table = [await read.tail(pool, f"coin -1 {coin}", at=None, rows=ROWS) for coin in range(COINS)]
    features = np.concatenate([build(one, FeatureSpec(FEATURES)) for one in table])
    told = {name: histogram_of(values).model_dump() for name, values in zip(FEATURES, features.T, strict=True)}
    score = histogram_of(np.array([0.1 + 0.001 * (at % 50) for at in range(800)])).model_dump()
    await pool.execute(
        "UPDATE prediction_active_models SET manifest = manifest || $2 WHERE id = $1",
        active_id, {"histograms": told, "score_histogram": score},
    )  # fmt: skip
    return active_id


@pytest.fixture
def configured(database, tmp_path):
    return settings(database, tmp_path)


async def test_drift_when_one_day_is_alike_and_the_next_is_not_then_each_day_says_so(
    pool, connection, learnt, configured
):
    alike = market(0)
    # A price ten times as high moves no feature that is a ratio; ten times the volume moves one.
    scaled = market(1, volume=10, price=10)
    await insert_rows(connection, [*alike, *scaled])
    await predict(pool, learnt, [*alike, *scaled], probability=lambda at: 0.1 + 0.001 * (at % 50) + (at >= 800) * 0.3)

    await measure_due(pool, configured)

    second, first = await drift.list_days(pool, learnt, most=10)
    assert [one.day for one in (first, second)] == [date(2026, 3, 1), date(2026, 3, 2)]
    assert (first.rows, first.predictions, first.model_id) == (COINS * ROWS, COINS * ROWS, 1)
    assert first.features.keys() == set(FEATURES)
    assert max(first.features.values()) < 0.1
    assert first.score_psi < 0.1
    assert first.level == "ok"
    assert second.features["volume_sol"] > 0.25
    assert max(value for name, value in second.features.items() if name != "volume_sol") < 0.1
    assert second.score_psi > 1
    assert second.level == "strong"


async def test_drift_when_values_fall_silent_then_they_count_as_missing(pool, connection, learnt, configured):
    rows = [{**one, "volume_sol": None} if at % 2 else one for at, one in enumerate(market(0))]
    await insert_rows(connection, rows)
    await predict(pool, learnt, rows)

    await measure_due(pool, configured)

    (found,) = await drift.list_days(pool, learnt, most=10)
    assert found.features["volume_sol"] > 0.25
    assert max(value for name, value in found.features.items() if name != "volume_sol") < 0.1


async def test_drift_when_a_prediction_is_of_midnight_then_it_is_of_the_new_day(pool, connection, learnt, configured):
    last, first = row("a", MIDNIGHT + DAY - 1e-6), row("a", MIDNIGHT + DAY)
    await insert_rows(connection, [last, first])
    await predict(pool, learnt, [last, first])

    await measure_due(pool, configured)

    found = await drift.list_days(pool, learnt, most=10)
    assert [(one.day, one.rows, one.level) for one in found] == [
        (date(2026, 3, 2), 1, None),
        (date(2026, 3, 1), 1, None),
    ]


async def test_drift_when_a_manifest_cannot_be_read_then_the_other_models_are_measured(
    pool, connection, learnt, configured, tmp_path
):
    strange = await activate_model(pool, tmp_path, model_id=2)
    await pool.execute(
        """UPDATE prediction_active_models SET manifest = manifest || '{"features": ["gone_5"]}' WHERE id = $1""",
        strange,
    )  # fmt: skip
    rows = market(0)
    await insert_rows(connection, rows)
    await predict(pool, strange, rows)
    await predict(pool, learnt, rows)

    await measure_due(pool, configured)

    assert await drift.list_days(pool, strange, most=10) == []
    assert len(await drift.list_days(pool, learnt, most=10)) == 1


async def test_drift_when_nothing_is_new_then_not_measured_again(pool, connection, learnt, configured):
    rows = market(0)
    await insert_rows(connection, rows)
    await predict(pool, learnt, rows[:-100])
    await measure_due(pool, configured)
    (before,) = await drift.list_days(pool, learnt, most=10)

    await measure_due(pool, configured)
    assert await drift.list_days(pool, learnt, most=10) == [before]

    await predict(pool, learnt, rows[-100:])
    await measure_due(pool, configured)
    (after,) = await drift.list_days(pool, learnt, most=10)
    assert (before.rows, after.rows) == (len(rows) - 100, len(rows))
    assert after.computed_at > before.computed_at


async def test_drift_when_the_file_tells_nothing_of_probabilities_or_rows_are_gone_then_what_is_left_is_measured(
    pool, connection, learnt, configured
):
    rows = market(0)
    await predict(pool, learnt, rows)
    await measure_due(pool, configured)
    (gone,) = await drift.list_days(pool, learnt, most=10)
    assert (gone.rows, gone.features) == (len(rows), {})
    assert gone.score_psi < 0.1

    await insert_rows(connection, market(1))
    await predict(pool, learnt, market(1))
    await pool.execute("UPDATE prediction_active_models SET manifest = manifest - 'score_histogram'")
    await measure_due(pool, configured)
    newer, _ = await drift.list_days(pool, learnt, most=10)
    assert newer.score_psi is None
    assert newer.features.keys() == set(FEATURES)


async def test_drift_when_predictions_are_many_then_a_sample_spread_over_the_day_and_no_other(
    pool, connection, learnt, configured
):
    # 10,000 over ten days, 25,000 in one, 20,000 over the twenty days after; another model's stand between.
    start = market(0)[0]["timestamp"]
    await pool.execute(
        "INSERT INTO predictions"
        " (active_model_id, model_id, data_timestamp, probability, threshold, prediction, coin_id)"
        " SELECT model, 1, at, CASE WHEN n BETWEEN 10000 AND 34999 AND model = $3 THEN 0.1 + 0.001 * (n % 50) ELSE 0.9"
        "   END, 0.5, 0, 'c' || n"
        " FROM (SELECT n, CASE WHEN n < 10000 THEN $1::timestamptz + n * interval '86.4 s'"
        "       WHEN n < 35000 THEN $1::timestamptz + interval '10 days' + (n - 10000) * interval '3.456 s'"
        "       ELSE $1::timestamptz + interval '11 days' + (n - 35000) * interval '86.4 s' END AS at"
        "       FROM generate_series(0, 54999) AS n) AS made, unnest($2::bigint[]) AS model ORDER BY n",
        start, [learnt, learnt + 1], learnt,
    )  # fmt: skip
    await pool.execute(
        "INSERT INTO prediction_stats (active_model_id, model_id, bucket_start, predictions)"
        " SELECT $1, 1, $2, 25000",
        learnt, start + timedelta(days=10, hours=3),
    )  # fmt: skip

    await measure_due(pool, configured)

    (found,) = await drift.list_days(pool, learnt, most=10)
    assert SAMPLE * 0.9 < found.rows <= SAMPLE
    assert found.score_psi < 0.1


async def test_drift_when_nearly_all_predictions_of_a_day_are_deleted_then_the_few_are_measured_and_other_models_too(
    pool, connection, learnt, configured, tmp_path
):
    other = await activate_model(pool, tmp_path, model_id=2)
    await pool.execute(
        "UPDATE prediction_active_models SET manifest = (SELECT manifest FROM prediction_active_models WHERE id = $1)"
        " WHERE id = $2",
        learnt, other,
    )  # fmt: skip
    rows = market(0)[:12]
    await insert_rows(connection, rows)
    for active_id in (learnt, other):
        await predict(pool, active_id, rows)
    await pool.execute("UPDATE prediction_stats SET predictions = 300000 WHERE active_model_id = $1", learnt)

    await measure_due(pool, configured)

    assert len(await drift.list_days(pool, other, most=10)) == 1


async def test_drift_when_an_older_recording_follows_a_newer_one_then_its_days_are_due(pool, learnt):
    for days, age in ((180, "3 hours"), (0, "0")):
        await pool.execute(
            "INSERT INTO prediction_stats (active_model_id, model_id, bucket_start, predictions, updated_at)"
            " VALUES ($1, 1, $2, 5, now() - $3::text::interval)",
            learnt, START + timedelta(days=days), age,
        )  # fmt: skip
    assert [one.day for one in await drift.due(pool, days=31)] == [START.date()]
