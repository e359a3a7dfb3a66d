"""Packages, signals and accounts as the services write them, for pages drawn in tests."""

from datetime import UTC, datetime, timedelta
from typing import Any

from shared.contracts.candle_feeds import CandleFeeds
from shared.contracts.candles import Candle, CandlePage, CandleSeries, CandleSymbols, Coverage
from shared.contracts.packages import Package, PackageDetails, Packages
from shared.contracts.paper import Account, AccountRules, PaperPosition, Positions
from shared.contracts.paper_reports import (
    Dashboard,
    Equity,
    EquityPoint,
    HeldPosition,
    PackageState,
    Performance,
    Slice,
)
from shared.contracts.signals import ForecastValues, PackageSignal, ScalerDiagnostics, SignalDiagnostics
from tests.support.fake_services import FakeService

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SHA = "ab" * 32
MANIFEST: dict[str, Any] = {
    "format": "package/1",
    "market": {"interval_seconds": 900, "warmup_bars": 1500, "symbol": "SIMUSDT", "source": "candles"},
    "forecast": {
        "arch": "patchtst/1", "channels": [{"name": "ret_1", "mean": 0.0, "scale": 1.0}], "context_length": 512,
        "patch_length": 64, "patch_stride": 64, "n_heads": 2, "prediction_length": 192, "quantiles": [0.2, 0.5, 0.8],
    },
    "policy": {
        "net_arch": [16, 16], "obs_dim": 72, "action_space": {"kind": "box", "low": [-1.0] * 5, "high": [1.0] * 5},
    },
    "sha256": {"forecast_model": SHA, "ppo_model": "cd" * 32},
    "inferred": ["policy.activation"],
    "report": {
        "verdict": ["The forecast does not beat the naive one."],
        "trading": {"account": {"final_equity": 9205.76, "return_pct": -7.94, "max_drawdown_pct": 8.0}},
    },
}  # fmt: skip


def package(package_id: str = "mine", **changes: Any) -> PackageDetails:
    """Give a package that is ready, warmed up, and somebody's own."""
    told: dict[str, Any] = {
        "id": package_id, "name": package_id.title(), "status": "READY", "warmup_required": True,
        "warmup_status": "DONE", "warmup_error": None, "warmup_completed_at": NOW,
        "forecast_rel_path": f"{package_id}/forecast_model.pt", "ppo_rel_path": f"{package_id}/ppo_policy.zip",
        "forecast_sha256": SHA, "ppo_sha256": SHA, "forecast_bytes": 62_825, "ppo_bytes": 71_334,
        "uploaded_by": "anna", "is_builtin": False, "validated_at": NOW, "archived_at": None, "created_at": NOW,
        "updated_at": NOW, "manifest": MANIFEST,
        "warmup_diagnostics": {"probe": {"passed": True, "forecast_error": 1e-7, "tolerance": 1e-4}},
    }  # fmt: skip
    return PackageDetails(**told | changes)


def signal(**changes: Any) -> PackageSignal:
    """Give what a package says: LONG, with a forecast of two days."""
    times = [NOW + timedelta(minutes=15 * step) for step in range(1, 193)]
    flat = [0.0] * 192
    told: dict[str, Any] = {
        "model_id": "mine", "symbol": "SIMUSDT", "signal": "LONG", "confidence": 87.0, "sentiment": "bullish",
        "current_price": 100.0, "action_raw": [0.8, 0.1, 0.0, 0.0, -0.2],
        "forecast_values": ForecastValues(
            times=times, lower=flat, median=flat, upper=flat, lower_price=[98.0] * 192, median_price=[101.0] * 192,
            upper_price=[104.0] * 192,
        ),
        "diagnostics": SignalDiagnostics(
            lookback_rows_used=828, warmup_ready=True, warmup_status="DONE", feature_dim=72,
            scaler=ScalerDiagnostics(source="both", from_warmup_rows=["vol_16"]),
            probe={"passed": True, "forecast_error": 1e-7, "tolerance": 1e-4}, package_id="mine", package_name="Mine",
            forecast_arch="patchtst/1", policy_algorithm="PPO", forecast_sha256=SHA, ppo_sha256=SHA, symbol="SIMUSDT",
            source="candles", interval_seconds=900, candles_used=1500, candles_without_trades=0, candle_close_time=NOW,
            age_seconds=120.0, age=None,
        ),
    }  # fmt: skip
    return PackageSignal(**told | changes)


def account(**changes: Any) -> Account:
    """Give an account with one open position."""
    rules = AccountRules(
        leverage=7.0, size_pct=2.0, min_size_usdt=10.0, max_positions=5, max_exposure_pct=10.0, take_profit_pct=5.0,
        stop_loss_pct=3.0, max_hours=48.0, fee_pct=0.1, min_confidence=60.0,
    )  # fmt: skip
    told: dict[str, Any] = {
        "account_id": "paper_mine", "model_id": "mine", "initial_balance": 10_000.0, "balance": 10_120.0,
        "unrealised_pnl": 3.5, "equity": 10_123.5, "exposure_usdt": 200.0, "exposure_pct": 1.98,
        "available_usdt": 812.4, "open_positions": 1, "auto_trade": False, "symbol": None, "rules": rules,
        "clock": NOW, "traded_until": None, "trouble": None, "round": 0, "reset_at": None, "created_at": NOW,
        "updated_at": NOW,
    }  # fmt: skip
    return Account(**told | changes)


