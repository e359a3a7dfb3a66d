"""What models of real rows are worth: trained on two days, tested and traded on the third.

`python -m benchmarks.real_sample FILE` prints it; the file (parquet or CSV of coin_metrics rows) is read, never copied.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.market import fresh_database
from benchmarks.tasks import test_task, train_task
from pumpcast.market.files import read_file
from pumpcast.market.load import load
from shared.contracts.model_request import CreateModel
from shared.db import open_pool
from training_service.ml.figures import measure
from training_service.ml.window import answer
from training_service.usecases.evaluate import measure_model
from training_service.usecases.measured_model import open_model, read_stretch
from training_service.usecases.task import TestTask, Trained
from training_service.usecases.train import train

TRAIN_START = datetime(2025, 9, 5, tzinfo=UTC)
TRAIN_END = datetime(2025, 9, 6, 23, 59, 59, tzinfo=UTC)
MINUTES = 10
# The last rows learnt from look ten minutes into the day they are tested on: those are left out of it.
TEST_START = datetime(2025, 9, 7, 0, MINUTES, tzinfo=UTC)
TEST_END = datetime(2025, 9, 7, 23, 59, 59, tzinfo=UTC)
BASE = (
    "volume_sol", "buy_volume_sol", "sell_volume_sol", "num_buys", "num_sells", "market_cap_close", "bonding_curve_pct",
    "virtual_sol_reserves",
)  # fmt: skip
TRADE_SIZE_SOL = 0.5
PERCENTS = (30.0, 5.0)
MODES = ("within_horizon", "at_horizon")
KINDS = ("xgboost", "random_forest")
CHOICES = ("share", "expected_value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a model is asked."""

    percent: float
    mode: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One model and its day."""

    kind: str
    choice: str
    """How its alert threshold was asked for."""
    seconds: float
    """Of its training."""
    alert_threshold: float
    train: Mapping[str, Any]
    """Figures of its training."""
    test: Mapping[str, Any]
    """Figures of the day it was tested on."""
    roc_auc: float | None
    warnings: tuple[str, ...]
    """Codes of its training's warnings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question with the answers of all models."""

    question: Question
    answers: tuple[Answer, ...]
    every_row: Mapping[str, Any]
    """Figures of the day, had every row been an alert."""


def measure_all(file: Path, tell: Callable[[str], None]) -> list[Asked]:
    """Train and test all models."""
    with fresh_database() as (home, dsn):
        _fill(dsn, file)
        found = []
        for number, (mode, percent) in enumerate(product(MODES, PERCENTS)):
            question = Question(percent=percent, mode=mode)
            found.append(_ask(question, home=home, dsn=dsn, first_id=100 * number + 1, tell=tell))
        return found


def _fill(dsn: str, file: Path) -> None:
    rows = read_file(file, table="coin_metrics")

    async def insert() -> None:
        pool = await open_pool(dsn, application="bench")
        try:
            await load(pool, rows)
        finally:
            await pool.close()

    asyncio.run(insert())


def _ask(question: Question, *, home: Path, dsn: str, first_id: int, tell: Callable[[str], None]) -> Asked:
    answers = []
    for model_id, (kind, choice) in enumerate(product(KINDS, CHOICES), start=first_id):
        tell(f"real sample: {question.percent:g} %, {question.mode}, {kind}, threshold by {choice}")
        task = train_task(_request(question, kind, choice), model_id=model_id, dsn=dsn, path=home / f"{model_id}.zip")
        started = time.perf_counter()
        trained = train(task, lambda _: None)
        seconds = time.perf_counter() - started
        testing = test_task(task, trained, start=TEST_START, end=TEST_END)
        answers.append(_answer(kind, choice, seconds, trained, testing))
    return Asked(
        question=question,
        answers=tuple(answers),
        every_row=_every_row(testing),
    )


def _request(question: Question, kind: str, choice: str) -> CreateModel:
    return CreateModel.model_validate(
        {
            "name": f"{kind} {question.percent:g} % {question.mode}",
            "model_type": kind,
            "features": list(BASE),
            "use_engineered_features": True,
            "train_start": TRAIN_START.isoformat(),
            "train_end": TRAIN_END.isoformat(),
            "future_minutes": MINUTES,
            "min_percent_change": question.percent,
            "label_mode": question.mode,
            "label_resolution": "observed",
            "alert_threshold_by": choice,
            "use_timeseries_split": False,
            "trade_size_sol": TRADE_SIZE_SOL,
        }
    )


def _answer(kind: str, choice: str, seconds: float, trained: Trained, testing: TestTask) -> Answer:
    tested = measure_model(testing, lambda _: None)
    return Answer(
        kind=kind,
        choice=choice,
        seconds=seconds,
        alert_threshold=trained.alert_threshold,
        train=trained.metrics,
        test=tested.metrics,
        roc_auc=tested.roc_auc,
        warnings=tuple(warning["code"] for warning in trained.warnings),
    )


