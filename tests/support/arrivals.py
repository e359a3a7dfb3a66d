"""What the live rule owes, computed by hand from the order in which rows arrived; and the loop, one look at a time."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from prediction_service.clients.training import TrainingClient
from prediction_service.runtime.shards import ALL
from prediction_service.settings import PredictionSettings
from prediction_service.usecases.live import let_go, process_new_rows
from prediction_service.usecases.live_models import Shelf
from prediction_service.usecases.live_table import Superseded
from prediction_service.usecases.stand import Stand, take_stand
from shared.artifact import Scorer
from shared.coin_metrics import read
from shared.coin_metrics.columns import BASE_FEATURES
from shared.coin_metrics.read import Batch
from shared.coin_metrics.rows import CoinRows, cleaned
from shared.contracts.artifact import NoCalibration
from shared.db import Connection, Pool
from shared.features import FeatureSpec, build
from tests.support.database import row
from tests.support.live import until
from tests.support.models import FEATURES, sigmoid_onnx

Key = tuple[str, int]
"""Coin and timestamp in microseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a test model answers with: `1 / (1 + exp(−scale · feature))`."""

    column: int = 1
    scale: float = 0.1
    features: tuple[str, ...] = FEATURES


async def all_rows(connection: Connection) -> Batch:
    """Give every row of the table with all base columns, by id."""
    layout = await read.layout(connection, BASE_FEATURES)
    assert layout is not None
    return await read.since(connection, layout, high=-1, most=10_000_000)


def as_coin_rows(rows: Batch) -> CoinRows:
    mints = tuple(sorted(set(rows.mint)))
    codes = {mint: code for code, mint in enumerate(mints)}
    return CoinRows(
        mints=mints,
        coin=np.array([codes[mint] for mint in rows.mint], np.int64),
        timestamp=rows.timestamp,
        id=rows.id,
        phase=rows.phase,
        values={name: cleaned(name, rows.values[:, at]) for at, name in enumerate(BASE_FEATURES)},
    )


def answers_from_everything(rows: Batch, shape: Shape) -> dict[Key, float]:
    """Give what the model must say of every row when all rows are known."""
    features = build(as_coin_rows(rows), FeatureSpec(shape.features))
    said = _scorer(shape).probabilities(features)
    return {(mint, int(at)): float(p) for mint, at, p in zip(rows.mint, rows.timestamp, said, strict=True)}


def answers_as_they_arrive(rows: Batch, shape: Shape) -> dict[Key, float]:
    """Give what the model must say of every row when a row sees only those with lower ids."""
    spec, found = FeatureSpec(shape.features), []
    everything = as_coin_rows(rows)
    for index in range(len(rows)):
        known = (everything.coin == everything.coin[index]) & (rows.id <= rows.id[index])
        at = np.flatnonzero(np.flatnonzero(known) == index)[0]
        found.append(build(everything.take(known), spec)[at])
    said = _scorer(shape).probabilities(np.array(found, np.float32))
    return {(mint, int(at)): float(p) for mint, at, p in zip(rows.mint, rows.timestamp, said, strict=True)}


def _scorer(shape: Shape) -> Scorer:
    return Scorer(sigmoid_onnx(len(shape.features), column=shape.column, scale=shape.scale), NoCalibration())


async def stored_answers(connection: Connection, active_id: int) -> dict[Key, float]:
    """Give what a model has said; twice of one row is an error."""
    records = await connection.fetch(
        "SELECT coin_id, data_timestamp, probability FROM predictions WHERE active_model_id = $1", active_id
    )
    found = {(record[0], read.microseconds(record[1])): record[2] for record in records}
    assert len(found) == len(records)
    return found


async def answered(connection: Connection) -> list[str]:
    """Give the coins of all predictions, sorted."""
    return [record[0] for record in await connection.fetch("SELECT coin_id FROM predictions ORDER BY coin_id")]


class Loop:
    """The live loop in steps, so that a test decides which rows fall into one look."""

    def __init__(self, pool: Pool, home: Path, *, shards: frozenset[int] = ALL, **changes: Any) -> None:
        self.settings = PredictionSettings(db_dsn="postgresql://unused", pumpcast_home=home, **changes)
        self.shards = shards
        self.shelf: Shelf = {}
        self.poke = asyncio.Event()
        self._pool = pool
        self._stand: Stand | None = None
        self._kept: Stand | None = None

    async def stand(self) -> Stand:
        """Take the position over if that is not done yet."""
        if self._stand is None:
            async with TrainingClient(self.settings.training_service_api_url) as training:
                while self._stand is None:
                    try:
                        self._stand = await take_stand(
                            self._pool, training, self.settings, self.shelf, owner=uuid4(), shards=self.shards,
                            catching_up=self._kept is None or self._kept.catching_up, kept=self._kept,
                        )  # fmt: skip
                    except Superseded:
                        continue
        return self._stand

    def forget(self) -> None:
        """Start anew at the next look, as after a crash."""
        self._stand = self._kept = None

    async def compare(self) -> None:
        """Take the position over again before the next look, with what is in memory, as the worker does."""
        if self._stand is not None:
            await let_go(self._stand)
            self._kept, self._stand = self._stand, None

    async def look(self) -> bool:
        """Answer what one look finds; False when there was nothing."""
        while True:
            try:
                return await process_new_rows(self._pool, self.settings, await self.stand(), self.poke)
            except Superseded:
                await self.compare()

    async def catch_up(self) -> None:
        """Look until there is nothing new."""
        while await self.look():
            pass


def split(rows: Sequence[Any], sizes: Sequence[int]) -> list[Sequence[Any]]:
    """Cut a sequence into parts of these sizes, the last one taking the rest."""
    parts, at = [], 0
    for size in sizes:
        if at < len(rows):
            parts.append(rows[at : at + size])
        at += size
    if at < len(rows):
        parts.append(rows[at:])
    return parts


def disordered(
    count: int, *, seed: int, coins: int = 5, repeats: float = 0.0, late: float = 0.3
) -> list[dict[str, Any]]:
    """Give rows of a few coins, many of them late by up to 12 minutes, some written a second time."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    taken: set[tuple[str, int]] = set()
    for number in range(count):
        if rows and rng.random() < repeats:
            # A repeat of one of the last rows, with another price.
            again = rows[-int(rng.integers(1, min(len(rows), 12) + 1))]
            rows.append(
                {**again, "price_close": float(again["price_close"] or 3e-8) * 1.5, "volume_sol": float(rng.random())}
            )
            continue
        mint = f"coin {rng.integers(coins)}"
        at = number * 7
        if rng.random() < late:
            at -= int(rng.integers(1, 720))
        while (mint, at) in taken:
            at += 1
        taken.add((mint, at))
        values = {
            "price_close": float(3e-8 * np.exp(rng.normal(0, 0.3))),
            "volume_sol": float(rng.random()),
            "buy_volume_sol": float(rng.random()),
            "sell_volume_sol": float(rng.random()),
        }
        if rng.random() < 0.05:
            values["price_close"] = None
        rows.append(row(mint, float(at), **values))
    return rows


async def until_done(connection: Connection) -> None:
    """Wait until the worker has passed every row that is visible."""
    await until(
        connection,
        "SELECT bool_and(high >= (SELECT max(id) FROM coin_metrics) AND NOT EXISTS ("
        "  SELECT FROM jsonb_array_elements(pending) AS gap JOIN coin_metrics AS row"
        "  ON row.id BETWEEN (gap -> 0)::bigint AND (gap -> 1)::bigint))"
        " FROM worker_positions WHERE name LIKE 'live-%'",
        expected=True,
    )