def position(**changes: Any) -> PaperPosition:
    """Give a position that ended at its stop."""
    told: dict[str, Any] = {
        "id": 7, "account_id": "paper_mine", "round": 0, "symbol": "SIMUSDT", "side": "LONG", "status": "CLOSED",
        "size_usdt": 200.0, "margin": 28.57, "leverage": 7.0, "entry_price": 100.0, "current_price": 99.0,
        "exit_price": 99.0, "take_profit_pct": 5.0, "stop_loss_pct": 3.0, "take_profit_price": 100.71,
        "stop_loss_price": 99.57, "confidence": 80.0, "unrealised_pnl": 0.0, "margin_return_pct": -7.0, "pnl": -2.4,
        "fees": 0.4, "close_reason": "SL", "opened_by": "signal", "opened_at": NOW,
        "expires_at": NOW + timedelta(hours=48), "closed_at": NOW + timedelta(hours=1),
    }  # fmt: skip
    return PaperPosition(**told | changes)


def held() -> HeldPosition:
    """Give a position that is open for another day."""
    still = position(
        id=9, status="OPEN", side="SHORT", exit_price=None, pnl=None, close_reason=None, closed_at=None,
        unrealised_pnl=3.5,
    )  # fmt: skip
    return HeldPosition(**still.model_dump(), seconds_left=86_400.0)


def dashboard(of: Account | None = None, **changes: Any) -> Dashboard:
    """Give an account with one open and two closed positions."""
    done = Performance(
        account_id="paper_mine", round=0, trades=2, wins=1, losses=1, win_rate=0.5, profit_factor=1.75, expectancy=0.9,
        average_win=4.2, average_loss=-2.4, sharpe_per_trade=0.19, pnl=1.8, fees=1.0, return_pct=1.235,
        max_drawdown_pct=0.4, exposure_time_pct=33.0, by_close_reason={"SL": Slice(trades=1, wins=0, pnl=-2.4)},
        by_side={"LONG": Slice(trades=2, wins=1, pnl=1.8)},
    )  # fmt: skip
    told: dict[str, Any] = {
        "account": of or account(),
        "package": PackageState(status="READY", warmup_status="DONE", warmup_error=None), "opens": True,
        "reason": None, "positions": [held()], "closed": [position()], "performance": done,
    }  # fmt: skip
    return Dashboard(**told | changes)


def equity(**changes: Any) -> Equity:
    """Give four points: up, down, and up again."""
    points = [
        EquityPoint(
            recorded_at=NOW + timedelta(hours=place), balance=worth, unrealised_pnl=0.0, equity=worth,
            open_positions=0, reason="MARK", buy_and_hold=10_000.0 + 50 * place,
        )
        for place, worth in enumerate((10_000.0, 10_200.0, 9_900.0, 10_123.5))
    ]  # fmt: skip
    told: dict[str, Any] = {"account_id": "paper_mine", "round": 0, "symbol": "SIMUSDT", "points": points, "total": 4}
    return Equity(**told | changes)


def candles(count: int = 4) -> CandlePage:
    """Give candles up to now, newest first."""
    found = [
        Candle(
            symbol="SIMUSDT", interval="15m", open_time=NOW - timedelta(minutes=15 * place), open=100.0, high=102.0,
            low=99.0, close=101.0, volume=5.0, closed=True,
        )
        for place in range(1, count + 1)
    ]  # fmt: skip
    return CandlePage(candles=found, next_cursor=None)


def serve(prediction: FakeService, *found: PackageDetails) -> None:
    """Let a service have these packages with all that belongs to them."""
    listed = [Package(**one.model_dump(exclude={"manifest", "warmup_diagnostics"})) for one in found]
    prediction.get("/model-packages", Packages(packages=listed, total=len(listed)))
    series = CandleSeries(symbol="SIMUSDT", interval="15m", first=NOW - timedelta(days=20), last=NOW)
    other = CandleSeries(symbol="BTCUSDT", interval="15m", first=NOW - timedelta(days=1), last=NOW)
    prediction.get("/candles/symbols", CandleSymbols(series=[other, series], next_after=None))
    prediction.get("/candles", candles()).get("/candles/feeds", CandleFeeds(feeds=[]))
    whole = {"symbol": "SIMUSDT", "interval": "15m", "first": NOW, "last": NOW, "candles": 85, "total_gaps": 1}
    gap = {"from": NOW, "until": NOW + timedelta(hours=1), "missing": 4}
    prediction.get("/candles/coverage", Coverage(**whole, missing=4, gaps=[gap]))
    for one in found:
        prediction.get(f"/model-packages/{one.id}", one)
        prediction.get(f"/paper/ml-signal/{one.id}", signal(model_id=one.id))
        prediction.get(f"/paper/positions/{one.id}", Positions(positions=[held()], next_cursor=None))
        prediction.get(f"/paper/dashboard/{one.id}", dashboard())
        prediction.get(f"/paper/account/{one.id}", account())
        prediction.get(f"/paper/equity/{one.id}", equity())
