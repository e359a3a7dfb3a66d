"""The cost of a live row as models and coins grow, as an SVG."""

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from benchmarks.live_feed import COINS
from benchmarks.live_growth import WITH_MODELS, Point

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WORKER, SERVER, RATE = "#1f77b4", "#ff7f0e", "#444444"


def draw(points: Sequence[Point]) -> bytes:
    """Give two pictures side by side: over the number of models, over the number of coins."""
    import matplotlib as mpl

    mpl.use("svg")
    # Text stays text, and the same figures give the same file.
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "pumpcast", "font.size": 9})
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    _panel(left, [one for one in points if one.coins == COINS], lambda one: one.models, f"models ({COINS:,} coins)")
    coins = [one for one in points if one.models == WITH_MODELS]
    _panel(right, coins, lambda one: one.coins, f"coins ({WITH_MODELS} models)")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None}, facecolor="white")
    plt.close(figure)
    return buffer.getvalue()


def _panel(axes: "Axes", points: Sequence[Point], place: Callable[[Point], int], label: str) -> None:
    points = sorted(points, key=place)
    at = [place(one) for one in points]
    axes.plot(at, [one.worker_us for one in points], "o-", color=WORKER, label="worker, µs a row")
    axes.plot(at, [one.server_us for one in points], "s-", color=SERVER, label="PostgreSQL for it, µs a row")
    axes.set(xscale="log", yscale="log", xlabel=label, ylabel="processor time, µs a row")
    axes.set_xticks(at, [f"{number:,}" for number in at])
    axes.minorticks_off()
    axes.grid(visible=True, alpha=0.3)
    rates = axes.twinx()
    rates.plot(at, [one.rate for one in points], "^--", color=RATE, label="rows/s")
    rates.set(yscale="log", ylabel="rows/s")
    rates.minorticks_off()
    lines = [*axes.get_lines(), *rates.get_lines()]
    axes.legend(lines, [str(line.get_label()) for line in lines], fontsize=8, loc="best")
