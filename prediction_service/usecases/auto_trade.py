"""Accounts that trade by themselves: once on each closed candle, in order.

A candle that was missed still ends positions, but no signal is taken in the past, nor far behind the clock of the
account. What a candle does and that it was acted on are one transaction.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from prediction_service.runtime.packages.candles import Candles
from prediction_service.runtime.packages.instance import Instance
from prediction_service.runtime.packages.instances import Instances
from prediction_service.store import packages, paper_accounts
from prediction_service.store.package_work import Followed, Mark, followed, newer_candles
from prediction_service.store.packages import Package
from prediction_service.store.paper_accounts import PaperAccount
from prediction_service.usecases.candles import written
from prediction_service.usecases.package_market import View, candles, candles_after, view
from prediction_service.usecases.paper_trading import mark_candle_in, take_signal_in
from prediction_service.usecases.signals import ask, held, refuse_unusable
from shared.coin_metrics.read import moment
from shared.contracts.candles import interval_text
from shared.contracts.packages import Market
from shared.db import Connection, ConnectionLost, Pool, PostgresError, transaction
from shared.errors import Conflict, PumpcastError

log = structlog.get_logger(__name__)

MOST_MISSED = 2000
"""So many candles are marked after an outage, and those before them are not."""


async def due(pool: Pool) -> list[Followed]:
    """Give the accounts whose market has a candle they did not act on yet."""
    accounts = [(account, Market.model_validate(account.market)) for account in await followed(pool)]
    stored = [(account, market) for account, market in accounts if market.source == "candles"]
    marks = [
        Mark(symbol=account.symbol, interval_seconds=market.interval_seconds, after=account.traded_until)
        for account, market in stored
    ]
    newer = await newer_candles(pool, marks, now=datetime.now(UTC)) if marks else []
    found = [account for (account, _), is_newer in zip(stored, newer, strict=True) if is_newer]
    for account, market in accounts:
        if market.source == "coin_metrics" and len(await _missed(pool, _view(account, market), account.traded_until)):
            found.append(account)
    return found


async def tell_waiting(pool: Pool) -> None:
    """Say of accounts that have not begun to trade that they wait for a first candle."""
    for account in await followed(pool):
        if account.traded_until is None and account.trouble is None:
            wanted = _view(account, Market.model_validate(account.market))
            if not len(await _missed(pool, wanted, None)):
                interval = interval_text(wanted.interval_seconds)
                words = f"it waits for a closed candle of {account.symbol} {interval}: there is none"
                await paper_accounts.set_trouble(pool, account.account_id, words)


async def trade(pool: Pool, instances: Instances, folder: Path, accounts: Sequence[Followed]) -> None:
    """Act on what has closed."""
    for account in accounts:
        try:
            await _follow(pool, instances, folder, account)
        except PumpcastError as error:
            await paper_accounts.set_trouble(pool, account.account_id, error.message)


async def _follow(pool: Pool, instances: Instances, folder: Path, account: Followed) -> None:
    package = await packages.get(pool, account.package_id)
    if package is None:
        return
    rows = await _missed(pool, _view(account, Market.model_validate(account.market)), account.traded_until)
    for place in range(len(rows)):
        try:
            if place == len(rows) - 1:
                await _act(pool, instances, folder, account, package, rows)
            else:
                async with transaction(pool) as connection:
                    await _mark(connection, account, rows, place)
        except (*ConnectionLost, PostgresError):
            raise
        except Exception as error:
            # A candle that cannot be, or a package that fails, must not be tried for ever, nor hide what follows.
            if not isinstance(error, PumpcastError):
                log.exception("automatic trading failed", account_id=account.account_id)
            await _pass_over(pool, account, moment(int(rows.close_time[place])), _words(error))


async def _act(
    pool: Pool, instances: Instances, folder: Path, account: Followed, package: Package, rows: Candles
) -> None:
    """Take the signal at the newest candle, or say why there is none."""
    closed_at = moment(int(rows.close_time[-1]))
    try:
        wanted, history = await _history(pool, instances, package, account, closed_at)
        async with held(instances, folder, package) as instance, transaction(pool) as connection:
            before = await _mark(connection, account, rows, len(rows) - 1)
            if before is not None and (late := _late(before, closed_at, rows.interval_seconds)):
                await paper_accounts.set_trouble(connection, account.account_id, late)
            elif before is not None:
                await _signal(connection, instance, package, wanted, history)
    except PumpcastError as error:
        async with transaction(pool) as connection:
            if await _mark(connection, account, rows, len(rows) - 1) is not None:
                await paper_accounts.set_trouble(connection, account.account_id, error.message)


async def _history(
    pool: Pool, instances: Instances, package: Package, account: Followed, closed_at: datetime
) -> tuple[View, Candles]:
    refuse_unusable(package, instances)
    wanted = view(package, symbol=account.symbol, at=closed_at)
    history = await candles(pool, wanted)
    if package.warmup_status != "DONE":
        raise Conflict(f"Package {package.id} is not warmed up yet ({package.warmup_status})")
    return wanted, history


async def _signal(connection: Connection, instance: Instance, package: Package, wanted: View, history: Candles) -> None:
    asked = await ask(connection, instance, package, wanted, history)
    decision = asked.answer.decision
    acted = await take_signal_in(
        connection, package_id=package.id, symbol=wanted.symbol, signal=decision.signal,
        confidence=decision.confidence, price=asked.answer.price, at=asked.closed_at, opened_by="auto",
    )  # fmt: skip
    log.info(
        "signal taken", account_id=acted.account_id, symbol=wanted.symbol, signal=decision.signal,
        candle=asked.closed_at.isoformat(), closed=len(acted.closed), reason=acted.reason,
    )  # fmt: skip


def _late(account: PaperAccount, closed_at: datetime, interval_seconds: int) -> str | None:
    """Say that an account was told of what came long after a candle, so that its price is none to trade at."""
    if account.clock is None or account.clock - closed_at <= timedelta(seconds=interval_seconds):
        return None
    return (
        f"the candle of {written(closed_at)} closed before the account's clock {written(account.clock)}: no signal is "
        f"taken. POST /paper/account/{account.package_id}/reset begins anew, as for a replay of the past"
    )


async def _mark(connection: Connection, account: Followed, rows: Candles, place: int) -> PaperAccount | None:
    """Tell an account a candle and give it as it was before; None when that is not wanted, or was done by another."""
    closed_at, opened_at = moment(int(rows.close_time[place])), moment(int(rows.open_time[place]))
    if (before := await _next(connection, account, closed_at)) is None:
        return None
    await mark_candle_in(
        connection, account.account_id, symbol=account.symbol, open=float(rows.open[place]),
        high=float(rows.high[place]), low=float(rows.low[place]), close=float(rows.close[place]), at=closed_at,
        since=opened_at,
    )  # fmt: skip
    await paper_accounts.set_traded_until(connection, account.account_id, closed_at)
    return before


async def _next(connection: Connection, account: Followed, closed_at: datetime) -> PaperAccount | None:
    """Lock an account for a candle it did not act on yet."""
    now = await paper_accounts.lock(connection, account.account_id)
    if now is None or not now.auto_trade or now.symbol != account.symbol:
        return None
    return now if now.traded_until is None or now.traded_until < closed_at else None


async def _pass_over(pool: Pool, account: Followed, closed_at: datetime, trouble: str) -> None:
    async with transaction(pool) as connection:
        if await _next(connection, account, closed_at) is not None:
            await paper_accounts.set_traded_until(connection, account.account_id, closed_at)
            await paper_accounts.set_trouble(connection, account.account_id, trouble)
    log.warning("candle passed over", account_id=account.account_id, reason=trouble)


async def _missed(pool: Pool, wanted: View, after: datetime | None) -> Candles:
    return await candles_after(pool, wanted, after, most=MOST_MISSED)


def _view(account: Followed, market: Market) -> View:
    return View(
        symbol=account.symbol, interval_seconds=market.interval_seconds, bars=market.warmup_bars, source=market.source
    )


def _words(error: Exception) -> str:
    if isinstance(error, PumpcastError):
        return error.message
    return f"it failed unexpectedly ({type(error).__name__}); the log of prediction-worker says more"
