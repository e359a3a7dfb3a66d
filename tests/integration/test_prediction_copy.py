"""Predictions written in bulk: what stands in the table is what was given, whatever it is."""

from datetime import UTC, timedelta

import numpy as np
import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared import binary_copy
from shared.binary_copy import Column, Text
from shared.coin_metrics.read import microseconds
from shared.db import transaction
from tests.support.database import START
from tests.support.predictions import store

TABLE = """
CREATE TEMP TABLE copied (
    no bigint, small smallint, plain integer, half double precision, yes boolean, name text, at timestamptz
)
"""
ROWS = st.lists(
    st.tuples(
        st.integers(-(2**63), 2**63 - 1),
        st.integers(-(2**15), 2**15 - 1),
        st.none() | st.integers(-(2**31), 2**31 - 1),
        st.none() | st.floats(allow_nan=False),
        st.booleans(),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=50),
        st.datetimes(timezones=st.just(UTC)),
    ),
    max_size=30,
)


def encoded(rows):
    """Give the stream of rows of the table above; a name that occurs twice is there once."""
    number, small, plain, half, yes, name, at = zip(*rows, strict=True) if rows else [()] * 7
    names = sorted(set(name))
    return binary_copy.encode(
        [
            Column(np.array(number, np.int64)),
            Column(np.array(small, np.int16)),
            Column(np.array([value or 0 for value in plain], np.int32), np.array([v is None for v in plain], np.bool_)),
            Column(np.array([value or 0 for value in half], np.float64), np.array([v is None for v in half], np.bool_)),
            Column(np.array(yes, np.bool_)),
            Text(names, np.array([names.index(one) for one in name], np.int64)),
            binary_copy.timestamps(np.array([microseconds(one) for one in at], np.int64)),
        ]
    )


def test_rows_of_any_shape_when_they_are_copied_then_the_table_holds_just_them(database):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("SET timezone = 'UTC'")
        connection.execute(TABLE)

        @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
        @given(ROWS)
        def holds(rows):
            connection.execute("TRUNCATE copied")
            with connection.cursor() as cursor, cursor.copy("COPY copied FROM STDIN (FORMAT binary)") as copy:
                copy.write(encoded(rows))
            found = connection.execute("SELECT * FROM copied").fetchall()
            assert found == rows

        holds()


def test_rows_when_one_of_them_holds_a_text_of_megabytes_then_it_and_its_neighbours_are_copied_whole(database):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TEMP TABLE copied (name text)")
        names = ["a", "b" * 3_000_000, "", *("c" * length for length in range(40))]
        stream = binary_copy.encode([Text(names, np.arange(len(names)))])
        with connection.cursor() as cursor, cursor.copy("COPY copied FROM STDIN (FORMAT binary)") as copy:
            copy.write(stream)
        assert [name for (name,) in connection.execute("SELECT name FROM copied")] == names


async def test_predictions_when_they_are_stored_then_each_column_has_its_value_and_nothing_its_null(pool):
    later = START + timedelta(microseconds=1)
    await store(
        pool,
        {"coin_id": "A" * 44, "active_model_id": 2**40, "model_id": 7, "prediction": 1, "probability": 0.123457,
         "threshold": 0.1, "is_alert": True, "phase_id_at_time": 100},
        {"coin_id": "é" * 43, "data_timestamp": later, "phase_id_at_time": None},
        {"coin_id": "", "phase_id_at_time": None, "prediction_duration_ms": None, "created_at": later},
    )  # fmt: skip

    async with transaction(pool) as connection:
        rows = await connection.fetch("SELECT * FROM predictions ORDER BY coin_id DESC")

    shared = {"outcome": None, "evaluated_at": None, "actual_change_pct": None, "highest_change_pct": None,
              "lowest_change_pct": None}  # fmt: skip
    plain = {"active_model_id": 1, "model_id": 11, "data_timestamp": START, "prediction": 0, "probability": 0.2,
             "threshold": 0.5, "is_alert": False, "phase_id_at_time": None, "prediction_duration_ms": 1.5,
             "created_at": START, **shared}  # fmt: skip
    assert [{name: value for name, value in row.items() if name != "id"} for row in rows] == [
        plain | {"coin_id": "é" * 43, "data_timestamp": later},
        plain | {"coin_id": "A" * 44, "active_model_id": 2**40, "model_id": 7, "prediction": 1, "probability": 0.123457,
                 "threshold": 0.1, "is_alert": True, "phase_id_at_time": 100},
        plain | {"coin_id": "", "prediction_duration_ms": None, "created_at": later},
    ]  # fmt: skip
