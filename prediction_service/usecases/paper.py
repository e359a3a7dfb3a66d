"""Paper accounts: opened, set, reset."""

from dataclasses import fields, replace
from datetime import UTC, datetime

from prediction_service.runtime.paper import Exit, Rules
from prediction_service.runtime.paper_account import Account, Step, end_positions
from prediction_service.store import packages, paper_accounts, paper_equity, paper_positions
from prediction_service.store.packages import Listed
from prediction_service.store.paper_accounts import PREFIX, PaperAccount
from prediction_service.usecases import paper_books
from prediction_service.usecases.paper_books import Book, micros
from shared.contracts.paper import ChangeAccount, CreateAccount
from shared.db import Connection, Pool, transaction
from shared.errors import Conflict, Invalid, NotFound

_RULES = tuple(rule.name for rule in fields(Rules))


async def create_account(pool: Pool, wanted: CreateAccount) -> Book:
    """Open the account of a package."""
    package_id = await paper_books.package_id_of(pool, wanted.model_id)
    package = await packages.find(pool, package_id)
    if package is None:
        raise NotFound(f"The package {package_id} is deleted: its account {PREFIX}{package_id} is history")
    rules = Rules(**{name: getattr(wanted, name) for name in _RULES})
    symbol = _market(package, wanted.symbol, auto_trade=wanted.auto_trade)
    async with transaction(pool) as connection:
        made = await paper_books.ensure(
            connection,
            package_id,
            rules=rules,
            initial_balance=wanted.initial_balance,
            auto_trade=wanted.auto_trade,
            symbol=symbol,
        )
        if made is None:
            raise Conflict(f"There is an account {PREFIX}{package_id} already: PATCH changes it, reset begins anew")
        await packages.announce(connection)
    return Book(row=made, account=Account(rules=rules, balance=made.balance))


async def get_account(pool: Pool, model_id: str) -> Book:
    """Give an account, opened now when its package has none."""
    package_id = await paper_books.package_id_of(pool, model_id)
    book = await paper_books.find(pool, package_id)
    if book is None:
        async with transaction(pool) as connection:
            await paper_books.ensure(connection, package_id)
        book = await paper_books.find(pool, package_id)
        assert book is not None
    return book


async def change_account(pool: Pool, model_id: str, change: ChangeAccount) -> Book:
    """Set what is named; open positions keep the rules they were opened with."""
    account_id = (await get_account(pool, model_id)).row.id
    named = {name: getattr(change, name) for name in change.model_fields_set}
    async with transaction(pool) as connection:
        book = await paper_books.lock(connection, account_id)
        row = book.row
        rules = replace(row.rules, **{name: named[name] for name in _RULES if name in named})
        auto_trade = named.get("auto_trade", row.auto_trade)
        package = await packages.find(connection, row.package_id)
        if named.get("auto_trade") and package is not None and package.status == "ARCHIVED":
            raise Conflict(f"Package {package.id} is archived and trades nothing: restore it first")
        symbol = _market(package, named.get("symbol", row.symbol), auto_trade=auto_trade)
        row = await paper_accounts.change(connection, row.id, rules=rules, auto_trade=auto_trade, symbol=symbol)
        await packages.announce(connection)
    return Book(row=row, account=replace(book.account, rules=rules))


async def reset_account(pool: Pool, model_id: str, *, keep_history: bool) -> Book:
    """Close what is open at its latest prices and begin anew with the initial balance; time may begin anew as well."""
    account_id = (await get_account(pool, model_id)).row.id
    async with transaction(pool) as connection:
        book = await paper_books.lock(connection, account_id)
        at = book.row.clock or datetime.now(UTC)
        if book.account.positions:
            await paper_books.write(connection, book, _all_closed(book.account, micros(at)), at=at)
        if not keep_history:
            await paper_positions.delete_closed(connection, book.row.id)
            await paper_equity.delete_all(connection, book.row.id)
        row = await paper_accounts.reset(connection, book.row.id)
        return await _begun(connection, row, at)


def _all_closed(account: Account, at: int) -> Step:
    ending = [(one, Exit(price=one.current_price, reason="RESET")) for one in account.positions]
    return end_positions(account, ending, at)


async def _begun(connection: Connection, row: PaperAccount, at: datetime) -> Book:
    account = Account(rules=row.rules, balance=row.balance)
    await paper_equity.insert(connection, row.id, account, round_=row.round, at=at, reason="RESET")
    return Book(row=row, account=account)


def _market(package: Listed | None, symbol: str | None, *, auto_trade: bool) -> str | None:
    """Give the market an account trades by itself: the one that is named, else that of its package."""
    if symbol is None and auto_trade:
        symbol = None if package is None else package.market.get("symbol")
        if symbol is None:
            raise Invalid("An account that trades by itself needs a symbol, such as BTCUSDT", pointer="/symbol")
    return symbol
