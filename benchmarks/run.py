"""Measure every question and write docs/benchmarks.md; with --only, print the chosen ones and write nothing."""

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.report import Line, Section, number, page

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"


def main() -> None:
    """Run the benchmarks."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--only", action="append", choices=list(QUESTIONS), help="may be given more than once")
    only = parser.parse_args().only
    sections = [_measured(name) for name in QUESTIONS if not only or name in only]
    if only:
        print("\n".join(sections))
        return
    temporary = PAGE.with_suffix(".tmp")
    temporary.write_text(page(sections, now=datetime.now(UTC)), encoding="utf-8")
    temporary.replace(PAGE)
    tell(f"written: {PAGE}")


def tell(text: str) -> None:
    """Say how far it is."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def _measured(name: str) -> str:
    tell(f"{name}: started")
    before, started = os.getloadavg()[0], time.monotonic()
    section = QUESTIONS[name]()
    return section.markdown(load=(before, os.getloadavg()[0]), seconds=time.monotonic() - started)


def _load() -> Section:
    from benchmarks import load

    found = load.measure()
    return Section(
        title="Load",
        naive_way="asyncpg rows",
        lines=[
            Line(what="time", ours=found["load_arrow_seconds"], naive=found["load_rows_seconds"], unit="s"),
            Line(what="memory", ours=found["load_arrow_megabytes"], naive=found["load_rows_megabytes"], unit="MB"),
        ],
        text=f"""
            {load.ROWS:,} rows from PostgreSQL to numpy. Ours goes through ADBC and Arrow, and brings the histories
            before the window, the horizon after it and the last sight of each coin as well, sorted, each moment
            once; the other way fetches the rows of the window and makes a DataFrame of floats of them. Memory is the
            peak above what the process held before, each in a process of its own. Medians of {load.TIMES}.
        """,
    )  # fmt: skip


def _features() -> Section:
    from benchmarks import features

    found = features.measure()
    return Section(
        title="Features",
        naive_way="pandas",
        lines=[
            Line(
                what=f"all rows of a history, {features.ROWS:,} rows",
                ours=found["features_all_rows"], naive=found["features_all_rows_pandas"], unit="s",
            ),
            Line(
                what=f"the newest row of {features.COINS} coins",
                ours=found["features_last_row_500_coins"], naive=found["features_last_row_500_coins_pandas"], unit="s",
            ),
        ],
        text=f"""
            {len(features.SPEC.names)} engineered features (windows 5, 10, 15 rows) of simulated rows. pandas groups
            by coin with `groupby().transform(rolling)`; for the newest rows it goes coin by coin over the rows that
            the windows need. Medians; the longer calls ran once after a warm-up.
        """,
    )  # fmt: skip


def _labels() -> Section:
    from benchmarks import labels

    found = labels.measure()
    return Section(
        title="Labels",
        naive_way="pandas `merge_asof`",
        lines=[
            Line(
                what="at the horizon", ours=found["labels_at_horizon"], naive=found["labels_merge_asof"], unit="s"
            ),
            Line(what="within the horizon", ours=found["labels_within_horizon"], naive=None, unit="s"),
        ],
        text=f"""
            “At least {labels.THRESHOLD:g} % higher {labels.MINUTES} minutes later” for {labels.ROWS:,} simulated
            rows. `merge_asof` looks the later price up and nothing else; ours also decides what is resolved. The
            usual shift by rows takes {number(found["labels_row_shift"], "s")} and crosses coins: it is wrong on
            {found["row_shift_wrong_share"]:.0%} of the rows whose answer is known. Medians.
        """,
    )  # fmt: skip


def _live() -> Section:
    from benchmarks import live

    found = live.measure(tell)
    fine, held, flooded = found.fine, found.held, found.flooded
    at = f"insert to prediction at {live.RATE:,} rows/s"
    return Section(
        title="Live",
        naive_way="row by row",
        lines=[
            Line(
                what="highest rate that is followed", ours=held.latency.rate, naive=found.naive_rate, unit="rows/s",
                more_is_better=True,
            ),
            Line(what=f"{at}, p50", ours=fine.p50_ms, naive=flooded.p50_ms, unit="ms"),
            Line(what=f"{at}, p99", ours=fine.p99_ms, naive=flooded.p99_ms, unit="ms"),
        ],
        text=live.describe(found),
    )  # fmt: skip


QUESTIONS: Mapping[str, Callable[[], Section]] = {
    "load": _load,
    "features": _features,
    "labels": _labels,
    "live": _live,
}

if __name__ == "__main__":
    main()
