"""The books of the live rule, kept by the database itself: rows times models less what is left out are predictions."""

from dataclasses import dataclass

from shared.db import Connection
from tests.support.live import skipped, until

_DEBTS = """
WITH model AS (SELECT id FROM prediction_active_models WHERE is_active),
one_row AS (SELECT mint, timestamp FROM coin_metrics GROUP BY mint, timestamp),
said AS (
    SELECT active_model_id, coin_id, data_timestamp, count(*) AS times
    FROM predictions GROUP BY active_model_id, coin_id, data_timestamp
)
SELECT
    (SELECT count(*) FROM coin_metrics) * (SELECT count(*) FROM model) AS owed,
    (SELECT count(*) FROM predictions) AS predictions,
    (SELECT count(*) FROM said WHERE times > 1) AS twice,
    (SELECT count(*) FROM one_row CROSS JOIN model WHERE NOT EXISTS (
        SELECT FROM said WHERE active_model_id = model.id AND coin_id = mint AND data_timestamp = timestamp
    )) AS unanswered,
    (SELECT count(*) FROM said WHERE NOT EXISTS (
        SELECT FROM one_row CROSS JOIN model
        WHERE active_model_id = model.id AND coin_id = mint AND data_timestamp = timestamp
    )) AS foreign
"""
_LEFT_OUT = """
SELECT coalesce(sum(number::bigint), 0)
FROM worker_positions CROSS JOIN jsonb_each_text(coalesce(counters -> 'skipped', '{}')) AS reason (name, number)
WHERE worker_positions.name LIKE 'live-%'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What the models that are active owe for all rows there are, and what they have said."""

    owed: int
    """Rows times models."""
    predictions: int
    twice: int
    """Keys that one model has answered more than once."""
    unanswered: int
    """Keys times models without an answer."""
    foreign: int
    """Answers without a row."""


async def books(connection: Connection) -> Books:
    """Join the rows with the predictions."""
    return Books(**await connection.fetchrow(_DEBTS))


async def until_balanced(connection: Connection) -> None:
    """Wait until rows times models less what was left out are the predictions."""
    query = (
        "SELECT (SELECT count(*) FROM coin_metrics)"
        " * (SELECT count(*) FROM prediction_active_models WHERE is_active)"
        f" - ({_LEFT_OUT}) - (SELECT count(*) FROM predictions)"
    )
    await until(connection, query, expected=0)


async def check_books(connection: Connection, **left_out: int) -> Books:
    """Wait until every row has its one answer from each model, but for those `left_out` by reason.

    The models must have been active before the first row.
    """
    await until_balanced(connection)
    found, reasons = await books(connection), await skipped(connection)
    assert reasons == left_out
    assert found.predictions == found.owed - sum(reasons.values())
    assert (found.twice, found.foreign) == (0, 0)
    # A repeat of a row is left out, and yet its key is answered.
    assert found.unanswered == sum(number for reason, number in reasons.items() if reason != "duplicate")
    return found
