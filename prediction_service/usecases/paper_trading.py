"""Paper trading: signals, prices and candles told to accounts, positions opened and closed by hand.

Every event is one transaction under the lock of its account. The functions ending in `_in` work inside the
transaction of a caller who has more to write.
"""

from dataclasses import dataclass
from datetime import datetime

from prediction_service.runtime import paper_account as steps
from prediction_service.runtime.paper import Candle, Position, Side
from prediction_service.runtime.paper_account import Refusal, Signal
from prediction_service.store import paper_positions
from prediction_service.store.packages import Listed
from prediction_service.store.paper_positions import OpenedBy, PaperPosition
from prediction_service.usecases import paper_books
from prediction_service.usecases.paper_books import Book, Written, micros, moment_for
from shared.db import Connection, Pool, transaction
from shared.errors import Conflict, Invalid, NotFound

DONE = "DONE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Acted:
    """What came of a signal."""

    account_id: str
    opened: PaperPosition | None
    closed: tuple[PaperPosition, ...]
    reason: str
    """Why it was opened, or why not: one sentence."""
    rule: str | None
    """Name of the rule that kept it from opening."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """An account that did not take a price."""

    account_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """What a price did to all accounts."""

    marked: int
    """Open positions it values now."""
    closed: tuple[PaperPosition, ...]
    skipped: tuple[LeftOut, ...]


async def take_signal(
    pool: Pool,
    *,
    package_id: str,
    symbol: str,
    signal: Signal,
    confidence: float,
    price: float,
    at: datetime | None = None,
    opened_by: OpenedBy = "signal",
) -> Acted:
    """Act on a signal of a package; nothing opens unless the registry holds it for warm."""
    async with transaction(pool) as connection:
        return await take_signal_in(
            connection, package_id=package_id, symbol=symbol, signal=signal, confidence=confidence, price=price, at=at,
            opened_by=opened_by,
        )  # fmt: skip


async def take_signal_in(
    connection: Connection,
    *,
    package_id: str,
    symbol: str,
    signal: Signal,
    confidence: float,
    price: float,
    at: datetime | None = None,
    opened_by: OpenedBy = "signal",
) -> Acted:
    """Do the same inside a transaction of the caller, which locks the account from here on."""
    book, package = await paper_books.lock_of_package(connection, package_id)
    moment = moment_for(book.row, at, follows=opened_by == "auto")
    forbidden = gate(package, package_id)
    step = steps.take_signal(
        book.account,
        symbol=symbol,
        signal=signal,
        confidence=confidence,
        price=price,
        # What an account takes at the close of a candle is of that moment, though a tick may have come since.
        at=micros(at if at is not None and opened_by == "auto" else moment),
        clock=None if book.row.clock is None else micros(book.row.clock),
        forbidden=forbidden,
    )
    if forbidden is not None and not _holds(book, symbol):
        # It was told nothing, so its time stands still.
        done = Written(row=book.row, account=book.account)
    else:
        done = await paper_books.write(connection, book, step, at=moment, opened_by=opened_by, confidence=confidence)
    refusal = step.refusal
    return Acted(
        account_id=book.row.id,
        opened=done.opened,
        closed=done.closed,
        reason=refusal.sentence if refusal else _told(done.opened),
        rule=refusal.rule if refusal else None,
    )


def gate(package: Listed | None, package_id: str) -> Refusal | None:
    """Say why signals of a package open nothing."""
    if (closed := _put_away(package, package_id)) is not None:
        return closed
    assert package is not None
    if package.warmup_status != DONE:
        waits = f"{package.warmup_status}: {package.warmup_error}" if package.warmup_error else package.warmup_status
        return _cold(package_id, waits)
    return None


async def mark_price(pool: Pool, *, symbol: str, price: float, at: datetime | None = None) -> Marked:
    """Tell all accounts a price of a market: values its open positions, ends those whose rules say so."""
    marked, closed, skipped = 0, list[PaperPosition](), list[LeftOut]()
    for account_id in await paper_positions.accounts_in(pool, symbol):
        try:
            async with transaction(pool) as connection:
                done = await _mark_in(connection, account_id, symbol=symbol, price=price, at=at)
        except (Conflict, Invalid) as error:
            skipped.append(LeftOut(account_id=account_id, reason=error.message))
        else:
            marked += sum(position.symbol == symbol for position in done.account.positions)
            closed.extend(done.closed)
    return Marked(marked=marked, closed=tuple(closed), skipped=tuple(skipped))


async def _mark_in(
    connection: Connection, account_id: str, *, symbol: str, price: float, at: datetime | None
) -> Written:
    book = await paper_books.lock(connection, account_id)
    if not _holds(book, symbol):
        return Written(row=book.row, account=book.account)
    moment = moment_for(book.row, at)
    step = steps.mark_price(book.account, symbol=symbol, price=price, at=micros(moment))
    return await paper_books.write(connection, book, step, at=moment)


async def mark_candle_in(  # noqa: PLR0913 - what a candle says
    connection: Connection,
    account_id: str,
    *,
    symbol: str,
    open: float,  # noqa: A002
    high: float,
    low: float,
    close: float,
    at: datetime,
    since: datetime | None = None,
) -> Written:
    """Tell one account a candle that closed at a moment; `since`: when it opened. It is locked from here on."""
    book = await paper_books.lock(connection, account_id)
    moment = moment_for(book.row, at, follows=True)
    begun = since or book.row.clock or at
    candle = Candle(open=open, high=high, low=low, close=close, open_at=micros(min(begun, at)), close_at=micros(at))
    clock = None if book.row.clock is None else micros(book.row.clock)
    step = steps.mark_candle(book.account, candle, symbol=symbol, clock=clock)
    return await paper_books.write(connection, book, step, at=moment)


async def open_by_hand(
    pool: Pool,
    *,
    package_id: str,
    symbol: str,
    side: Side,
    price: float,
    size_usdt: float | None = None,
    at: datetime | None = None,
) -> PaperPosition:
    """Open a position within the limits of its account, or say which of them forbids it."""
    async with transaction(pool) as connection:
        book, package = await paper_books.lock_of_package(connection, package_id)
        moment = moment_for(book.row, at)
        refusal = _put_away(package, package_id)
        step = steps.open_position(
            book.account, symbol=symbol, side=side, price=price, at=micros(moment), size=size_usdt
        )
        refusal = refusal or step.refusal
        if refusal is not None:
            raise Conflict(f"The rule {refusal.rule} of {book.row.id} forbids it: {refusal.sentence}")
        done = await paper_books.write(connection, book, step, at=moment)
    assert done.opened is not None
    return done.opened


async def close_by_hand(
    pool: Pool, position_id: int, *, price: float | None = None, at: datetime | None = None
) -> PaperPosition:
    """Close a position at a price, or at the latest one it was told."""
    known = await paper_positions.get(pool, position_id)
    if known is None:
        raise NotFound(f"There is no paper position {position_id}")
    async with transaction(pool) as connection:
        book = await paper_books.lock(connection, known.account_id)
        position = _held(book, position_id)
        moment = moment_for(book.row, at)
        step = steps.close_position(
            book.account, position, price=price or position.current_price, reason="MANUAL", at=micros(moment)
        )
        done = await paper_books.write(connection, book, step, at=moment)
    return done.closed[0]


def _holds(book: Book, symbol: str) -> bool:
    return any(position.symbol == symbol for position in book.account.positions)


def _held(book: Book, position_id: int) -> Position:
    for position in book.account.positions:
        if position.id == position_id:
            return position
    raise Conflict(f"Paper position {position_id} is closed already")


def _put_away(package: Listed | None, package_id: str) -> Refusal | None:
    if package is None:
        told = f"The package {package_id} is deleted: its account is history."
        return Refusal(rule="package", sentence=told)
    if package.status == "ARCHIVED":
        return Refusal(rule="archived", sentence=f"The package {package_id} is archived: restore it first.")
    return None


def _cold(package_id: str, state: str) -> Refusal:
    told = f"The package {package_id} is not warmed up ({state}): nothing opens before its warm-up is DONE."
    return Refusal(rule="warmup", sentence=told)


def _told(opened: PaperPosition | None) -> str:
    assert opened is not None
    return f"{opened.side} of {opened.size_usdt:.2f} USDT {opened.symbol} opened at {opened.entry_price:g}."
