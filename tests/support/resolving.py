"""Predictions of every row, what the live loop notes of them, and the outcomes they must have."""

from datetime import datetime
from typing import Any

import numpy as np

from prediction_service.settings import PredictionSettings
from prediction_service.usecases.fold import fold_batches
from prediction_service.usecases.outcomes import Outcomes
from shared.coin_metrics.load import load_range
from shared.coin_metrics.read import microseconds, moment
from shared.contracts.artifact import RuleTargetSpec, TargetSpec, TimeTargetSpec
from shared.db import Connection, Pool
from shared.labels import Labels, TimeTarget, label

SETTINGS = PredictionSettings(db_dsn="", pumpcast_home="/nowhere")


def question(**changes: Any) -> TimeTargetSpec:
    plain: dict[str, Any] = {
        "target_var": "price_close", "future_minutes": 5, "min_percent_change": 10, "direction": "up",
        "label_mode": "at_horizon", "label_resolution": "recording",
    }  # fmt: skip
    return TimeTargetSpec(**plain | changes)


# By active id; the model of each has the tenfold id.
QUESTIONS: dict[int, TargetSpec] = {
    1: question(),
    2: question(label_resolution="observed"),
    3: question(label_mode="within_horizon", future_minutes=10, min_percent_change=30),
    4: question(label_mode="within_horizon", label_resolution="observed", direction="down", future_minutes=3),
    5: question(direction="down", target_var="market_cap_close"),
    6: RuleTargetSpec(target_var="volume_sol", operator=">", target_value=0.5),
}
_PREDICT = """
INSERT INTO predictions (
    active_model_id, model_id, coin_id, data_timestamp, prediction, probability, threshold, is_alert, phase_id_at_time,
    prediction_duration_ms
)
SELECT model, 10 * model, mint, timestamp, (score >= 0.5)::int, score, 0.5, score >= 0.8, phase, 2
FROM (
    SELECT model, mint, timestamp, phase, abs(hashtext(mint || timestamp || model)) % 1000 / 1000.0 AS score
    FROM (SELECT mint, timestamp, max(phase_id_at_time) AS phase FROM coin_metrics GROUP BY mint, timestamp) AS row
    CROSS JOIN unnest($1::bigint[]) AS model
) AS said
ORDER BY timestamp, model, mint
"""
# As the live loop notes a batch: here one for each minute, whose ids reach over those of the minutes beside it.
_NOTE = """
INSERT INTO prediction_batches (first_id, last_id, entries)
SELECT min(first_id) - 7, max(last_id) + 7, jsonb_agg(jsonb_build_object(
    'active_model_id', model, 'model_id', 10 * model, 'target', $1::jsonb -> model::text,
    'horizon_minutes', coalesce(($1::jsonb -> model::text ->> 'future_minutes')::int, 0), 'cells', cells,
    'spans', jsonb_build_array(jsonb_build_array(first_time, last_time))))
FROM (
    SELECT
        minute, model, min(first_id) AS first_id, max(last_id) AS last_id, min(first_time) AS first_time,
        max(last_time) AS last_time,
        jsonb_agg(jsonb_build_array(extract(epoch FROM date_trunc('hour', minute))::bigint, phase, n, positives, alerts,
                                    scores, 2 * n, last_time)) AS cells
    FROM (
        SELECT
            date_trunc('minute', data_timestamp) AS minute, active_model_id AS model,
            coalesce(phase_id_at_time, -1) AS phase, min(id) AS first_id, max(id) AS last_id, count(*) AS n,
            sum(prediction) AS positives, count(*) FILTER (WHERE is_alert) AS alerts, sum(probability) AS scores,
            (extract(epoch FROM min(data_timestamp)) * 1000000)::bigint AS first_time,
            (extract(epoch FROM max(data_timestamp)) * 1000000)::bigint AS last_time
        FROM predictions GROUP BY 1, 2, 3
    ) AS cell
    GROUP BY minute, model
) AS entry
GROUP BY minute
"""


async def predict_every_row(connection: Connection, questions: dict[int, TargetSpec]) -> int:
    """Store and note a prediction of each model for each row; give how many."""
    await connection.execute(_PREDICT, list(questions))
    await connection.execute(_NOTE, {str(model): target.model_dump(mode="json") for model, target in questions.items()})
    return int(await connection.fetchval("SELECT count(*) FROM predictions"))


async def set_clock(connection: Connection, clock: datetime | None = None) -> datetime:
    """Let the live workers have come so far; without a time, to the newest row."""
    clock = clock or await connection.fetchval("SELECT max(timestamp) FROM coin_metrics")
    await connection.execute(
        "INSERT INTO worker_positions (name, high, clock) SELECT 'live-' || n, 0, $1 FROM generate_series(0, 7) AS n"
        " ON CONFLICT (name) DO UPDATE SET clock = excluded.clock",
        clock,
    )
    return clock


async def settle(pool: Pool, outcomes: Outcomes | None = None) -> None:
    """Fold everything, and resolve all that is due."""
    while await fold_batches(pool, SETTINGS):
        pass
    outcomes = outcomes or Outcomes()
    while await outcomes.resolve_due(pool, SETTINGS):
        pass


Row = tuple[int, str, datetime]
Result = tuple[str | None, float | None]


async def found(connection: Connection) -> dict[Row, Result]:
    """Give outcome and change of each prediction."""
    rows = await connection.fetch(
        "SELECT active_model_id, coin_id, data_timestamp, outcome, actual_change_pct FROM predictions"
    )
    return {tuple(row)[:3]: tuple(row)[3:] for row in rows}


async def expected(connection: Connection, dsn: str, questions: dict[int, TargetSpec]) -> dict[Row, Result]:
    """Give what they are by the labels that training would learn from; None where they are not due yet."""
    window = await connection.fetchrow("SELECT min(timestamp) AS low, max(timestamp) AS high FROM coin_metrics")
    said = {
        tuple(row)[:3]: row["prediction"] == 1
        for row in await connection.fetch(
            "SELECT active_model_id, coin_id, data_timestamp, prediction FROM predictions"
        )
    }
    results: dict[Row, Result] = {}
    for model, spec in questions.items():
        target = spec.to_target()
        horizon = target.horizon if isinstance(target, TimeTarget) else 0
        loaded = load_range(
            dsn, start=window["low"], end=window["high"], horizon_minutes=horizon // 60_000_000, history_rows=0,
            columns=tuple({target.target_var, "bonding_curve_pct"}),
        )  # fmt: skip
        labels = label(
            loaded.rows, target, clock=loaded.clock_us, untracked_phases=loaded.untracked_phases,
            last_seen=loaded.last_seen,
        )  # fmt: skip
        # A minute is noted as one, and due when its last row is.
        minutes, minute = np.unique(loaded.rows.timestamp // 60_000_000, return_inverse=True)
        last = np.zeros(len(minutes), np.int64)
        np.maximum.at(last, minute, loaded.rows.timestamp)
        due = last[minute] + horizon + 60_000_000 <= microseconds(window["high"])
        for at in range(len(loaded.rows)):
            key = (model, loaded.rows.mints[loaded.rows.coin[at]], moment(int(loaded.rows.timestamp[at])))
            results[key] = _result(labels, at, said[key]) if due[at] else (None, None)
    return results


def _result(labels: Labels, at: int, said: bool) -> Result:
    change = None if np.isnan(labels.change_pct[at]) else float(labels.change_pct[at])
    if np.isnan(labels.values[at]):
        return "unresolved", change
    right = said == (labels.values[at] == 1)
    return ("t" if right else "f") + ("p" if said else "n"), change
