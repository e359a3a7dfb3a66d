"""How long time labels take, beside pandas, and how often the usual shift by rows is wrong."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.market import simulated_rows
from benchmarks.stopwatch import timed
from shared.labels import TimeTarget, label

ROWS = 500_000
MINUTES = 10
THRESHOLD = 30.0
SECONDS_PER_ROW = 5
UNTRACKED = frozenset({99, 100})


def measure() -> dict[str, float]:
    """Give medians in seconds, and the share of known labels on which a shift by rows is wrong."""
    rows = simulated_rows(ROWS)
    clock = int(rows.timestamp.max())
    frame = pd.DataFrame(
        {
            "mint": pd.Series(rows.mints).to_numpy()[rows.coin],
            "timestamp": pd.to_datetime(rows.timestamp, unit="us", utc=True),
            "price_close": rows.values["price_close"],
        }
    )
    at_horizon = TimeTarget(target_var="price_close", future_minutes=MINUTES, min_percent_change=THRESHOLD)
    within = TimeTarget(
        target_var="price_close", future_minutes=MINUTES, min_percent_change=THRESHOLD, label_mode="within_horizon"
    )
    found = label(rows, at_horizon, clock=clock, untracked_phases=UNTRACKED)
    known = ~np.isnan(found.values)
    shifted = row_shift(frame)
    return {
        "labels_at_horizon": timed(lambda: label(rows, at_horizon, clock=clock, untracked_phases=UNTRACKED), times=7),
        "labels_within_horizon": timed(lambda: label(rows, within, clock=clock, untracked_phases=UNTRACKED), times=7),
        "labels_merge_asof": timed(lambda: merge_asof(frame), times=3),
        "labels_row_shift": timed(lambda: row_shift(frame), times=3),
        "row_shift_wrong_share": float(np.mean(shifted[known] != found.values[known])),
    }


def merge_asof(frame: pd.DataFrame) -> NDArray[np.float64]:
    """Look the last price at or before the horizon up with pandas; nothing else of the rules."""
    by_time = frame.sort_values("timestamp", kind="stable")
    due = by_time.assign(timestamp=by_time["timestamp"] + pd.Timedelta(minutes=MINUTES))
    later = pd.merge_asof(due, by_time, on="timestamp", by="mint", suffixes=("", "_later")).set_index(by_time.index)
    change = (later["price_close_later"] / later["price_close"] - 1) * 100
    return (change >= THRESHOLD).reindex(frame.index).to_numpy().astype(np.float64)


def row_shift(frame: pd.DataFrame) -> NDArray[np.float64]:
    """Order rows by time and take the price so many rows later, as if one coin sent a row every five seconds."""
    by_time = frame.sort_values("timestamp", kind="stable")["price_close"]
    later = by_time.shift(-MINUTES * 60 // SECONDS_PER_ROW)
    change = (later / by_time - 1) * 100
    return (change >= THRESHOLD).reindex(frame.index).to_numpy().astype(np.float64)


if __name__ == "__main__":
    print(*(f"{name}: {value:.4f}" for name, value in measure().items()), sep="\n")
