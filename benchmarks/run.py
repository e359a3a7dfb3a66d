"""Measure every question and write docs/benchmarks.md; with --only, print the chosen ones instead.

With --only and --write, the chosen ones replace what the page has of them. Real rows are not part of the project:
without --data the page keeps what was last measured on some. A question that fails leaves the page what it had of it.
"""

import argparse
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from benchmarks.report import Line, Section, kept, number, page

REAL = "real sample"
TITLES = {
    "load": "Load",
    "features": "Features",
    "labels": "Labels",
    "training": "Training",
    "cross-validation": "Cross-validation and search",
    "training API": "Training API",
    "live": "Live",
    "statistics": "Statistics",
    "packages": "Packages",
    "app": "App",
    REAL: "Real sample",
}
PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"


def main() -> None:
    """Run the benchmarks."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--only", action="append", choices=list(QUESTIONS), help="may be given more than once")
    parser.add_argument("--write", action="store_true", help="with --only: into the page, not to the terminal")
    parser.add_argument("--data", type=Path, help="parquet or CSV of real coin_metrics rows, 5 to 7 September 2025")
    arguments = parser.parse_args()
    questions = dict(QUESTIONS)
    if arguments.data:
        questions[REAL] = partial(_real_sample, arguments.data, datetime.now(UTC))
    chosen = [name for name in questions if not arguments.only or name in (*arguments.only, REAL)]
    answered = {name: found for name in chosen if (found := _measured(name, questions[name])) is not None}
    measured = {name: text for name, (text, _) in answered.items()}
    if arguments.only and not arguments.write:
        print("\n".join(measured.values()))
    else:
        for _, section in answered.values():
            for file, content in section.pictures.items():
                _replace(PAGE.with_name(file), content)
        _write(measured)
    if len(measured) < len(chosen):
        sys.exit(1)


def _write(measured: Mapping[str, str]) -> None:
    before = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    commands = {REAL: "`make bench DATA=coin_metrics_sample.parquet`"}
    sections = [
        measured.get(name)
        or kept(before, title, otherwise=f"Not measured: {commands.get(name, '`make bench`')} does it.")
        for name, title in TITLES.items()
    ]
    _replace(PAGE, page(sections).encode())
    tell(f"written: {PAGE}")


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(content)
    temporary.replace(path)


def tell(text: str) -> None:
    """Say how far it is."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def _measured(name: str, question: Callable[[], Section]) -> tuple[str, Section] | None:
    tell(f"{name}: started")
    now, before, started = datetime.now(UTC), os.getloadavg()[0], time.monotonic()
    try:
        section = question()
    except (Exception, SystemExit):  # noqa: BLE001 - what others have measured in hours must not be lost with it
        tell(f"{name}: FAILED\n{traceback.format_exc()}")
        return None
    text = section.markdown(now=now, load=(before, os.getloadavg()[0]), seconds=time.monotonic() - started)
    return text, section


def _load() -> Section:
    from benchmarks import load

    found = load.measure()
    return Section(
        title=TITLES["load"],
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
        title=TITLES["features"],
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
        title=TITLES["labels"],
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
    from benchmarks import live, live_picture, live_report

    found = live.measure(tell)
    fine, rivals, rate = found.fine, found.rivals, found.held.latency.rate
    at, unit = f"insert to prediction at {live.RATE:,} rows/s", "rows/s"
    highest = "highest rate that is followed"
    return Section(
        title=TITLES["live"],
        naive_way="the other way",
        lines=[
            Line(what=f"{highest}; row by row", ours=rate, naive=rivals.naive_rate, unit=unit, more_is_better=True),
            Line(
                what=f"{highest}; batches with pandas", ours=rate, naive=rivals.batched_rate, unit=unit,
                more_is_better=True,
            ),
            Line(what=f"{at}, p50; row by row", ours=fine.p50_ms, naive=rivals.flooded.p50_ms, unit="ms"),
            Line(what=f"{at}, p99; row by row", ours=fine.p99_ms, naive=rivals.flooded.p99_ms, unit="ms"),
            Line(what=f"{at}, p50; batches with pandas", ours=fine.p50_ms, naive=rivals.batched.p50_ms, unit="ms"),
            Line(what=f"{at}, p99; batches with pandas", ours=fine.p99_ms, naive=rivals.batched.p99_ms, unit="ms"),
        ],
        text=live_report.describe(found),
        pictures={live_report.PICTURE: live_picture.draw(found.growth)},
    )  # fmt: skip


def _statistics() -> Section:
    from benchmarks import live_statistics

    found = live_statistics.measure(tell)
    return Section(
        title=TITLES["statistics"],
        naive_way="counting",
        lines=[Line(what="statistics of a model", ours=found.p50, naive=found.counted, unit="ms")],
        text=live_statistics.describe(found),
    )


def _app() -> Section:
    from benchmarks import app

    return Section(title=TITLES["app"], text=app.describe(app.measure(tell)))


def _training() -> Section:
    from benchmarks import training

    found = training.measure()
    ours, naive, frugal = found["ours"], found["naive"], found["frugal"]
    return Section(
        title=TITLES["training"],
        naive_way="asyncpg, pandas, `fit`",
        lines=[
            Line(what="time", ours=ours.process_seconds, naive=naive.process_seconds, unit="s"),
            Line(what="memory", ours=ours.megabytes, naive=naive.megabytes, unit="MB"),
            Line(what="time, 7 columns fetched", ours=ours.process_seconds, naive=frugal.process_seconds, unit="s"),
            Line(what="memory, 7 columns fetched", ours=ours.megabytes, naive=frugal.megabytes, unit="MB"),
        ],
        text=training.describe(found),
    )


def _cross_validation() -> Section:
    from benchmarks import crossval

    found = crossval.measure()
    return Section(
        title=TITLES["cross-validation"],
        naive_way="`TimeSeriesSplit`",
        lines=[
            Line(what=f"{crossval.FOLDS} folds", ours=found.ours, naive=found.plain, unit="s"),
            Line(
                what=f"{crossval.TRIALS} trials of {crossval.FOLDS} folds", ours=found.search, naive=None, unit="s"
            ),
        ],
        text=f"""
            XGBoost with its default hyper-parameters, {found.rows:,} rows and 35 features, the same five scores of
            both sides of each fold. Ours purges what reaches into a fold; the plain split learns from
            {found.reaching_rows:,} rows whose horizon does. Of the trials {found.pruned} were given up after some
            folds. Each ran once.
        """,
    )  # fmt: skip


def _training_api() -> Section:
    from benchmarks import training_api

    return Section(title=TITLES["training API"], text=training_api.describe(training_api.measure(tell)))


def _packages() -> Section:
    from benchmarks import packages

    return Section(title=TITLES["packages"], text=packages.describe(packages.measure(tell)))


def _real_sample(data: Path, now: datetime) -> Section:
    from benchmarks import real_sample

    found = real_sample.describe(real_sample.measure_all(data, tell))
    last = f"""
Measured on {now:%Y-%m-%d} by `make bench DATA={data.name}`, that is `python -m benchmarks.run --data {data.name}`;
`python -m benchmarks.real_sample {data.name}` prints it alone."""
    return Section(title=TITLES[REAL], text=f"{found}\n{last}")


QUESTIONS: Mapping[str, Callable[[], Section]] = {
    "load": _load,
    "features": _features,
    "labels": _labels,
    "training": _training,
    "cross-validation": _cross_validation,
    "training API": _training_api,
    "live": _live,
    "statistics": _statistics,
    "app": _app,
    "packages": _packages,
}

if __name__ == "__main__":
    main()
