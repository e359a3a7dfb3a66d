"""What becomes of predictions: the answers that training would learn from, each counted once."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from prediction_service.usecases import outcomes as module
from prediction_service.usecases.outcomes import Outcomes
from pumpcast.market.files import FileRows, read_file
from pumpcast.market.load import load
from pumpcast.market.simulate import simulate_history
from shared.db import Connection, Pool
from tests.support.database import START, insert_rows, row
from tests.support.resolving import (
    QUESTIONS,
    SETTINGS,
    expected,
    found,
    predict_every_row,
    question,
    set_clock,
    settle,
)

# What the roll-ups must say, counted from the predictions themselves.
COUNTED = """
SELECT
    active_model_id, date_trunc('hour', data_timestamp) AS bucket_start, coalesce(phase_id_at_time, -1) AS phase,
    count(*) AS predictions, sum(prediction) AS positives, count(*) FILTER (WHERE is_alert) AS alerts,
    count(*) FILTER (WHERE outcome = 'tp') AS tp, count(*) FILTER (WHERE outcome = 'fp') AS fp,
    count(*) FILTER (WHERE outcome = 'tn') AS tn, count(*) FILTER (WHERE outcome = 'fn') AS fn,
    count(*) FILTER (WHERE outcome = 'unresolved') AS unresolved,
    count(*) FILTER (WHERE is_alert AND outcome IN ('tp', 'fn')) AS alert_tp,
    count(*) FILTER (WHERE is_alert AND outcome IN ('fp', 'tn')) AS alert_fp,
    count(*) FILTER (WHERE is_alert AND outcome = 'unresolved') AS alert_unresolved,
    count(actual_change_pct) AS changes, count(actual_change_pct) FILTER (WHERE prediction = 1) AS positive_changes,
    count(actual_change_pct) FILTER (WHERE is_alert) AS alert_changes,
    round(sum(probability)::numeric, 3) AS probability_sum,
    round(coalesce(sum((probability - truth) ^ 2), 0)::numeric, 3) AS brier_sum,
    round(coalesce(sum((probability - truth) ^ 2) FILTER (WHERE is_alert), 0)::numeric, 3) AS alert_brier_sum,
    round(coalesce(sum(actual_change_pct), 0)::numeric, 3) AS change_pct_sum,
    round(coalesce(sum(actual_change_pct) FILTER (WHERE prediction = 1), 0)::numeric, 3) AS positive_change_pct_sum,
    round(coalesce(sum(actual_change_pct) FILTER (WHERE is_alert), 0)::numeric, 3) AS alert_change_pct_sum,
    2.0 * count(*) AS duration_ms_sum, max(data_timestamp) AS last_prediction_at
