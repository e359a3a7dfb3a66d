"""What the policy of a package sees of its paper account."""

from dataclasses import replace
from datetime import datetime

from prediction_service.runtime.packages import account as block
from prediction_service.runtime.packages.account import AccountState
from prediction_service.runtime.paper_account import Account
from prediction_service.store import paper_accounts
from prediction_service.store.paper_accounts import PREFIX
from prediction_service.usecases import paper_books
from prediction_service.usecases.paper_books import DEFAULT_RULES, INITIAL_BALANCE, micros, moment_for
from shared.db import Executor


async def account_state(
    executor: Executor, package_id: str, *, symbol: str, price: float, at: datetime | None = None
) -> AccountState:
    """Give the state of an account were it told a price now; nothing is written, a missing account is an empty one."""
    row = await paper_accounts.get(executor, PREFIX + package_id)
    if row is None:
        return block.account_state(Account(rules=DEFAULT_RULES, balance=INITIAL_BALANCE), at=0)
    account = (await paper_books.read(executor, row)).account
    valued = tuple(
        replace(one, current_price=price) if one.symbol == symbol else one for one in account.positions
    )  # fmt: skip
    return block.account_state(replace(account, positions=valued), at=micros(moment_for(row, at, follows=True)))
