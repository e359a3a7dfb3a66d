"""How paper accounts do: figures, equity beside buy and hold, everything at a glance."""

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from prediction_service.runtime.paper_account import Refusal
from prediction_service.runtime.paper_figures import Figures, covered, figures
from prediction_service.store import candles, packages, paper_equity, paper_positions
from prediction_service.store.packages import Listed
from prediction_service.store.paper_equity import Point
from prediction_service.store.paper_positions import PaperPosition
from prediction_service.usecases import paper
from prediction_service.usecases.paper_books import Book, micros
from prediction_service.usecases.paper_trading import gate
from shared.contracts.packages import Market
from shared.contracts.paper_reports import EquityFilter
from shared.db import Pool
from shared.errors import NotFound

MOST_CANDLES = 100_000
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
    return await _performance(pool, await paper.get_account(pool, model_id))


async def _performance(pool: Pool, book: Book) -> Performance:
    row, account = book.row, book.account
    trades = await paper_positions.list_trades(pool, row.id, round_=row.round)
    summary = await paper_equity.get_summary(pool, row.id, round_=row.round)
    drawdown, exposed = 0.0, None
    if summary is not None:
        peak = max(summary.peak, account.equity)
        drawdown = max(summary.drawdown, (peak - account.equity) / peak)
        now = max(row.clock or summary.first_at, summary.first_at)
        spans = [(micros(one.opened_at), micros(one.closed_at)) for one in trades]
        spans += [(position.opened_at, micros(now)) for position in account.positions]
        if (lived := micros(now) - micros(summary.first_at)) > 0:
            exposed = 100 * covered(spans) / lived
    paid = [one.fees for one in trades] + [position.fees for position in account.positions]
    return Performance(
        book=book,
        figures=figures([one.as_trade() for one in trades]),
        fees=math.fsum(paid),
        return_pct=100 * (account.equity / row.initial_balance - 1),
        max_drawdown_pct=100 * drawdown,
        exposure_time_pct=exposed,
    )


async def dashboard(pool: Pool, model_id: str) -> Dashboard:
    """Give everything about an account."""
    book = await paper.get_account(pool, model_id)
    package = await packages.find(pool, book.row.package_id)
    return Dashboard(
        performance=await _performance(pool, book),
        package=package,
        refusal=gate(package, book.row.package_id),
        open_positions=await paper_positions.list_open(pool, book.row.id),
        closed=await paper_positions.list_page(pool, book.row.id, status="CLOSED", before_id=None, most=LAST_CLOSED),
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
    # What closed by a point; the candle before the first tells the price at which was bought.
    until = points[-1].recorded_at
    most = int((until - points[0].recorded_at).total_seconds() // interval_seconds) + 2
    found = await candles.newest(
        pool, symbol=symbol, interval_seconds=interval_seconds, close_by=until, most=min(most, MOST_CANDLES)
    )
    times = np.array([micros(point.recorded_at) for point in points], np.int64)
    places = np.searchsorted(found.close_time, times, side="right") - 1
    if not (known := places >= 0).any():
        return [None] * len(points)
    bought = found.close[places[known][0]]
    return [initial * float(found.close[place] / bought) if place >= 0 else None for place in places]


def seconds_left(position: PaperPosition, clock: datetime | None) -> float:
    """Give the time an open position has left, on the clock of its account."""
    now = clock or datetime.now(UTC)
    return max((position.expires_at - now).total_seconds(), 0.0)
