"""The table paper_accounts: one account a package; it stays when the package goes."""

from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from prediction_service.runtime.paper import Rules
from shared.db import Connection, Executor, Queries, Record

_queries = Queries.beside(__file__)

PREFIX = "paper_"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperAccount:
    """An account."""

    id: str
    """paper_<package_id>."""
    package_id: str
    initial_balance: float
    """USDT it began with, and does after a reset."""
    balance: float
    """USDT: initial balance + pnl of closed positions − fees of open ones."""
    rules: Rules
    """What new positions follow."""
    auto_trade: bool
    """Whether it takes the signal of every closed candle."""
    symbol: str | None
    """Market it trades by itself."""
    clock: datetime | None
    """Newest moment it was told of in this round."""
    traded_until: datetime | None
    """Close of the newest candle it acted on by itself."""
    trouble: str | None
    """Why it does not trade by itself at present."""
    round: int
    """How many resets came before."""
    peak_equity: float
    """USDT, highest of the round."""
    max_drawdown: float
    """Largest fall from a peak in the round, share of the peak."""
    reset_at: datetime | None
    created_at: datetime
    updated_at: datetime


_RULES = tuple(rule.name for rule in fields(Rules))
_PLAIN = tuple(column.name for column in fields(PaperAccount) if column.name != "rules")


async def insert(
    connection: Connection,
    package_id: str,
    *,
    rules: Rules,
    initial_balance: float,
    auto_trade: bool,
    symbol: str | None,
) -> PaperAccount | None:
    """Write an account; None when there is one already."""
    row = await _queries.fetchrow(
        connection,
        "insert",
        package_id=package_id,
        initial_balance=initial_balance,
        auto_trade=auto_trade,
        symbol=symbol,
        **asdict(rules),
    )
    return None if row is None else _read(row)


async def get(executor: Executor, account_id: str) -> PaperAccount | None:
    """Give an account."""
    row = await _queries.fetchrow(executor, "get", id=account_id)
    return None if row is None else _read(row)


async def lock(connection: Connection, account_id: str) -> PaperAccount | None:
    """Give an account, which nobody else settles before the transaction ends."""
    row = await _queries.fetchrow(connection, "lock", id=account_id)
    return None if row is None else _read(row)


async def change(
    connection: Connection, account_id: str, *, rules: Rules, auto_trade: bool, symbol: str | None
) -> PaperAccount:
    """Write what can be set on an account."""
    row = await _queries.fetchrow(
        connection, "change", id=account_id, auto_trade=auto_trade, symbol=symbol, **asdict(rules)
    )
    assert row is not None
    return _read(row)


async def settle(
    connection: Connection, account_id: str, *, balance: float, equity: float, clock: datetime
) -> PaperAccount:
    """Write what an event made of an account."""
    row = await _queries.fetchrow(connection, "settle", id=account_id, balance=balance, equity=equity, clock=clock)
    assert row is not None
    return _read(row)


async def reset(connection: Connection, account_id: str) -> PaperAccount:
    """Begin the next round of an account."""
    row = await _queries.fetchrow(connection, "reset", id=account_id)
    assert row is not None
    return _read(row)


async def stop_trading(connection: Connection, account_id: str) -> None:
    """Let an account trade by itself no more."""
    await _queries.execute(connection, "stop_trading", id=account_id)


async def set_traded_until(connection: Connection, account_id: str, traded_until: datetime) -> None:
    """Remember the newest candle an account acted on by itself, and that it is well."""
    await _queries.execute(connection, "set_traded_until", id=account_id, traded_until=traded_until)


async def set_trouble(connection: Executor, account_id: str, trouble: str) -> None:
    """Say why an account does not trade by itself."""
    await _queries.execute(connection, "set_trouble", id=account_id, trouble=trouble)


def _read(row: Record) -> PaperAccount:
    values: dict[str, Any] = {name: row[name] for name in _PLAIN}
    return PaperAccount(rules=Rules(**{name: row[name] for name in _RULES}), **values)
