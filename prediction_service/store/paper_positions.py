"""The table paper_positions: what paper accounts hold and held."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Literal

from prediction_service.runtime.paper import CloseReason, Position, Side
from prediction_service.runtime.paper_account import Closed
from prediction_service.runtime.paper_figures import Tally
from shared.coin_metrics.read import microseconds, moment
from shared.db import Connection, Executor, Queries, Record

_queries = Queries.beside(__file__)

OpenedBy = Literal["manual", "signal", "auto"]
Status = Literal["OPEN", "CLOSED"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperPosition:
    """A position."""

    id: int
    account_id: str
    round: int
    """Of the account then."""
    symbol: str
    side: Side
    status: Status
    size_usdt: float
    """Notional."""
    margin: float
    leverage: float
    entry_price: float
    current_price: float
    exit_price: float | None
    take_profit_pct: float
    stop_loss_pct: float
    confidence: float | None
    """Of the signal that opened it."""
    unrealised_pnl: float
    """USDT at the latest price, without fees."""
    pnl: float | None
    """USDT after both fees."""
    fees: float
    """USDT so far."""
    close_reason: CloseReason | None
    opened_by: OpenedBy
    opened_at: datetime
    expires_at: datetime
    closed_at: datetime | None

    def as_open(self) -> Position:
        """Give it as the rules know it."""
        return Position(
            id=self.id,
            symbol=self.symbol,
            side=self.side,
            size_usdt=self.size_usdt,
            leverage=self.leverage,
            entry_price=self.entry_price,
            current_price=self.current_price,
            take_profit_pct=self.take_profit_pct,
            stop_loss_pct=self.stop_loss_pct,
            fees=self.fees,
            opened_at=microseconds(self.opened_at),
            expires_at=microseconds(self.expires_at),
        )


_COLUMNS = tuple(column.name for column in fields(PaperPosition))


async def insert(
    connection: Connection,
    position: Position,
    *,
    account_id: str,
    round_: int,
    opened_by: OpenedBy,
    confidence: float | None,
) -> PaperPosition:
    """Write a position that was opened."""
    row = await _queries.fetchrow(
        connection,
        "insert",
        account_id=account_id,
        round=round_,
        symbol=position.symbol,
        side=position.side,
        size_usdt=position.size_usdt,
        margin=position.margin,
        leverage=position.leverage,
        entry_price=position.entry_price,
        take_profit_pct=position.take_profit_pct,
        stop_loss_pct=position.stop_loss_pct,
        confidence=confidence,
        fees=position.fees,
        opened_at=moment(position.opened_at),
        expires_at=moment(position.expires_at),
        opened_by=opened_by,
    )
    assert row is not None
    return _read(row)


async def mark(connection: Connection, positions: Sequence[Position]) -> None:
    """Write the latest prices of open positions."""
    await _queries.execute(
        connection,
        "mark",
        ids=[position.id for position in positions],
        prices=[position.current_price for position in positions],
        pnls=[position.unrealised_pnl for position in positions],
    )


async def close(connection: Connection, closed: Closed) -> PaperPosition:
    """Write the end of a position."""
    row = await _queries.fetchrow(
        connection,
        "close",
        id=closed.position.id,
        price=closed.exit_price,
        pnl=closed.pnl,
        fees=closed.fees,
        reason=closed.reason,
        closed_at=moment(closed.at),
    )
    assert row is not None
    return _read(row)


async def get(executor: Executor, position_id: int) -> PaperPosition | None:
    """Give a position."""
    row = await _queries.fetchrow(executor, "get", id=position_id)
    return None if row is None else _read(row)


async def list_open(executor: Executor, account_id: str) -> list[PaperPosition]:
    """Give the open positions of an account, oldest first."""
    return [_read(row) for row in await _queries.fetch(executor, "list_open", account_id=account_id)]


async def count_open(executor: Executor, account_id: str) -> int:
    """Count the open positions of an account."""
    return int(await _queries.fetchval(executor, "count_open", account_id=account_id))


async def accounts_in(executor: Executor, symbol: str) -> list[str]:
    """Give the accounts with open positions of a market."""
    return [row["account_id"] for row in await _queries.fetch(executor, "accounts_in", symbol=symbol)]


async def list_page(
    executor: Executor, account_id: str, *, status: Status | None, before_id: int | None, most: int
) -> list[PaperPosition]:
    """Give positions of an account, newest first."""
    if status is None:
        rows = await _queries.fetch(executor, "page", account_id=account_id, before_id=before_id, most=most)
    else:
        rows = await _queries.fetch(
            executor, "page_of_status", account_id=account_id, status=status, before_id=before_id, most=most
        )
    return [_read(row) for row in rows]


async def tallies(executor: Executor, account_id: str, *, round_: int) -> list[Tally]:
    """Sum up the closed positions of one round: all of them, those of each side, those of each reason."""
    rows = await _queries.fetch(executor, "tallies", account_id=account_id, round=round_)
    return [Tally(**row) for row in rows]


async def exposed_seconds(executor: Executor, account_id: str, *, round_: int, now: datetime) -> float:
    """Give how long any position of one round was open, until now for those that are."""
    return float(await _queries.fetchval(executor, "exposed", account_id=account_id, round=round_, now=now))


async def delete_closed(connection: Connection, account_id: str) -> None:
    """Forget the closed positions of an account."""
    await _queries.execute(connection, "delete_closed", account_id=account_id)


def _read(row: Record) -> PaperPosition:
    return PaperPosition(**{name: row[name] for name in _COLUMNS})
