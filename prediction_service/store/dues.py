"""The table prediction_dues: predictions that wait for their outcome, and until when; outcomes are written here too."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from prediction_service.runtime.verdicts import OUTCOMES, Pending, Verdicts
from shared.coin_metrics.rows import Ints
from shared.contracts.artifact import TargetSpec
from shared.db import Connection, Executor, Queries, Record
from shared.labels import Target
from shared.packed import doubles, integers

_queries = Queries.beside(__file__)
_target: TypeAdapter[TargetSpec] = TypeAdapter(TargetSpec)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Predictions of one model, told by bounds that are all included."""

    active_model_id: int
    data_from: datetime
    """Least data_timestamp."""
    data_to: datetime
    first_id: int
    """Others may lie between."""
    last_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDue:
    """A stretch that waits."""

    stretch: Stretch
    model_id: int
    target: dict[str, Any]
    """The question of the model, as its manifest has it."""
    due_at: datetime
    """Recording clock from which all outcomes can be told."""
    is_second: bool
    """The second look at it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A stretch whose outcomes can be told."""

    id: int
    stretch: Stretch
    target: Target
    is_second: bool
    """Unresolved ones are looked at again."""


async def insert(connection: Connection, dues: Sequence[NewDue]) -> None:
    """Note what waits."""
    await _queries.execute(
        connection,
        "insert",
        **_columns([due.stretch for due in dues]),
        model_ids=[due.model_id for due in dues],
        targets=[due.target for due in dues],
        due_at=[due.due_at for due in dues],
        are_second=[due.is_second for due in dues],
    )


async def list_due(
    executor: Executor, *, clock: datetime, most: int, left_out: Sequence[int] = (), unreadable: Sequence[int] = ()
) -> list[Due | int]:
    """Give what the recording clock has reached, longest due first, but for some models and dues.

    Of one whose question this version does not know, only the id.
    """
    rows = await _queries.fetch(
        executor, "list_due", clock=clock, most=most, left_out=list(left_out), unreadable=list(unreadable)
    )
    return [_due(row) for row in rows]


def _due(row: Record) -> Due | int:
    try:
        target = _target.validate_python(row["target"]).to_target()
    except ValueError:
        return int(row["id"])
    return Due(
        id=row["id"],
        stretch=Stretch(
            active_model_id=row["active_model_id"],
            data_from=row["data_from"],
            data_to=row["data_to"],
            first_id=row["first_id"],
            last_id=row["last_id"],
        ),
        target=target,
        is_second=row["is_second"],
    )


async def oldest(executor: Executor) -> datetime | None:
    """Give the recording clock from which the first of what waits can be told."""
    found: datetime | None = await _queries.fetchval(executor, "oldest")
    return found


async def lock(connection: Connection, ids: Sequence[int]) -> bool:
    """Lock dues until the transaction ends; False when one of them is done or another transaction has it."""
    return bool(await _queries.fetchval(connection, "lock", ids=list(ids)) == len(ids))


async def delete(connection: Connection, ids: Sequence[int]) -> None:
    """Forget what waits no longer."""
    await _queries.execute(connection, "delete", ids=list(ids))


async def list_coins(executor: Executor, stretches: Sequence[Stretch], are_second: Sequence[bool]) -> dict[str, int]:
    """Give the coins with predictions that wait, and how many."""
    rows = await _queries.fetch(executor, "coins", **_columns(stretches), are_second=list(are_second))
    return {row["coin_id"]: row["waiting"] for row in rows}


async def list_waiting(
    executor: Executor, coins: Sequence[str], stretches: Sequence[Stretch], are_second: Sequence[bool]
) -> Pending:
    """Give the predictions of coins that wait; their questions are places in `stretches`."""
    row = await _queries.fetchrow(
        executor,
        "waiting",
        coins=list(coins),
        earliest=min(stretch.data_from for stretch in stretches),
        latest=max(stretch.data_to for stretch in stretches),
        are_second=list(are_second),
        **_columns(stretches),
    )
    assert row is not None
    return Pending(
        id=integers(row["id"], "bigint"),
        coin=integers(row["coin"], "integer") - 1,
        timestamp=integers(row["time"], "timestamptz"),
        question=integers(row["question"], "integer") - 1,
        prediction=integers(row["prediction"], "smallint") == 1,
        alert=integers(row["alert"], "boolean") == 1,
        probability=doubles(row["probability"]),
        phase=integers(row["phase"], "integer"),
        again=integers(row["again"], "boolean") == 1,
        has_change=integers(row["has_change"], "boolean") == 1,
    )


async def resolve(connection: Connection, pending: Pending, verdicts: Verdicts) -> Ints:
    """Write outcomes of predictions that still are as they were read; give the ids of those."""
    packed = await _queries.fetchval(
        connection,
        "resolve",
        names=list(OUTCOMES),
        ids=pending.id.tolist(),
        again=pending.again.tolist(),
        outcomes=verdicts.outcome.tolist(),
        changes=verdicts.change_pct.tolist(),
        highest=verdicts.highest_pct.tolist(),
        lowest=verdicts.lowest_pct.tolist(),
    )
    return integers(packed, "bigint")


def _columns(stretches: Sequence[Stretch]) -> dict[str, list[Any]]:
    return {
        "active_model_ids": [stretch.active_model_id for stretch in stretches],
        "data_from": [stretch.data_from for stretch in stretches],
        "data_to": [stretch.data_to for stretch in stretches],
        "first_ids": [stretch.first_id for stretch in stretches],
        "last_ids": [stretch.last_id for stretch in stretches],
    }
