"""Wire models of how paper accounts do: figures, equity over time, everything at a glance."""

from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from shared.contracts.fields import Moment
from shared.contracts.packages import PackageStatus, WarmupStatus
from shared.contracts.paper import Account, CloseReason, PaperPosition, Side

EquityReason = Literal["CREATE", "OPEN", "CLOSE", "MARK", "RESET"]


class _Answer(BaseModel):
    model_config = ConfigDict(protected_namespaces=(), from_attributes=True)


class Slice(_Answer):
    """Closed positions of one kind."""

    trades: int
    wins: int
    pnl: float = Field(description="USDT after fees")


class Performance(_Answer):
    """How an account did since it began or was last reset; null: not known from so few trades."""

    account_id: str
    round: int
    trades: int = Field(description="Closed positions")
    wins: int
    losses: int
    win_rate: float | None = Field(description="wins / trades")
    profit_factor: float | None = Field(description="Profits over losses; null without a loss")
    expectancy: float | None = Field(description="Mean pnl of a trade, USDT")
    average_win: float | None
    average_loss: float | None
    sharpe_per_trade: float | None = Field(description="Mean pnl over its standard deviation (ddof 1)")
    pnl: float = Field(description="USDT of closed positions, after fees")
    fees: float = Field(description="USDT paid, of open positions too")
    return_pct: float = Field(description="Equity against the initial balance")
    max_drawdown_pct: float = Field(description="Largest fall of equity from a peak, percent of the peak")
    exposure_time_pct: float | None = Field(description="Share of the time with a position")
    by_close_reason: dict[CloseReason, Slice]
    by_side: dict[Side, Slice]


class PackageState(_Answer):
    """Where the package of an account stands."""

    status: PackageStatus
    warmup_status: WarmupStatus
    warmup_error: str | None


class HeldPosition(PaperPosition):
    """An open position with the time it has left."""

    seconds_left: float


class Dashboard(_Answer):
    """Everything about an account at a glance."""

    account: Account
    package: PackageState | None = Field(description="null: deleted")
    opens: bool = Field(description="Whether a signal of the package may open positions")
    reason: str | None = Field(description="Why not")
    positions: list[HeldPosition] = Field(description="Open ones, oldest first")
    closed: list[PaperPosition] = Field(description="The latest, newest first")
    performance: Performance


class EquityFilter(BaseModel):
    """Which part of the equity to give."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    from_: Moment | None = Field(None, alias="from")
    until: Moment | None = None
    limit: Annotated[int, Field(ge=4, le=2000)] = 500
    round: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = Field(None, description="null: since the latest reset")

    @model_validator(mode="after")
    def check_window(self) -> Self:
        """Refuse a window that ends before it starts."""
        if self.from_ is not None and self.until is not None and self.from_ > self.until:
            raise ValueError("from must not be after until")
        return self


class EquityPoint(_Answer):
    """What an account was worth at a moment."""

    recorded_at: AwareDatetime
    balance: float
    unrealised_pnl: float
    equity: float
    open_positions: int
    reason: EquityReason
    buy_and_hold: float | None = Field(None, description="Worth of the initial balance held in the symbol instead")


class Equity(_Answer):
    """Equity over time, oldest first."""

    account_id: str
    round: int
    symbol: str | None = Field(description="Market that buy_and_hold is of")
    points: list[EquityPoint] = Field(description="Thinned: first, last and extremes stay")
    total: int = Field(description="How many points there are")
