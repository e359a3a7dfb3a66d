"""What the story came to: the books of rows, predictions and messages, and how good the models were live."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
import orjson
from rich.console import Console
from rich.table import Table

from pumpcast.demo.receiver import Alert, Received
from shared.coin_metrics.read import microseconds
from shared.coin_metrics.rows import CoinRows
from shared.db import Pool, Queries
from shared.labels import Target, label
from shared.scoring import average_precision, roc_auc

queries = Queries.beside(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSummary:
    """One model: what its training promised, what came of it live."""

    name: str
    holdout_auc: float | None
    holdout_average_precision: float | None
    holdout_base_rate: float | None
    live_auc: float | None
    live_average_precision: float | None
    live_base_rate: float | None
    live_resolved: int
    """Live predictions whose true answer is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """All figures of a demo."""

    rows_loaded: int
    rows_live: int
    predictions: int
    skipped: dict[str, int]
    owed: int
    """Distinct live rows × models."""
    answered_once: int
    answered_more: int
    p50_ms: float | None
    p99_ms: float | None
    alerts: int
    webhooks_verified: int
    webhooks_refused: int
    alerts_received: int
    alerts_missing: int
    models: tuple[ModelSummary, ...]
    seconds: float

    def failures(self) -> list[str]:
        """Give what a working installation would not show."""
        found = []
        if self.owed == 0 or self.answered_once != self.owed:
            found.append(
                f"{self.owed - self.answered_once} of {self.owed} live rows × models lack their one prediction"
            )
        if self.answered_more:
            found.append(f"{self.answered_more} live rows × models were answered twice")
        if not self.alerts:
            found.append("there was no alert")
        if self.alerts_missing:
            found.append(f"{self.alerts_missing} alerts did not arrive")
        if self.webhooks_refused:
            found.append(f"{self.webhooks_refused} webhooks had a wrong signature")
        return found


async def summarise(
    pool: Pool, *, rows: CoinRows, after_id: int, loaded: int, models: list[tuple[int, dict[str, Any], Target]],
    received: Received, seconds: float,
) -> Summary:  # fmt: skip
    """Read the books; `rows` are those of the whole file, for the true answers."""
    books = await queries.fetchrow(pool, "books", after_id=after_id)
    totals = await queries.fetchrow(pool, "totals", after_id=after_id)
    latency = await queries.fetchrow(pool, "latency", after_id=after_id)
    assert books is not None
    assert totals is not None
    assert latency is not None
    owed_alerts = await _alerts(pool)
    return Summary(
        rows_loaded=loaded,
        rows_live=totals["rows"],
        predictions=totals["predictions"],
        skipped=totals["skipped"],
        owed=books["owed"],
        answered_once=books["once"],
        answered_more=books["more"],
        p50_ms=_rounded(latency["p50_ms"], 2),
        p99_ms=_rounded(latency["p99_ms"], 2),
        alerts=totals["alerts"],
        webhooks_verified=len(received.messages),
        webhooks_refused=received.refused,
        alerts_received=len(received.alerts & owed_alerts),
        alerts_missing=len(owed_alerts - received.alerts),
        models=tuple([await _model(pool, rows, *one) for one in models]),
        seconds=round(seconds, 1),
    )


async def _alerts(pool: Pool) -> set[Alert]:
    return {
        (record["coin_id"], wire_time(record["data_timestamp"]), record["active_model_id"])
        for record in await queries.fetch(pool, "alerts")
    }


def wire_time(moment: datetime) -> str:
    """Give a time as the messages carry it."""
    return moment.isoformat().replace("+00:00", "Z")


async def _model(pool: Pool, rows: CoinRows, active_id: int, model: dict[str, Any], target: Target) -> ModelSummary:
    clock = int(rows.timestamp.max())
    labels = label(rows, target, clock=clock, untracked_phases=frozenset({99, 100}))
    codes = {mint: code for code, mint in enumerate(rows.mints)}
    answers = dict(
        zip(zip(rows.coin.tolist(), rows.timestamp.tolist(), strict=True), labels.values.tolist(), strict=True)
    )
    said = await queries.fetch(pool, "said", active_id=active_id)
    truth = np.array([answers[codes[row["coin_id"]], microseconds(row["data_timestamp"])] for row in said])
    scores = np.array([row["probability"] for row in said])
    known = ~np.isnan(truth)
    truth, scores = truth[known].astype(np.int64), scores[known]
    matrix = model["confusion_matrix"]
    positives, total = matrix["tp"] + matrix["fn"], sum(matrix.values())
    return ModelSummary(
        name=model["name"],
        holdout_auc=_rounded(model["roc_auc"]),
        holdout_average_precision=_rounded(model["metrics"]["average_precision"]),
        holdout_base_rate=_rounded(positives / total if total else None),
        live_auc=_rounded(roc_auc(scores, truth)),
        live_average_precision=_rounded(average_precision(scores, truth)),
        live_base_rate=_rounded(float(truth.mean()) if len(truth) else None),
        live_resolved=len(truth),
    )


def _rounded(value: float | None, digits: int = 3) -> float | None:
    return None if value is None else round(float(value), digits)


def show_summary(summary: Summary, *, as_json: bool) -> None:
    """Print the figures on stdout."""
    if as_json:
        print(orjson.dumps(asdict(summary)).decode())  # noqa: T201 - the result of the verb
        return
    console = Console(width=100)
    figures = Table(title="What happened", show_header=False)
    skipped = ", ".join(f"{reason} {number}" for reason, number in sorted(summary.skipped.items())) or "none"
    for name, value in (
        ("rows loaded, then live", f"{summary.rows_loaded:,} + {summary.rows_live:,}"),
        ("predictions", f"{summary.predictions:,}; {summary.answered_once:,} of {summary.owed:,} owed exactly once"),
        ("answers left out, by reason", skipped),
        ("insert to prediction, both committed", f"p50 {summary.p50_ms} ms, p99 {summary.p99_ms} ms"),
        ("alerts", f"{summary.alerts:,}, received {summary.alerts_received:,}"),
        ("webhooks with a valid signature", f"{summary.webhooks_verified:,}, refused {summary.webhooks_refused}"),
        ("took", f"{summary.seconds} s"),
    ):  # fmt: skip
        figures.add_row(name, value)
    console.print(figures)
    quality = Table(title="How good the models were")
    for title in ("model", "AUC hold-out", "AUC live", "AP hold-out (base)", "AP live (base)", "live answers known"):
        quality.add_column(title, justify="left" if title == "model" else "right")
    for model in summary.models:
        quality.add_row(
            model.name, str(model.holdout_auc), str(model.live_auc),
            f"{model.holdout_average_precision} ({model.holdout_base_rate})",
            f"{model.live_average_precision} ({model.live_base_rate})", f"{model.live_resolved:,}",
        )  # fmt: skip
    console.print(quality)
