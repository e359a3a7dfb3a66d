"""`pumpcast package backtest`: a package tried on candles of the past."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from prediction_service.settings import PredictionSettings
from pumpcast.console import moment_option, progress, show, tell
from pumpcast.packages.backtest import RandomAccounts, Result, run_backtest
from pumpcast.packages.extras import require
from pumpcast.packages.figures import Curve
from pumpcast.packages.history import read_history
from shared.contracts.packages import Manifest
from shared.errors import Invalid
from shared.settings import read_settings

RANDOM_ACCOUNTS = 400


def backtest_package(
    package: Annotated[str, typer.Argument(metavar="FOLDER|ID", help="Folder of its files, or id in the registry.")],
    candles: Annotated[Path, typer.Option(help="Parquet or CSV: symbol, open_time, open, high, low, close, volume.")],
    symbol: Annotated[str | None, typer.Option(help="Market to take; needed when the file holds several.")] = None,
    since: Annotated[
        datetime | None, typer.Option("--from", parser=moment_option, help="Trades from here on; before it only looks.")
    ] = None,
    until: Annotated[datetime | None, typer.Option(parser=moment_option, help="Last close to take.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Draw it: a file that ends in .svg, .png or .pdf.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Of the random accounts.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Trade a package over candles of the past as it would have traded live, and compare.

    Its files are checked like an upload first. At each close the package sees the candles it would have seen live, and
    an account of 10,000 USDT takes its signals by the rules of paper trading, fees counted. Beside it stand buying and
    holding, with all there is and with as much as the account may have open, and 400 accounts that go long and
    short as often at random. A backtest is no promise: spreads, slippage and funding are not in the candles.
    """
    require("packages")
    # matplotlib and torch take their time; whoever asks for help does not need them.
    from prediction_service.runtime.packages.instance import Instance
    from prediction_service.usecases.package_checks import validate_files
    from pumpcast.packages.folder import read_given
    from pumpcast.packages.picture import check_picture, draw

    if picture is not None:
        check_picture(picture)
    folder = _folder(package)
    history = read_history(candles, symbol=symbol, until=until)
    if history.left_out:
        tell(f"{history.left_out} candles of {history.symbol} beyond a gap are left out")
    manifest = asyncio.run(validate_files(folder, read_given(folder)))
    _check_market(manifest, history.symbol)
    backtest = run_backtest(
        Instance.load(folder, manifest),
        history.candles,
        symbol=history.symbol,
        since=None if since is None else round(since.timestamp() * 1e6),
        runs=RANDOM_ACCOUNTS,
        seed=seed,
        progress=lambda what, total: progress(what, total=total),
    )
    result = backtest.result(package)
    show(result, as_json=as_json, sentence=sentence(result))
    if picture is not None:
        draw(backtest, picture, title=f"{folder.name} on {history.symbol}")


def sentence(result: Result) -> str:
    """Give the result as lines for people."""
    won = ""
    if result.win_rate_pct is not None:
        reasons = ", ".join(f"{count} {reason}" for reason, count in result.closed_by.items())
        won = f" ({reasons}), {result.win_rate_pct:.0f} % with a profit"
    used = f"fees {result.fees_usdt:,.2f} USDT; in the market {result.time_in_market_pct:.0f} % of the time"
    lines = [
        f"{result.package} on {result.symbol}, {result.candles:,} candles, {result.first_signal} – {result.last_close}",
        _row("package", result.account),
        _row(f"buy and hold, {result.limit_usdt:,.0f} USDT", result.buy_and_hold_at_limit),
        _row("buy and hold, everything", result.buy_and_hold),
        *([_random_row(result.random)] if result.positions_opened else []),
        f"{result.trades:,} trades{won}; {used}",
        *result.remarks,
    ]
    return "\n".join(lines)


def _random_row(random: RandomAccounts) -> str:
    return (
        f"{_start(f'random, median of {random.runs}', random.final_equity_median)}   5–95 %: "
        f"{random.final_equity_5_pct:,.2f} – {random.final_equity_95_pct:,.2f}; "
        f"the package did better than {random.beaten_pct:.0f} %"
    )


def _start(name: str, equity: float) -> str:
    return f"  {name:28}{equity:12,.2f} USDT"


def _row(name: str, curve: Curve) -> str:
    ratio = "none" if curve.sharpe is None else f"{curve.sharpe:.2f} a year"
    return (
        f"{_start(name, curve.final_equity)} {curve.return_pct:+8.2f} %   "
        f"drawdown {curve.max_drawdown_pct:.2f} %, Sharpe {ratio}"
    )


def _folder(package: str) -> Path:
    if (given := Path(package).expanduser()).is_dir():
        return given.resolve()
    registry = read_settings(PredictionSettings).packages_folder
    stored = registry / package
    if "/" not in package and not package.startswith(".") and stored.is_dir():
        return stored
    raise Invalid(f"{package} is neither a folder nor the id of a package in {registry}")


def _check_market(manifest: Manifest, symbol: str) -> None:
    if manifest.market.symbol not in (None, symbol):
        tell(f"The package was made for {manifest.market.symbol}, these are candles of {symbol}")
