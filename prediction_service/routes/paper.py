"""Routes of paper trading: accounts, positions, prices, signals, how they do."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, status

from prediction_service.deps import PoolDep
from prediction_service.store import paper_positions
from prediction_service.store.paper_positions import PaperPosition as Held
from prediction_service.usecases import paper, paper_books, paper_reports, paper_trading
from prediction_service.usecases.paper_books import Book
from shared.contracts.fields import PathId
from shared.contracts.paper import (
    Account,
    AccountRules,
    ChangeAccount,
    ClosePosition,
    CreateAccount,
    ModelId,
    OpenPosition,
    PaperPosition,
    PositionFilter,
    Positions,
    PriceTaken,
    PriceUpdate,
    SignalTaken,
    SkippedAccount,
    TakeSignal,
)
from shared.contracts.paper_reports import (
    Dashboard,
    Equity,
    EquityFilter,
    EquityPoint,
    HeldPosition,
    PackageState,
    Performance,
)
from shared.web.cursor import read_cursor, write_cursor

router = APIRouter(tags=["paper trading"])

KIND = "paper positions"
ModelPath = Annotated[ModelId, Path()]


@router.post(
    "/paper/account/create",
    summary="Open the account of a package, with its rules",
    status_code=status.HTTP_201_CREATED,
)
async def create_account(pool: PoolDep, body: CreateAccount) -> Account:
    return _account(await paper.create_account(pool, body))


@router.get("/paper/account/{model_id}", summary="An account; a package that has none gets one")
async def get_account(pool: PoolDep, model_id: ModelPath) -> Account:
    return _account(await paper.get_account(pool, model_id))


@router.patch("/paper/account/{model_id}", summary="Set rules of new positions, and whether it trades by itself")
async def change_account(pool: PoolDep, model_id: ModelPath, body: ChangeAccount) -> Account:
    return _account(await paper.change_account(pool, model_id, body))


@router.get("/paper/account/{model_id}/performance", summary="How an account did since it began or was last reset")
async def get_performance(pool: PoolDep, model_id: ModelPath) -> Performance:
    return _performance(await paper_reports.performance(pool, model_id))


@router.post(
    "/paper/account/{model_id}/reset", summary="Close what is open at its latest price and begin anew, in time as well"
)
async def reset_account(pool: PoolDep, model_id: ModelPath, keep_history: bool = True) -> Account:
    return _account(await paper.reset_account(pool, model_id, keep_history=keep_history))


@router.get("/paper/positions/{model_id}", summary="Positions of an account, newest first")
async def list_positions(pool: PoolDep, model_id: ModelPath, wanted: Annotated[PositionFilter, Query()]) -> Positions:
    before = None if wanted.cursor is None else read_cursor(KIND, wanted.cursor)
    row = (await paper.get_account(pool, model_id)).row
    found = await paper_positions.list_page(pool, row.id, status=wanted.status, before_id=before, most=wanted.limit + 1)
    page = found[: wanted.limit]
    cursor = write_cursor(KIND, page[-1].id) if len(found) > len(page) else None
    return Positions(positions=[_position(one) for one in page], next_cursor=cursor)


@router.post(
    "/paper/position/open", summary="Open a position by hand, within the limits", status_code=status.HTTP_201_CREATED
)
async def open_position(pool: PoolDep, body: OpenPosition) -> PaperPosition:
    opened = await paper_trading.open_by_hand(
        pool,
        package_id=await paper_books.package_id_of(pool, body.model_id),
        symbol=body.symbol,
        side=body.side,
        price=body.price,
        size_usdt=body.size_usdt,
        at=body.timestamp,
    )
    return _position(opened)


@router.post("/paper/position/{position_id:int}/close", summary="Close a position by hand")
async def close_position(pool: PoolDep, position_id: PathId, body: ClosePosition | None = None) -> PaperPosition:
    wanted = body or ClosePosition()
    closed = await paper_trading.close_by_hand(pool, position_id, price=wanted.price, at=wanted.timestamp)
    return _position(closed)


@router.post("/paper/price-update", summary="Tell all accounts a price: values positions of that market, ends some")
async def update_price(pool: PoolDep, body: PriceUpdate) -> PriceTaken:
    done = await paper_trading.mark_price(pool, symbol=body.symbol, price=body.price, at=body.timestamp)
    return PriceTaken(
        symbol=body.symbol,
        price=body.price,
        marked=done.marked,
        closed=[_position(one) for one in done.closed],
        skipped=[SkippedAccount.model_validate(one) for one in done.skipped],
    )


@router.post("/paper/signal", summary="Act on a signal: close what ended or stands against it, then open with it")
async def take_signal(pool: PoolDep, body: TakeSignal) -> SignalTaken:
    done = await paper_trading.take_signal(
        pool,
        package_id=await paper_books.package_id_of(pool, body.model_id),
        symbol=body.symbol,
        signal=body.signal,
        confidence=body.confidence,
        price=body.current_price,
        at=body.timestamp,
    )
    actions = [f"CLOSE {one.id} {one.close_reason}" for one in done.closed]
    if done.opened is not None:
        actions.append(f"OPEN {done.opened.id} {done.opened.side}")
    return SignalTaken(
        account_id=done.account_id,
        opened=None if done.opened is None else _position(done.opened),
        closed=[_position(one) for one in done.closed],
        actions=actions,
        reason=done.reason,
        rule=done.rule,
    )


@router.get("/paper/dashboard/{model_id}", summary="Everything about an account at a glance")
async def get_dashboard(pool: PoolDep, model_id: ModelPath) -> Dashboard:
    found = await paper_reports.dashboard(pool, model_id)
    book = found.performance.book
    held = [
        HeldPosition(**_shown(one), seconds_left=paper_reports.seconds_left(one, book.row.clock))
        for one in found.open_positions
    ]
    return Dashboard(
        account=_account(book),
        package=None if found.package is None else PackageState.model_validate(found.package),
        opens=found.refusal is None,
        reason=None if found.refusal is None else found.refusal.sentence,
        positions=held,
        closed=[_position(one) for one in found.closed],
        performance=_performance(found.performance),
    )


@router.get("/paper/equity/{model_id}", summary="Equity over time, thinned, beside buy and hold")
async def get_equity(pool: PoolDep, model_id: ModelPath, wanted: Annotated[EquityFilter, Query()]) -> Equity:
    found = await paper_reports.equity(pool, model_id, wanted)
    points = [
        EquityPoint(**asdict(point), buy_and_hold=held)
        for point, held in zip(found.points, found.buy_and_hold, strict=True)
    ]
    return Equity(account_id=found.account_id, round=found.round, symbol=found.symbol, points=points, total=found.total)


def _account(book: Book) -> Account:
    row, account = book.row, book.account
    return Account(
        account_id=row.id,
        model_id=row.package_id,
        initial_balance=row.initial_balance,
        balance=row.balance,
        unrealised_pnl=account.unrealised_pnl,
        equity=account.equity,
        exposure_usdt=account.exposure,
        exposure_pct=100 * account.exposure / account.equity if account.equity > 0 else None,
        available_usdt=account.available_exposure,
        open_positions=len(account.positions),
        auto_trade=row.auto_trade,
        symbol=row.symbol,
        rules=AccountRules.model_validate(row.rules),
        clock=row.clock,
        traded_until=row.traded_until,
        trouble=row.trouble,
        round=row.round,
        reset_at=row.reset_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _position(position: Held) -> PaperPosition:
    return PaperPosition(**_shown(position))


def _shown(position: Held) -> dict[str, Any]:
    rules = position.as_open()
    return {
        **asdict(position),
        "margin_return_pct": rules.margin_return_pct,
        "take_profit_price": rules.take_profit_price if rules.take_profit_price > 0 else None,
        "stop_loss_price": rules.stop_loss_price if rules.stop_loss_price > 0 else None,
    }


def _performance(found: paper_reports.Performance) -> Performance:
    row = found.book.row
    return Performance(
        account_id=row.id,
        round=row.round,
        return_pct=found.return_pct,
        max_drawdown_pct=found.max_drawdown_pct,
        exposure_time_pct=found.exposure_time_pct,
        **asdict(found.figures) | {"fees": found.fees},
    )
