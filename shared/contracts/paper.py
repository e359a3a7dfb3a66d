"""Wire models of paper trading: accounts, positions, signals."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from shared.contracts.fields import NO_NUL, WHOLE_NUMBER, Moment
from shared.contracts.packages import Signal

Side = Literal["LONG", "SHORT"]
PositionStatus = Literal["OPEN", "CLOSED"]
CloseReason = Literal["TP", "SL", "EXPIRED", "MANUAL", "SIGNAL_FLIP", "RESET"]
OpenedBy = Literal["manual", "signal", "auto"]
FIRST_YEAR = 1990
AHEAD = timedelta(minutes=5)
"""So far may the clock of a caller be ahead."""


def _near(moment: AwareDatetime) -> AwareDatetime:
    if moment.year < FIRST_YEAR:
        raise ValueError(f"must not lie before the year {FIRST_YEAR}")
    if moment > datetime.now(UTC) + AHEAD:
        raise ValueError("must not lie more than 5 minutes ahead of now")
    return moment


ModelId = Annotated[
    str, Field(min_length=1, max_length=140, pattern=NO_NUL, description="Id of a package, or of its account")
]
Symbol = Annotated[str, Field(min_length=1, max_length=100, pattern=NO_NUL, description="Market, such as BTCUSDT")]
Price = Annotated[float, Field(ge=1e-15, le=1e15, allow_inf_nan=False, strict=True)]
Confidence = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False, strict=True)]
Told = Annotated[Moment, AfterValidator(_near)]
"""A moment of an account's own time, which goes forward only: one far ahead would stop it for ever."""
Leverage = Annotated[float, Field(ge=1, le=125, allow_inf_nan=False, strict=True)]
SizePct = Annotated[float, Field(gt=0, le=100, allow_inf_nan=False, strict=True)]
MinSize = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False, strict=True)]
MaxPositions = Annotated[int, Field(ge=1, le=1000), WHOLE_NUMBER]
Usdt = Annotated[float, Field(ge=0.01, le=1e12, allow_inf_nan=False, strict=True)]
StopLoss = Annotated[float, Field(ge=0.01, le=100, allow_inf_nan=False, strict=True)]
TakeProfit = Annotated[float, Field(ge=0.01, le=100_000, allow_inf_nan=False, strict=True)]
Hours = Annotated[float, Field(ge=0.01, le=87_600, allow_inf_nan=False, strict=True)]
Fee = Annotated[float, Field(ge=0, le=50, allow_inf_nan=False, strict=True)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class _Answer(BaseModel):
    model_config = ConfigDict(protected_namespaces=(), from_attributes=True)


class AccountRules(_Answer):
    """What new positions follow."""

    leverage: float = Field(description="Size over margin: decides margin and its return, never the profit")
    size_pct: float = Field(description="Size of a position, percent of equity")
    min_size_usdt: float = Field(description="Smallest position")
    max_positions: int = Field(description="Open at once")
    max_exposure_pct: float = Field(description="Sizes of open positions together, percent of equity")
    take_profit_pct: float = Field(description="Return on margin that closes, percent")
    stop_loss_pct: float = Field(description="Loss on margin that closes, percent")
    max_hours: float = Field(description="Longest time in a position")
    fee_pct: float = Field(description="Of the size, percent, each side")
    min_confidence: float = Field(description="Of a signal that opens")


class CreateAccount(_Request):
    """The account of a package, with its rules."""

    model_id: ModelId
    initial_balance: Usdt = 10_000.0
    auto_trade: bool = Field(False, description="Take the signal of every closed candle of the symbol")
    symbol: Symbol | None = None
    leverage: Leverage = 7.0
    size_pct: SizePct = 2.0
    min_size_usdt: MinSize = 10.0
    max_positions: MaxPositions = 5
    max_exposure_pct: SizePct = 10.0
    take_profit_pct: TakeProfit = 5.0
    stop_loss_pct: StopLoss = 3.0
    max_hours: Hours = 48.0
    fee_pct: Fee = 0.1
    min_confidence: Confidence = 60.0


class ChangeAccount(_Request):
    """What to set on an account; what is not named stays. Open positions keep the rules they have."""

    auto_trade: bool = False
    symbol: Symbol | None = None
    leverage: Leverage = 7.0
    size_pct: SizePct = 2.0
    min_size_usdt: MinSize = 10.0
    max_positions: MaxPositions = 5
    max_exposure_pct: SizePct = 10.0
    take_profit_pct: TakeProfit = 5.0
    stop_loss_pct: StopLoss = 3.0
    max_hours: Hours = 48.0
    fee_pct: Fee = 0.1
    min_confidence: Confidence = 60.0


class Account(_Answer):
    """A paper account as it stands."""

    account_id: str
    model_id: str = Field(description="The package it belongs to")
    initial_balance: float = Field(description="USDT it began with")
    balance: float = Field(description="USDT: initial balance + pnl of closed positions − fees of open ones")
    unrealised_pnl: float = Field(description="USDT of all open positions at their latest prices")
    equity: float = Field(description="balance + unrealised_pnl")
    exposure_usdt: float = Field(description="Sizes of open positions together")
    exposure_pct: float | None = Field(description="The same, percent of equity; null when that is used up")
    available_usdt: float = Field(description="What the limit of exposure leaves")
    open_positions: int
    auto_trade: bool
    symbol: str | None
    rules: AccountRules
    clock: AwareDatetime | None = Field(description="Newest moment it was told of; time goes forward only")
    traded_until: AwareDatetime | None = Field(description="Close of the newest candle it acted on by itself")
    trouble: str | None = Field(description="Why it does not trade by itself at present")
    round: int = Field(description="How many resets came before")
    reset_at: AwareDatetime | None
    created_at: AwareDatetime
    updated_at: AwareDatetime


class PaperPosition(_Answer):
    """A position of a paper account."""

    id: int
    account_id: str
    round: int
    symbol: str
    side: Side
    status: PositionStatus
    size_usdt: float = Field(description="Notional")
    margin: float = Field(description="size_usdt / leverage")
    leverage: float
    entry_price: float
    current_price: float
    exit_price: float | None
    take_profit_pct: float
    stop_loss_pct: float
    take_profit_price: float | None = Field(description="null: no price reaches it")
    stop_loss_price: float | None = Field(description="null: no price reaches it")
    confidence: float | None
    unrealised_pnl: float = Field(description="USDT at current_price, fees left out")
    margin_return_pct: float = Field(description="Change of the price · leverage, percent")
    pnl: float | None = Field(description="USDT after both fees")
    fees: float = Field(description="USDT so far")
    close_reason: CloseReason | None
    opened_by: OpenedBy
    opened_at: AwareDatetime
    expires_at: AwareDatetime
    closed_at: AwareDatetime | None


class PositionFilter(BaseModel):
    """Which positions of an account to list, newest first."""

    model_config = ConfigDict(extra="forbid")

    status: PositionStatus | None = None
    cursor: Annotated[str, Field(max_length=100)] | None = Field(None, description="next_cursor of the page before")
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class Positions(_Answer):
    """A page of positions, newest first."""

    positions: list[PaperPosition]
    next_cursor: str | None


class OpenPosition(_Request):
    """A position to open by hand."""

    model_id: ModelId
    symbol: Symbol
    side: Side
    price: Price
    size_usdt: Usdt | None = Field(None, description="Notional; null: by the rules of the account")
    timestamp: Told | None = Field(None, description="null: now, or the newest moment the account was told of")


class ClosePosition(_Request):
    """At what price a position is closed."""

    price: Price | None = Field(None, description="null: the latest one it was told")
    timestamp: Told | None = Field(None, description="null: now, or the newest moment the account was told of")


class PriceUpdate(_Request):
    """A price of a market."""

    symbol: Symbol
    price: Price
    timestamp: Told | None = Field(None, description="null: now, or the newest moment each account was told of")


class SkippedAccount(_Answer):
    """An account that did not take a price."""

    account_id: str
    reason: str


class PriceTaken(_Answer):
    """What a price did."""

    symbol: str
    price: float
    marked: int = Field(description="Open positions it values now")
    closed: list[PaperPosition]
    skipped: list[SkippedAccount]


class TakeSignal(_Request):
    """A signal of a package at a price."""

    model_id: ModelId
    symbol: Symbol
    signal: Signal
    confidence: Confidence
    current_price: Price
    timestamp: Told | None = Field(None, description="null: now, or the newest moment the account was told of")


class SignalTaken(_Answer):
    """What came of a signal."""

    account_id: str
    opened: PaperPosition | None
    closed: list[PaperPosition]
    actions: list[str] = Field(description="What was done, in order: CLOSE id reason, OPEN id side")
    reason: str = Field(description="Why a position was opened, or why not")
    rule: str | None = Field(description="Name of the rule that kept it from opening")
