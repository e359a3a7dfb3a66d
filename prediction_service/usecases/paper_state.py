"""What the policy of a package sees of its paper account."""

from datetime import datetime

from prediction_service.runtime.packages.account import AccountState, Holding, summarise
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
        rules, equity, holdings = DEFAULT_RULES, INITIAL_BALANCE, list[Holding]()
    else:
        account = (await paper_books.read(executor, row)).account
        now = micros(moment_for(row, at, follows=True))
        prices = [price if one.symbol == symbol else one.current_price for one in account.positions]
        profits = [one.pnl_at(valued) for one, valued in zip(account.positions, prices, strict=True)]
        rules, equity = account.rules, account.balance + sum(profits)
        holdings = [
            Holding(
                is_long=position.side == "LONG",
                size_usdt=position.size_usdt,
                leverage=position.leverage,
                pnl_usdt=profit,
                age_seconds=max(now - position.opened_at, 0) / 1e6,
            )
            for position, profit in zip(account.positions, profits, strict=True)
        ]
    return summarise(
        holdings, equity_usdt=equity, most_exposure=rules.max_exposure_pct / 100, longest_seconds=rules.max_hours * 3600
    )