def _every_row(testing: TestTask) -> Mapping[str, Any]:
    opened = open_model(testing.model)
    figures = measure(
        answer(read_stretch(testing, [opened]), opened.question, opened.scorer).scored,
        decision_threshold=0.0,
        alert_threshold=0.0,
        target=opened.question.target,
        costs=opened.costs,
        random_state=opened.random_state,
    )
    return figures.to_metrics()


def describe(found: Sequence[Asked]) -> str:
    """Say what was asked and what came out, in paragraphs and tables."""
    head = f"""
XGBoost and random forests with their default hyper-parameters, {len(BASE)} columns and all engineered features (windows
5, 10, 15), learnt from {TRAIN_START:%Y-%m-%d %H:%M} to {TRAIN_END:%Y-%m-%d %H:%M:%S}, then tested as a TEST job does,
with the model file, on {TEST_START:%Y-%m-%d %H:%M} to {TEST_END:%H:%M:%S}: no model has seen any of these rows, nor do
the answers it learnt from reach into them. Calibration and thresholds come from the last fifth of the training part.

AP is average precision: that of a model that knows nothing is the base rate. Brier is of the scores as they come, then
after calibration. An alert is a probability at or above the alert threshold: that of the highest 1 % of the calibrating
rows (share), or the one from which on trading them would have earned most (expected_value).

Labels of `observed` know an answer only where the coin has a row at or after the end of the {MINUTES} minutes; AP, AUC,
Brier and precision rest on those rows. Nobody knows at the alert which ones they will be, so alerts are counted and
traded on all rows: each buys for {TRADE_SIZE_SOL:g} SOL and sells {MINUTES} minutes later, with 1 % fee and the
slippage of the bonding curve on both sides, a coin that was not seen again (silent) at its last price. Intervals are
those of a bootstrap over blocks of time and over coins, the wider of the two.
SOL is what the day brings with one position a coin at a time. “Seen again” is the
mean of the other alerts alone, which nobody could have chosen. “Every row” needs no model: it buys whatever comes."""
    return "\n\n".join([head.strip(), *(part for asked in found for part in _tables(asked))])


def _tables(asked: Asked) -> list[str]:
    question, first = asked.question, asked.answers[0]
    way = "within" if question.mode == "within_horizon" else "at the end of"
    title = (
        f"**≥ {question.percent:g} % {way} {MINUTES} minutes** (`{question.mode}`, `observed`): base rate "
        f"{first.train['labels']['base_rate']:.1%} of {first.train['labels']['resolved']:,} rows learnt from, "
        f"{first.test['labels']['base_rate']:.1%} of {first.test['labels']['resolved']:,} rows tested."
    )
    quality = _table("AP, AUC, Brier, calibrated, alert threshold, precision", map(_quality, asked.answers))
    rows = [*((_name(one), one.test) for one in asked.answers), ("every row", asked.every_row)]
    columns = "alerts/day, silent, % a trade [95 %], SOL, seen again: % a trade [95 %]"
    return [title, quality, _table(columns, ([name, *_money(figures)] for name, figures in rows))]


def _table(columns: str, rows: Iterable[Sequence[str]]) -> str:
    heads = columns.split(", ")
    lines = [f"| | {' | '.join(heads)} |", "|---|" + "--:|" * len(heads)]
    return "\n".join([*lines, *(f"| {' | '.join(cells)} |" for cells in rows)])


def _quality(answer: Answer) -> list[str]:
    test, precision = answer.test, answer.test["at_alert_threshold"]["precision"]
    return [
        _name(answer), _figure(test["average_precision"]), _figure(answer.roc_auc),
        _figure(test["brier_uncalibrated"], 4), _figure(test["brier"], 4), _figure(answer.alert_threshold),
        "" if precision is None else f"{precision:.1%}",
    ]  # fmt: skip


def _name(answer: Answer) -> str:
    fell_back = answer.choice == "expected_value" and "no_profitable_threshold" in answer.warnings
    return f"{answer.kind}, {answer.choice}{' (none earns: share)' if fell_back else ''}"


def _money(figures: Mapping[str, Any]) -> list[str]:
    money = figures["money"]
    every, alerts = money["every_alert"], figures["alerts"]
    return [
        _figure(figures["alerts_per_day"], 0), f"{money['silent_alerts'] / alerts:.0%}" if alerts else "", _mean(every),
        f"{money['one_position']['total_sol']:+.2f}", _mean(money["seen_again"]),
    ]  # fmt: skip


def _mean(earnings: Mapping[str, Any]) -> str:
    if earnings["mean_pct"] is None:
        return ""
    mean = f"{earnings['mean_pct']:+.2f}"
    low, high = earnings["low_pct"], earnings["high_pct"]
    return mean if low is None else f"{mean} [{low:+.2f}, {high:+.2f}]"


def _figure(value: float | None, digits: int = 3) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def main() -> None:
    """Measure on a file and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real_sample", description=__doc__)
    parser.add_argument("file", type=Path, help="parquet or CSV of coin_metrics rows, 5 to 7 September 2025")
    found = measure_all(parser.parse_args().file, lambda text: print(text, file=sys.stderr, flush=True))
    print(describe(found))


if __name__ == "__main__":
    main()
