"""What the policy of a package sees of its paper account."""

from datetime import datetime

from prediction_service.runtime import paper_account
from prediction_service.runtime.packages.account import AccountState
from prediction_service.runtime.packages.account import account_state as described
from prediction_service.runtime.paper_account import Account
from prediction_service.usecases import paper_books
from prediction_service.usecases.paper_books import micros, moment_for
from shared.db import Executor


async def account_state(
    executor: Executor, package_id: str, *, symbol: str, price: float, at: datetime | None = None
) -> AccountState:
    """Give the state of an account were it told a price now; nothing is written, a missing account is an empty one."""
    book = await paper_books.find(executor, package_id)
    if book is None:
        return described(Account(), at=0)
    now = moment_for(book.row, at, follows=True)
    return described(paper_account.value(book.account, symbol=symbol, price=price), at=micros(now))