FROM (
    SELECT *, CASE WHEN outcome IN ('tp', 'fn') THEN 1.0 WHEN outcome IN ('fp', 'tn') THEN 0.0 END AS truth
    FROM predictions
) AS said
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
BINS = """
SELECT
    active_model_id, date_trunc('hour', data_timestamp) AS bucket_start,
    least(floor(probability::numeric * 20), 19) AS bin, count(*) AS resolved,
    count(*) FILTER (WHERE outcome IN ('tp', 'fn')) AS positives, round(sum(probability)::numeric, 3) AS probability_sum
FROM predictions WHERE outcome IN ('tp', 'fp', 'tn', 'fn') GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""


async def books_agree(connection: Connection) -> None:
    """Check the roll-ups against the predictions."""
    for table, query, key in (("prediction_stats", COUNTED, "phase"), ("prediction_calibration", BINS, "bin")):
        counted = [dict(one) for one in await connection.fetch(query)]
        names = ", ".join(f"round({name}::numeric, 3) AS {name}" if "_sum" in name else name for name in counted[0])
        stored = await connection.fetch(f"SELECT {names} FROM {table} ORDER BY active_model_id, bucket_start, {key}")
        assert [dict(one) for one in stored] == counted


async def fill(pool: Pool, *, minutes: int = 25, seed: int = 3) -> None:
    rows = simulate_history(seed=seed, start=START, minutes=minutes, coins_per_minute=2)
    await load(pool, FileRows(table="coin_metrics", rows=rows, ignored=()))


async def test_outcomes_of_a_market_when_due_then_they_are_the_labels_of_training_and_counted_once(
    pool: Pool, connection: Connection, database: str
):
    await fill(pool)
    made = await predict_every_row(connection, QUESTIONS)
    # Half of it is due first, in looks of their own; the rest when the clock has gone on.
    newest = await set_clock(connection)
    await set_clock(connection, newest - timedelta(minutes=12))
    await settle(pool)
    early = {key: value for key, value in (await found(connection)).items() if value[0] is not None}
    assert 0 < len(early) < made
    await set_clock(connection)
    outcomes = Outcomes()
    await settle(pool, outcomes)

    results, answers = await found(connection), await expected(connection, database, QUESTIONS)
    for key, value in answers.items():
        assert results[key] == value, key
    assert {value[0] for value in results.values()} == {"tp", "fp", "tn", "fn", "unresolved", None}
    await books_agree(connection)
    assert await connection.fetchval("SELECT count(*) FROM prediction_batches") == 0

    before = await connection.fetch("SELECT * FROM prediction_stats ORDER BY 1, 3")
    await settle(pool, outcomes)
    assert await connection.fetch("SELECT * FROM prediction_stats ORDER BY 1, 3") == before


async def test_outcomes_of_a_real_day_when_due_then_they_are_the_labels_of_training(
    pool: Pool, connection: Connection, database: str, real_rows: Path, tmp_path: Path
):
    table = pq.read_table(real_rows)
    pq.write_table(
        table.filter(pc.greater_equal(table["timestamp"], datetime(2025, 9, 7, tzinfo=UTC))), tmp_path / "day.parquet"
    )
    await load(pool, read_file(tmp_path / "day.parquet"))
    questions = {model: QUESTIONS[model] for model in (2, 3)}
    assert await predict_every_row(connection, questions) > 100_000
    await set_clock(connection)
    await settle(pool)

    assert await found(connection) == await expected(connection, database, questions)
    await books_agree(connection)


async def test_outcomes_when_rows_come_late_or_are_gone_then_late_ones_count_and_gone_ones_stay_unknown(
    pool: Pool, connection: Connection
):
    rows = [row(mint, 60 * at, price_close=3e-8 * (1 + 0.05 * at)) for mint in ("a", "gone", "poor") for at in range(9)]
    rows[18]["price_close"] = None
    await insert_rows(connection, rows)
    await predict_every_row(connection, {1: question()})
    await connection.execute("DELETE FROM coin_metrics WHERE mint = 'gone' AND timestamp = $1", START)
    # Of an earlier moment than those that are there, and the highest price within the horizon.
    await insert_rows(connection, [row("a", 230, price_close=9e-8)])
    await set_clock(connection, START + timedelta(minutes=6))
    await settle(pool)
    seen = {
        one["coin_id"]: tuple(one)[1:]
        for one in await connection.fetch(
            "SELECT coin_id, outcome, actual_change_pct, highest_change_pct, lowest_change_pct FROM predictions"
            " WHERE data_timestamp = $1 AND evaluated_at IS NOT NULL",
            START,
        )
    }
    assert seen["a"][0] in {"tp", "fn"}
    assert seen["a"][1:] == (25.0, 200.0, 5.0)
    assert seen["gone"] == seen["poor"] == ("unresolved", None, None, None)
    # Nothing else is due: horizon and a minute more have not passed.
    assert await connection.fetchval("SELECT count(evaluated_at) FROM predictions") == 3


async def test_outcomes_of_a_coin_when_it_graduated_before_its_prediction_then_unresolved(
    pool: Pool, connection: Connection
):
    # A tracker may go on writing rows of a graduated coin without saying so again.
    early = [row("g", 0, bonding_curve_pct=100.0), row("p", 0, phase_id_at_time=100), row("a", 0)]
    later = [row(mint, 60 * at, bonding_curve_pct=None) for mint in ("g", "p", "a") for at in range(30, 40)]
    await insert_rows(connection, [*early, *later])
    await predict_every_row(connection, {1: question(label_mode="within_horizon"), 2: question()})
    await connection.execute("DELETE FROM predictions WHERE data_timestamp < $1", START + timedelta(minutes=30))
    outcomes = Outcomes()
    for minute in (36, 40):
        await set_clock(connection, START + timedelta(minutes=minute))
        await settle(pool, outcomes)
    counted = await connection.fetch(
        "SELECT coin_id, outcome = 'unresolved', count(*) FROM predictions WHERE outcome IS NOT NULL GROUP BY 1, 2"
    )
    assert {tuple(one) for one in counted} == {("g", True, 10), ("p", True, 10), ("a", False, 10)}


async def test_outcomes_of_a_coin_that_must_be_seen_again_when_it_is_within_ten_minutes_then_known_after_all(
    pool: Pool, connection: Connection
):
    rows = [row(mint, at, price_close=3e-8) for mint in ("back", "silent", "gone") for at in (0, 20)]
    await insert_rows(connection, rows)
    await predict_every_row(connection, {2: question(label_resolution="observed"), 1: question()})
    await insert_rows(connection, [row("back", 60 * 9, price_close=6e-8), row("other", 60 * 30)])
    await insert_rows(connection, [row("gone", 60 * 2, phase_id_at_time=99), row("gone", 60 * 10)])
    outcomes, told = Outcomes(), []
    for minute in (7, 17, 30):
        await set_clock(connection, START + timedelta(minutes=minute))
        await settle(pool, outcomes)
        await books_agree(connection)
        told.append(
            {
                (one["coin_id"], one["active_model_id"]): (one["unresolved"], one["change"])
                for one in await connection.fetch(
                    "SELECT coin_id, active_model_id, bool_and(outcome = 'unresolved') AS unresolved,"
                    " max(actual_change_pct) AS change FROM predictions GROUP BY 1, 2"
                )
            }
        )
    first, second, last = told
    assert first == {
        ("back", 2): (True, 0.0), ("silent", 2): (True, 0.0), ("gone", 2): (True, None),
        ("back", 1): (False, 0.0), ("silent", 1): (False, 0.0), ("gone", 1): (True, None),
    }  # fmt: skip
    assert second == last == first | {("back", 2): (False, 0.0)}
    assert await connection.fetchval("SELECT count(*) FROM prediction_dues") == 0


async def test_outcomes_when_rows_are_written_again_then_the_last_one_counts(pool: Pool, connection: Connection):
    observed = question(label_resolution="observed", label_mode="within_horizon")
    await insert_rows(connection, [row("a", 0, price_close=None), row("b", 0, phase_id_at_time=99), row("b", 60)])
    await predict_every_row(connection, {1: observed, 2: question()})
    await insert_rows(connection, [row("b", 0), row("z", 60 * 7)])
    await set_clock(connection)
    outcomes = Outcomes()
    await settle(pool, outcomes)
    # Before the second look the price comes.
    await insert_rows(connection, [row("a", at, price_close=at * 1e-10 + 3e-8) for at in (0, 240, 400)])
    await insert_rows(connection, [row("z", 60 * 17)])
    await set_clock(connection)
    await settle(pool, outcomes)
    told = await connection.fetch(
        "SELECT coin_id, outcome = 'unresolved', actual_change_pct, highest_change_pct FROM predictions"
        " WHERE active_model_id = 1 AND coin_id = 'a' OR active_model_id = 2 AND data_timestamp = $1",
        START + timedelta(seconds=60),
    )
    assert {tuple(one) for one in told} == {("a", False, 80.0, 80.0), ("b", False, 0.0, None)}
    await books_agree(connection)


async def test_outcomes_when_two_resolve_at_once_and_one_dies_in_between_then_each_is_counted_once(
    pool: Pool, connection: Connection, database: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "CHUNK_PREDICTIONS", 300)
    await fill(pool, minutes=20)
    await predict_every_row(connection, QUESTIONS)
    await set_clock(connection)
    await asyncio.gather(*(settle(pool) for _ in range(2)), _dying(pool))
    await settle(pool)
    # Three looks, none of which saw more than the others, left what one alone would have.
    assert await found(connection) == await expected(connection, database, QUESTIONS)
    await books_agree(connection)
    due = await connection.fetchval(
        "SELECT count(*) FROM prediction_dues WHERE due_at <= (SELECT min(clock) FROM worker_positions)"
    )
    assert due == 0


async def _dying(pool: Pool) -> None:
    """Resolve, and end in the middle of it, again and again."""
    for pause in (0.02, 0.05, 0.1, 0.15, 0.2):
        task = asyncio.create_task(Outcomes().resolve_due(pool, SETTINGS))
        await asyncio.sleep(pause)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
