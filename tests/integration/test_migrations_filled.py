"""The migration of the live side on databases that were used: nothing that was counted or still waits is lost."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psycopg

from prediction_service.runtime.tallies import HOUR, Tally, count_calibration, count_outcomes
from prediction_service.runtime.verdicts import OUTCOMES, Pending, Verdicts
from shared.migrate import migrate, names, rollback
from tests.support.schema_rows import insert

LIVE = len(names()) - names().index("0006_live")
"""How many migrations there are from the one of the live side on."""
COUNTERS = "SELECT counters FROM worker_positions WHERE name = 'live'"


def positions(connection: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    return connection.execute("SELECT name, high, pending, clock, models_version FROM worker_positions").fetchall()


def put(connection: psycopg.Connection[Any], **columns: Any) -> None:
    insert(connection, "worker_positions", table_mark={"file": 12, "mark": [500, "c", 9]}, **columns)


def test_rollback_when_shards_stand_apart_then_the_one_position_lacks_nothing_that_waits_anywhere(database: str):
    apart = [
        ("live-0", 600, [[590, 590], [598, 600]], "2026-03-01 12:00:06Z", {"rows": 5, "owed": 9, "skipped": {"x": 2}}),
        ("live-1", 599, [[100, 120], [591, 592]], "2026-03-01 12:00:05Z", {"rows": 7, "predictions": 3}),
        ("live-2", 650, [[110, 130], [595, 640]], "2026-03-01 12:00:07Z", {"skipped": {"x": 1, "duplicate": 4}}),
        *((f"live-{shard}", 700, [[650, 660]], "2026-03-01 12:00:09Z", {}) for shard in range(3, 8)),
    ]  # fmt: skip
    with psycopg.connect(database) as connection:
        connection.execute("DELETE FROM worker_positions")
        for version, (name, high, pending, clock, counters) in enumerate(apart):
            put(
                connection,
                name=name,
                high=high,
                pending=pending,
                clock=clock,
                counters=counters,
                models_version=version,
            )
    assert rollback(database, LIVE)[-1] == "0006_live"
    with psycopg.connect(database) as connection:
        [(name, high, pending, clock, version)] = positions(connection)
        counters = connection.execute(COUNTERS).fetchone()
    assert (name, high, version) == ("live", 599, 7)
    assert clock == datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC)
    # 640 and 650 lie beyond: the older worker reads on from 599.
    assert pending == [[100, 130], [590, 592], [595, 599]]
    assert counters == (
        {"rows": 12, "predictions": 3, "skipped": {"x": 3, "duplicate": 4}, "file": 12, "mark": [500, "c", 9]},
    )
    migrate(database)
    with psycopg.connect(database) as connection:
        assert [(high, waiting) for _, high, waiting, *_ in positions(connection)] == [(599, pending)] * 8
        first = "SELECT counters, table_mark FROM worker_positions ORDER BY name LIMIT 1"
        assert connection.execute(first).fetchone() == (
            {"rows": 12, "predictions": 3, "skipped": {"x": 3, "duplicate": 4}},
            {"file": 12, "mark": [500, "c", 9]},
        )


def test_rollback_when_no_worker_ever_ran_then_there_is_no_position(database: str):
    rollback(database, LIVE)
    with psycopg.connect(database) as connection:
        assert positions(connection) == []


def told(connection: psycopg.Connection[Any], table: str, part: str, tally: Tally) -> None:
    """Compare a roll-up with what the service would have counted."""
    names = list(tally.columns)
    found = connection.execute(
        f"SELECT active_model_id, bucket_start, {part}, {', '.join(names)} FROM {table}"
        f" WHERE {'resolved' if part == 'bin' else 'tp + fp + tn + fn + unresolved'} > 0"
    ).fetchall()
    expected = {}
    for place, key in enumerate(zip(tally.active_ids, tally.hours, tally.parts, strict=True)):
        expected[key] = [tally.columns[name][place] for name in names]
    stored = {(one[0], int(one[1].timestamp()) * 1_000_000, one[2]): list(one[3:]) for one in found}
    assert stored.keys() == expected.keys()
    for key, values in stored.items():
        np.testing.assert_allclose(values, expected[key], rtol=1e-9, err_msg=str(key))


def test_migration_when_predictions_have_outcomes_then_they_are_counted_as_the_service_counts_them(database: str):
    count, rng = 400, np.random.default_rng(5)
    first = datetime(2026, 3, 1, 12, tzinfo=UTC)
    outcome = rng.integers(0, 5, count)
    positive = np.where(outcome == 4, rng.random(count) < 0.5, outcome < 2)
    probability = np.round(rng.choice([0.05, 0.1, 0.15, 0.95, 1.0, 0.0, 0.333333, 0.7], count), 6)
    alert, phase = positive & (rng.random(count) < 0.5), rng.integers(-1, 2, count)
    change = np.where(rng.random(count) < 0.3, np.nan, np.round(rng.normal(size=count), 3))
    minutes, model = rng.integers(0, 180, count), rng.integers(1, 3, count)
    rollback(database, LIVE)
    with psycopg.connect(database) as connection:
        for n in range(count):
            insert(
                connection, "predictions", active_model_id=int(model[n]), model_id=int(model[n]), coin_id=f"c{n}",
                data_timestamp=first + timedelta(minutes=int(minutes[n])), probability=float(probability[n]),
                prediction=int(positive[n]), is_alert=bool(alert[n]), outcome=OUTCOMES[outcome[n]],
                phase_id_at_time=None if phase[n] < 0 else int(phase[n]), evaluated_at=first,
                actual_change_pct=None if np.isnan(change[n]) else float(change[n]),
            )  # fmt: skip
        asked = {"label_resolution": "observed"}
        connection.execute("DELETE FROM prediction_active_models")
        insert(connection, "prediction_active_models", id=3, manifest={"target": asked}, future_minutes=5)
        for n in range(50):
            insert(connection, "predictions", active_model_id=3, coin_id=f"waits {n}", data_timestamp=first)
        # Of a model that is gone, and of one whose file does not tell what it asks.
        insert(connection, "prediction_active_models", id=4, model_id=400, manifest={})
        for gone in (4, 5):
            insert(connection, "predictions", active_model_id=gone, coin_id="never told", data_timestamp=first)
        # An entry that an older service let pass.
        insert(connection, "model_promotions", active_model_id=1, replaced_active_model_id=1, replaced_model_id=1)
    migrate(database)
    pending = Pending(
        id=np.arange(count), coin=np.arange(count), question=model - 1, prediction=positive, alert=alert,
        timestamp=int(first.timestamp()) * 1_000_000 + minutes * (HOUR // 60), probability=probability, phase=phase,
        again=np.zeros(count, np.bool_), has_change=np.zeros(count, np.bool_),
    )  # fmt: skip
    verdicts = Verdicts(outcome=outcome, change_pct=change, highest_pct=change, lowest_pct=change)
    with psycopg.connect(database) as connection:
        found = connection.execute(
            "SELECT outcome, unresolved FROM predictions JOIN prediction_stats USING (active_model_id)"
            " WHERE active_model_id IN (4, 5)"
        ).fetchall()
        assert found == [("unresolved", 1), ("unresolved", 1)]
        waiting = connection.execute("SELECT active_model_id, due_at, is_second FROM prediction_dues ORDER BY due_at")
        assert waiting.fetchall() == [
            (3, first + timedelta(minutes=6), False),
            (3, first + timedelta(minutes=16), True),
        ]
        connection.execute("DELETE FROM prediction_stats WHERE active_model_id > 2")
        told(connection, "prediction_stats", "phase", count_outcomes(pending, verdicts, [1, 2]))
        told(connection, "prediction_calibration", "bin", count_calibration(pending, verdicts, [1, 2]))
        assert connection.execute("SELECT sum(predictions) FROM prediction_stats").fetchone() == (count,)
        assert connection.execute("SELECT replaced_active_model_id FROM model_promotions").fetchone() == (None,)
