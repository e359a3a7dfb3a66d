"""What the training of a package came to, as it is printed and kept in the manifest."""

from dataclasses import dataclass
from datetime import datetime

from prediction_service.runtime.packages.candles import Candles
from pumpcast.packages.backtest import Result
from pumpcast.packages.figures import Curve
from pumpcast.packages.forecast_report import Errors, ForecastReport
from pumpcast.packages.history import moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Candles of one part of the history."""

    start: datetime
    """When the first of them closed."""
    end: datetime
    """When the last of them closed."""
    candles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came out."""

    name: str
    folder: str
    symbol: str
    candles: int
    """Used, in a row."""
    left_out: int
    """Beyond gaps."""
    fit: Part
    """The forecaster was fitted on these."""
    learn: Part
    """The policy was trained on these, and the first half of them ended the forecaster's training."""
    test: Part
    """Nothing was trained on these: all figures are of them."""
    seed: int
    epochs: int
    best_epoch: int
    """The one that was kept."""
    timesteps: int
    learning_fee_pct: float
    seconds: float
    """Training took."""
    forecast: ForecastReport
    trading: Result
    verdict: tuple[str, ...]
    """What the figures mean, in sentences."""


def part_of(candles: Candles, part: range) -> Part:
    """Describe a part of a history."""
    return Part(
        start=moment(candles.close_time[part.start]), end=moment(candles.close_time[part.stop - 1]), candles=len(part)
    )


def verdict(forecast: ForecastReport, trading: Result) -> tuple[str, ...]:
    """Say what the figures mean."""
    overall, account, held = forecast.overall, trading.account, trading.buy_and_hold_at_limit
    change = (overall.pinball / overall.pinball_naive - 1) * 100
    beats = "beats" if forecast.beats_naive else "does not beat"
    told = (
        f"The forecast {beats} the naive one: pinball loss {overall.pinball:.6f} against {overall.pinball_naive:.6f} "
        f"({change:+.1f} %); {overall.coverage:.0%} of the returns lie in its band, {forecast.coverage_meant:.0%} were "
        "meant."
    )
    holding = f"buying and holding as much as the rules expose ({held.final_equity:,.2f} USDT)"
    beats = "beats" if account.final_equity > held.final_equity else "does not beat"
    if not trading.positions_opened:
        return (told, f"The policy opened nothing. It {beats} {holding}.")
    ends = (
        f"The policy ends with {account.final_equity:,.2f} of {trading.initial_equity:,.0f} USDT; fees took "
        f"{trading.fees_usdt:,.2f} of that."
    )
    beside = (
        f"It {beats} {holding}, and did better than {trading.random.beaten_pct:.0f} % of random accounts that traded "
        "as often."
    )
    return (told, ends, beside)


def described(report: Report) -> str:
    """Write the report for a terminal."""
    parts = (("forecaster fitted on", report.fit), ("policy trained on", report.learn), ("figures are of", report.test))
    told = [f"{what:<21}{part.candles:>8,} candles, {part.start:%Y-%m-%d %H:%M} to {part.end:%Y-%m-%d %H:%M} UTC"
            for what, part in parts]  # fmt: skip
    how = (
        f"seed {report.seed}; epoch {report.best_epoch} of {report.epochs} kept; {report.timesteps:,} steps of the "
        f"policy at a fee of {report.learning_fee_pct:g} %"
    )
    return "\n".join(
        (
            f"{report.name}: package of {report.symbol} in {report.folder}, {report.seconds:.0f} s",
            *told,
            how,
            "",
            *_forecast_table(report.forecast),
            "",
            *_trading_table(report.trading),
            "",
            *report.verdict,
        )
    )


def _forecast_table(report: ForecastReport) -> list[str]:
    titles = ("pinball", "naive", "error", "no change", "in band", "direction", "usual")
    return [
        f"{'candles ahead':<15}" + "".join(f"{title:>11}" for title in titles),
        *(_error_line(str(one.step), one.errors) for one in report.by_step),
        _error_line("all", report.overall),
    ]


def _trading_table(trading: Result) -> list[str]:
    random = trading.random
    band = f"90 % within {random.final_equity_5_pct:,.2f} – {random.final_equity_95_pct:,.2f}"
    signals = ", ".join(f"{count:,} {signal}" for signal, count in trading.signals.items())
    return [
        f"{'':<26}{'equity':>12}{'return':>10}{'drawdown':>10}",
        _curve_line("this policy", trading.account),
        _curve_line("buy and hold, as exposed", trading.buy_and_hold_at_limit),
        _curve_line("buy and hold, all equity", trading.buy_and_hold),
        f"{'random, median':<26}{random.final_equity_median:>12,.2f}   {band}",
        f"{trading.positions_opened:,} positions, fees {trading.fees_usdt:,.2f} USDT, signals {signals}",
    ]


def _error_line(name: str, errors: Errors) -> str:
    sizes = (errors.pinball, errors.pinball_naive, errors.median_error, errors.no_change_error)
    shares = (errors.coverage, errors.right_direction, errors.usual_direction)
    return f"{name:<15}" + "".join(f"{size:>11.6f}" for size in sizes) + "".join(f"{share:>11.1%}" for share in shares)


def _curve_line(name: str, curve: Curve) -> str:
    return f"{name:<26}{curve.final_equity:>12,.2f}{curve.return_pct:>+9.2f}%{curve.max_drawdown_pct:>9.2f}%"
