"""How paper accounts do: figures, equity beside buy and hold, everything at a glance."""

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from prediction_service.runtime.paper_account import Refusal
from prediction_service.runtime.paper_figures import Figures, figures
from prediction_service.store import candles, packages, paper_equity, paper_positions
from prediction_service.store.packages import Listed
from prediction_service.store.paper_equity import Point
from prediction_service.store.paper_positions import PaperPosition
from prediction_service.usecases import paper, paper_books
from prediction_service.usecases.paper_books import Book
from prediction_service.usecases.paper_trading import gate
from shared.contracts.packages import Market
from shared.contracts.paper_reports import EquityFilter
from shared.db import Connection, Pool
from shared.errors import NotFound

LAST_CLOSED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """How an account did in its present round."""

    book: Book
    figures: Figures
    fees: float
    """USDT, of open positions too."""
    return_pct: float
    max_drawdown_pct: float
    exposure_time_pct: float | None
    """None before any time has passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """Everything about an account."""

    performance: Performance
    package: Listed | None
    refusal: Refusal | None
    """Why signals open nothing."""
    open_positions: list[PaperPosition]
    closed: list[PaperPosition]


@dataclass(frozen=True, slots=True, kw_only=True)
class Equity:
    """Equity over time, oldest first."""

    account_id: str
    round: int
    symbol: str | None
    """Market of buy and hold."""
    points: list[Point]
    total: int
    buy_and_hold: list[float | None] = field(default_factory=list)
    """One a point."""


async def performance(pool: Pool, model_id: str) -> Performance:
    """Give the figures of an account since it began or was last reset."""
    package_id = (await paper.get_account(pool, model_id)).row.package_id
    async with paper_books.snapshot(pool) as reading:
        return await _performance(reading, package_id)


async def _performance(reading: Connection, package_id: str) -> Performance:
    book = await paper_books.find(reading, package_id)
    assert book is not None  # no account is ever deleted
    row, account = book.row, book.account
    tallied = figures(await paper_positions.tallies(reading, row.id, round_=row.round))
    begun = await paper_equity.began_at(reading, row.id, round_=row.round)
    exposed = None
    if begun is not None and row.clock is not None and (lived := (row.clock - begun).total_seconds()) > 0:
        open_for = await paper_positions.exposed_seconds(reading, row.id, round_=row.round, now=row.clock)
        exposed = 100 * open_for / lived
    return Performance(
        book=book,
        figures=tallied,
        fees=tallied.fees + math.fsum(position.fees for position in account.positions),
        return_pct=100 * (account.equity / row.initial_balance - 1),
        max_drawdown_pct=100 * row.max_drawdown,
        exposure_time_pct=exposed,
    )


async def dashboard(pool: Pool, model_id: str) -> Dashboard:
    """Give everything about an account, as of one moment."""
    package_id = (await paper.get_account(pool, model_id)).row.package_id
    async with paper_books.snapshot(pool) as reading:
        package = await packages.find(reading, package_id)
        found = await _performance(reading, package_id)
        account_id = found.book.row.id
        return Dashboard(
            performance=found,
            package=package,
            refusal=gate(package, package_id),
            open_positions=await paper_positions.list_open(reading, account_id),
            closed=await paper_positions.list_page(
                reading, account_id, status="CLOSED", before_id=None, most=LAST_CLOSED
            ),
        )


async def equity(pool: Pool, model_id: str, wanted: EquityFilter) -> Equity:
    """Give the equity of an account over time, beside what holding its market would have made."""
    row = (await paper.get_account(pool, model_id)).row
    round_ = row.round if wanted.round is None else wanted.round
    if round_ > row.round:
        raise NotFound(f"Account {row.id} is in its round {row.round}: there is no round {round_} yet")
    curve = await paper_equity.get_curve(
        pool, row.id, round_=round_, from_at=wanted.from_, until_at=wanted.until, most=wanted.limit
    )
    market = await _market(pool, row.package_id)
    symbol = row.symbol or market.symbol
    held = await _held(pool, symbol, market.interval_seconds, curve.points, row.initial_balance)
    return Equity(
        account_id=row.id, round=round_, symbol=symbol, points=curve.points, total=curve.total, buy_and_hold=held
    )


async def _market(pool: Pool, package_id: str) -> Market:
    package = await packages.find(pool, package_id)
    given: dict[str, Any] = {} if package is None or package.validated_at is None else dict(package.market)
    return Market.model_validate(given)


async def _held(
    pool: Pool, symbol: str | None, interval_seconds: int, points: list[Point], initial: float
) -> list[float | None]:
    """Give what the initial balance would be worth at each point, bought at the first that a candle is known for."""
    if symbol is None or not points:
        return [None] * len(points)
    closes = await candles.closes_at(
        pool, symbol=symbol, interval_seconds=interval_seconds, moments=[point.recorded_at for point in points]
    )
    bought = next((close for close in closes if close is not None), None)
    return [initial * (close / bought) if close is not None and bought is not None else None for close in closes]


def seconds_left(position: PaperPosition, clock: datetime | None) -> float:
    """Give the time an open position has left, on the clock of its account."""
    now = clock or datetime.now(UTC)
    return max((position.expires_at - now).total_seconds(), 0.0)
