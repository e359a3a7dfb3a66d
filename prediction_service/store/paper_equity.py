"""The table paper_equity_history: what paper accounts were worth over time."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from prediction_service.runtime.paper_account import Account
from shared.db import Connection, Executor, Queries

_queries = Queries.beside(__file__)

Reason = Literal["CREATE", "OPEN", "CLOSE", "MARK", "RESET"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What an account was worth at a moment."""

    recorded_at: datetime
    balance: float
    unrealised_pnl: float
    equity: float
    open_positions: int
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Equity over time, oldest first."""

    points: list[Point]
    total: int
    """How many there are, the ones left out included."""


async def insert(
    connection: Connection, account_id: str, account: Account, *, round_: int, at: datetime, reason: Reason
) -> None:
    """Write what an account is worth; a mark only when the newest row is a quarter of an hour old."""
    values = {
        "account_id": account_id,
        "round": round_,
        "recorded_at": at,
        "balance": account.balance,
        "unrealised_pnl": account.unrealised_pnl,
        "equity": account.equity,
        "open_positions": len(account.positions),
    }
    if reason == "MARK":
        await _queries.execute(connection, "insert_mark", **values)
    else:
        await _queries.execute(connection, "insert", **values, reason=reason)


async def begin_earlier(connection: Connection, account_id: str, *, round_: int, at: datetime) -> None:
    """Move the beginning of a round back to a moment, when it lies after it."""
    await _queries.execute(connection, "begin_earlier", account_id=account_id, round=round_, at=at)


async def began_at(executor: Executor, account_id: str, *, round_: int) -> datetime | None:
    """Give when a round began."""
    begun: datetime | None = await _queries.fetchval(executor, "began_at", account_id=account_id, round=round_)
    return begun


async def get_curve(
    executor: Executor,
    account_id: str,
    *,
    round_: int,
    from_at: datetime | None,
    until_at: datetime | None,
    most: int,
) -> Curve:
    """Give the equity of one round, oldest first, with at most so many points: first, last and extremes stay."""
    rows = await _queries.fetch(
        executor,
        "curve",
        account_id=account_id,
        round=round_,
        from_at=from_at,
        until_at=until_at,
        most=most,
        parts=(most - 2) // 2,
    )
    points = [Point(**{name: row[name] for name in Point.__dataclass_fields__}) for row in rows]
    return Curve(points=points, total=rows[0]["total"] if rows else 0)


async def delete_all(connection: Connection, account_id: str) -> None:
    """Forget what an account was worth."""
    await _queries.execute(connection, "delete_all", account_id=account_id)
