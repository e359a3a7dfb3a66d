"""The books of one paper account: held under its lock, changed by one event, written whole."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from prediction_service.runtime.paper import Rules
from prediction_service.runtime.paper_account import Account, Step
from prediction_service.store import packages, paper_accounts, paper_equity, paper_positions
from prediction_service.store.packages import Listed
from prediction_service.store.paper_accounts import PREFIX, PaperAccount
from prediction_service.store.paper_equity import Reason
from prediction_service.store.paper_positions import OpenedBy, PaperPosition
from prediction_service.usecases.candles import written
from shared.coin_metrics.read import microseconds
from shared.db import Connection, Executor
from shared.errors import Conflict, NotFound

DEFAULT_RULES = Rules()
INITIAL_BALANCE = 10_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """An account as it stands."""

    row: PaperAccount
    """Its row."""
    account: Account
    """What the rules know of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What an event wrote."""

    row: PaperAccount
    """Its row now."""
    account: Account
    """Afterwards."""
    closed: tuple[PaperPosition, ...] = ()
    """What ended."""
    opened: PaperPosition | None = None
    """What began."""


async def package_id_of(executor: Executor, model_id: str) -> str:
    """Give the package that an id means: its own, or that of its account; nothing of either is a `NotFound`.

    No package is called as an account is; the account of one that was deleted stays.
    """
    package_id = model_id.removeprefix(PREFIX)
    if await packages.find(executor, package_id) is not None:
        return package_id
    if await paper_accounts.get(executor, PREFIX + package_id) is not None:
        return package_id
    raise NotFound(f"There is no package {model_id!r} and no paper account of it: GET /model-packages lists them")


async def ensure(
    connection: Connection,
    package_id: str,
    *,
    rules: Rules = DEFAULT_RULES,
    initial_balance: float = INITIAL_BALANCE,
    auto_trade: bool = False,
    symbol: str | None = None,
) -> PaperAccount | None:
    """Make the account of a package; None when there is one."""
    made = await paper_accounts.insert(
        connection, package_id, rules=rules, initial_balance=initial_balance, auto_trade=auto_trade, symbol=symbol
    )
    if made is not None:
        empty = Account(rules=rules, balance=initial_balance)
        await paper_equity.insert(connection, made.id, empty, round_=0, at=datetime.now(UTC), reason="CREATE")
    return made


async def lock(connection: Connection, account_id: str) -> Book:
    """Give the books of an account, which nobody else changes before the transaction ends."""
    row = await paper_accounts.lock(connection, account_id)
    if row is None:
        raise NotFound(f"There is no paper account {account_id!r}")
    return await read(connection, row)


async def lock_of_package(connection: Connection, package_id: str) -> tuple[Book, Listed | None]:
    """Give the books of a package, made when it has none, and the package, which stays till the transaction ends."""
    account_id = PREFIX + package_id
    if await paper_accounts.get(connection, account_id) is None:
        if await packages.find(connection, package_id) is None:
            raise NotFound(f"There is no package {package_id!r}: GET /model-packages lists them")
        await ensure(connection, package_id)
    book = await lock(connection, account_id)
    return book, await packages.hold(connection, package_id)


@asynccontextmanager
async def snapshot(executor: Executor) -> AsyncIterator[Connection]:
    """Give one moment of the database to read from; a transaction of the caller sees by its locks."""
    if not hasattr(executor, "is_in_transaction"):  # a pool
        async with executor.acquire() as connection, snapshot(connection) as reading:
            yield reading
    elif executor.is_in_transaction():
        yield executor
    else:
        async with executor.transaction(isolation="repeatable_read", readonly=True):
            yield executor


async def find(executor: Executor, package_id: str) -> Book | None:
    """Give the books of a package; account and positions are of one moment."""
    async with snapshot(executor) as reading:
        row = await paper_accounts.get(reading, PREFIX + package_id)
        return None if row is None else await read(reading, row)


async def read(executor: Executor, row: PaperAccount) -> Book:
    """Give the books that belong to a row."""
    held = await paper_positions.list_open(executor, row.id)
    positions = tuple(position.as_open() for position in held)
    return Book(row=row, account=Account(rules=row.rules, balance=row.balance, positions=positions))


def moment_for(row: PaperAccount, at: datetime | None, *, follows: bool = False) -> datetime:
    """Give the moment of an event: time goes forward only, whatever the clock of the machine does.

    Without a time it is the later of now and the newest moment the account was told of. A time before that is a
    `Conflict`, or is moved there for a caller that `follows` a market others speak of as well.
    """
    if row.clock is None:
        return at or datetime.now(UTC)
    if at is None or follows:
        return max(at or datetime.now(UTC), row.clock)
    if at < row.clock:
        raise Conflict(
            f"Account {row.id} was told of {written(row.clock)} already and its time goes forward only: {written(at)} "
            "lies before. A reset begins anew"
        )
    return at


async def write(
    connection: Connection,
    book: Book,
    step: Step,
    *,
    at: datetime,
    opened_by: OpenedBy = "manual",
    confidence: float | None = None,
) -> Written:
    """Write what an event made of an account."""
    row, after = book.row, step.account
    closed = [await paper_positions.close(connection, one) for one in step.closed]
    known = {position.id: position for position in book.account.positions}
    marked = [one for one in after.positions if one.id is not None and one.current_price != known[one.id].current_price]
    if marked:
        await paper_positions.mark(connection, marked)
    opened = None
    if step.opened is not None:
        opened = await paper_positions.insert(
            connection, step.opened, account_id=row.id, round_=row.round, opened_by=opened_by, confidence=confidence
        )
    if row.clock is None:
        await paper_equity.begin_earlier(connection, row.id, round_=row.round, at=at)
    changed = await paper_accounts.settle(connection, row.id, balance=after.balance, equity=after.equity, clock=at)
    reason: Reason = "OPEN" if opened else "CLOSE" if closed else "MARK"
    await paper_equity.insert(connection, row.id, after, round_=row.round, at=at, reason=reason)
    return Written(row=changed, account=after, closed=tuple(closed), opened=opened)


def micros(at: datetime) -> int:
    """Give a moment as the rules know it."""
    return microseconds(at)
