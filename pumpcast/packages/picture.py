"""A backtest as a picture: equity beside chance and holding, the price with positions behind it, drawdown."""

from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from pumpcast.packages.backtest import Backtest
from pumpcast.packages.figures import drawdown_pct
from pumpcast.packages.walk import INITIAL_BALANCE
from shared.errors import Invalid, PumpcastError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Times = NDArray[np.datetime64]

KINDS: Final = (".svg", ".png", ".pdf")
PACKAGE, HOLD, CHANCE, LONG, SHORT, GRID = "#1f4e9c", "#d9822b", "#8a8f98", "#3a9e5c", "#c94a4a", "#e3e5e8"


def check_picture(path: Path) -> None:
    """Refuse a place that no picture can be written to, before hours of work are lost."""
    from importlib.util import find_spec

    if path.suffix.lower() not in KINDS:
        raise Invalid(f"{path.name} is no name of a picture: end it in {', '.join(KINDS)}")
    if not path.resolve().parent.is_dir():
        raise Invalid(f"There is no folder {path.resolve().parent}: make it first")
    if find_spec("matplotlib") is None:
        raise PumpcastError("matplotlib must be installed for a picture: pip install 'pumpcast[rl]'")


def draw(backtest: Backtest, path: Path, *, title: str) -> None:
    """Write the picture; the same backtest gives the same file."""
    import matplotlib as mpl
    from matplotlib import dates
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "pumpcast", "font.size": 9, "axes.edgecolor": CHANCE,
                         "axes.titlelocation": "left", "axes.spines.top": False,
                         "axes.spines.right": False}):  # fmt: skip
        figure = Figure(figsize=(11, 8), layout="constrained")
        equity, price, drawdown = figure.subplots(3, 1, sharex=True, height_ratios=(5, 3, 2))
        at = backtest.close_time.astype("datetime64[us]")
        _equity(equity, at, backtest)
        _price(price, at, backtest)
        _drawdown(drawdown, at, backtest)
        equity.set_title(title, fontsize=12, fontweight="bold", pad=24)
        for axes in (equity, price, drawdown):
            axes.grid(color=GRID, linewidth=0.6)
            axes.set_axisbelow(True)
            axes.margins(x=0)
        locator = dates.AutoDateLocator(tz=UTC)  # type: ignore[no-untyped-call]
        drawdown.xaxis.set_major_locator(locator)
        formatter = dates.ConciseDateFormatter(locator, tz=UTC)  # type: ignore[no-untyped-call]
        drawdown.xaxis.set_major_formatter(formatter)
        drawdown.set_xlabel("close of the candle, UTC")
        metadata = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(path.suffix.lower(), {})
        try:
            figure.savefig(path, dpi=140, facecolor="white", metadata=metadata)
        except OSError as error:
            raise PumpcastError(f"The picture {path} cannot be written: {error.strerror}") from error


def _equity(axes: "Axes", at: Times, backtest: Backtest) -> None:
    low, median, high = backtest.band
    runs, limit = len(backtest.chance.equity), backtest.rules.max_exposure_pct
    package, *_ = axes.plot(at, backtest.walk.equity, color=PACKAGE, linewidth=1.8, zorder=3)
    hold, *_ = axes.plot(at, backtest.hold_at_limit, color=HOLD, linewidth=1.1)
    middle, *_ = axes.plot(at, median, color=CHANCE, linewidth=1.1, linestyle="--")
    band = axes.fill_between(at, low, high, color=CHANCE, alpha=0.22, linewidth=0)
    axes.axhline(INITIAL_BALANCE, color="#444444", linewidth=0.7)
    axes.set_ylabel("equity, USDT, fees counted")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    handles = {
        f"package, {len(backtest.walk.closed)} trades": package,
        f"buy and hold with {limit:g} % of equity": hold,
        f"{runs} accounts that trade as often at random, 5–95 %": band,
        "their median": middle,
    }
    _legend(axes, handles)


def _price(axes: "Axes", at: Times, backtest: Backtest) -> None:
    close = backtest.candles.close[backtest.walk.start :]
    price, *_ = axes.plot(at, close, color="#333333", linewidth=0.9)
    shaded = [
        axes.fill_between(at, 0, 1, where=size > 0, step="post", color=colour, alpha=0.3, linewidth=0,
                          transform=axes.get_xaxis_transform())
        for size, colour in ((backtest.walk.long_size, LONG), (backtest.walk.short_size, SHORT))
    ]  # fmt: skip
    whole = backtest.hold[-1] / INITIAL_BALANCE * 100 - 100
    axes.set_ylabel("price")
    axes.yaxis.set_major_formatter("{x:,.6g}")
    name = f"price of {backtest.symbol}; buying and holding with everything brings {whole:+.1f} %"
    _legend(axes, {name: price, "long positions": shaded[0], "short positions": shaded[1]})


def _legend(axes: "Axes", handles: dict[str, Any]) -> None:
    """Put the names above the axes, where they hide nothing."""
    axes.legend(handles.values(), handles.keys(), loc="lower left", bbox_to_anchor=(-0.005, 0.99), frameon=False,
                ncols=len(handles), borderaxespad=0.2, columnspacing=1.4, handlelength=1.6)  # fmt: skip


def _drawdown(axes: "Axes", at: Times, backtest: Backtest) -> None:
    for equity, colour, width in ((backtest.hold_at_limit, HOLD, 1.0), (backtest.walk.equity, PACKAGE, 1.4)):
        fall = -drawdown_pct(np.concatenate(([INITIAL_BALANCE], equity)))[1:]
        axes.fill_between(at, fall, 0, color=colour, alpha=0.15, linewidth=0)
        axes.plot(at, fall, color=colour, linewidth=width)
    axes.set_ylabel("drawdown, %")
