"""The straightforward way to train: asyncpg rows, pandas, `groupby().transform`, scikit-learn's figures, joblib.

It is right, per coin and by time, and fits on as few rows as ours, which keeps some to calibrate. It does not purge,
calibrate, audit, prove or describe anything. As a loader for any request it fetches all columns; `frugal` fetches only
those that the features at hand use.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import joblib  # type: ignore[import-untyped]
import numpy as np
import pandas as pd
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    confusion_matrix,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
)
from xgboost import XGBClassifier

from benchmarks.features import pandas_features
from shared.contracts.model_request import CreateModel
from shared.db import connect

USED = (
    "price_close", "price_high", "price_low", "volume_sol", "market_cap_close", "buy_volume_sol", "sell_volume_sol",
)  # fmt: skip
FIT_SHARE = 0.6


def train(
    dsn: str,
    path: Path,
    asked: CreateModel,
    params: dict[str, Any],
    *,
    columns: Sequence[str],
    threads: int,
    tell: Callable[[str], None],
) -> dict[str, Any]:
    """Make a model file and give its figures; `tell` is told of each step as it begins."""
    tell("load")
    frame = asyncio.run(_fetch(dsn, asked, columns))
    tell("features")
    names = list(asked.features)
    with np.errstate(all="ignore"):
        found = pandas_features(frame, lambda all_: all_.groupby("coin"), asked.feature_engineering_windows)
    frame[names] = found[names].replace([np.inf, -np.inf], np.nan)
    tell("label")
    frame["answer"] = _answers(frame, asked)
    frame = frame[frame["timestamp"] <= frame["timestamp"].max() - (asked.future_minutes or 0) * 60_000_000]
    frame = frame.sort_values("timestamp", kind="stable")
    fitted, held_out = int(len(frame) * FIT_SHARE), int(len(frame) * (1 - asked.test_size))
    x, y = frame[names], frame["answer"]
    tell("fit")
    model = XGBClassifier(**params, tree_method="hist", random_state=asked.random_state, n_jobs=threads)
    model.fit(x.iloc[:fitted], y.iloc[:fitted])
    tell("evaluate")
    figures = _figures(y.iloc[held_out:], model.predict_proba(x.iloc[held_out:])[:, 1])
    tell("write")
    joblib.dump({"model": model, "features": names, "figures": figures}, path)
    return figures | {"rows": len(frame), "fit_rows": fitted}


async def _fetch(dsn: str, asked: CreateModel, columns: Sequence[str]) -> pd.DataFrame:
    query = f"""
    SELECT mint, timestamp, {", ".join(columns)} FROM coin_metrics
    WHERE timestamp BETWEEN $1 AND $2 ORDER BY mint, timestamp
    """
    connection = await connect(dsn)
    try:
        records = await connection.fetch(query, asked.train_start, asked.train_end)
    finally:
        await connection.close()
    frame = pd.DataFrame([dict(record) for record in records])
    frame[list(columns)] = frame[list(columns)].astype("float64")
    frame = frame.drop_duplicates(["mint", "timestamp"], keep="last", ignore_index=True)
    frame["coin"] = frame["mint"].astype("category").cat.codes
    frame["timestamp"] = frame["timestamp"].dt.as_unit("us").astype("int64")
    return frame


def _answers(frame: pd.DataFrame, asked: CreateModel) -> pd.Series:
    by_time = frame[["coin", "timestamp", "price_close"]].sort_values("timestamp", kind="stable")
    due = by_time.assign(timestamp=by_time["timestamp"] + (asked.future_minutes or 0) * 60_000_000)
    later = pd.merge_asof(due, by_time, on="timestamp", by="coin", suffixes=("", "_later")).set_index(by_time.index)
    change = (later["price_close_later"] / later["price_close"] - 1) * 100
    return (change >= (asked.min_percent_change or 0)).astype("int64").reindex(frame.index)


def _figures(answers: pd.Series, probabilities: Any) -> dict[str, Any]:
    given = (probabilities >= 0.5).astype(int)
    return {
        "accuracy": float(accuracy_score(answers, given)),
        "precision": float(precision_score(answers, given, zero_division=0)),
        "recall": float(recall_score(answers, given)),
        "f1": float(f1_score(answers, given)),
        "roc_auc": float(roc_auc_score(answers, probabilities)),
        "average_precision": float(average_precision_score(answers, probabilities)),
        "brier": float(brier_score_loss(answers, probabilities)),
        "confusion": confusion_matrix(answers, given).tolist(),
    }
