"""Exactly one answer, and the same one, whatever order rows commit in and however they fall into batches."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.db import open_pool
from tests.support.arrivals import (
    Key,
    Loop,
    Shape,
    all_rows,
    answers_as_they_arrive,
    split,
    stored_answers,
)
from tests.support.database import TestServer, insert_rows, row
from tests.support.models import activate_model

SHAPES = {1: Shape(column=1, scale=0.1), 2: Shape(column=2, scale=0.3), 3: Shape(column=3, scale=2.0)}
STALE = 600


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


@pytest.mark.parametrize("seed", range(6))
async def test_answers_when_rows_come_one_by_one_or_in_batches_then_they_are_the_same(
    postgres: TestServer, tmp_path: Path, seed: int
):
    rows = disordered(220, seed=seed, repeats=0.08 if seed % 2 else 0.0)
    rng = np.random.default_rng(seed)
    told: dict[str, dict[int, dict[Key, float]]] = {}
    repeated: set[Key] = set()
    for path in ("one by one", "small batches", "restarts", "at once"):
        with postgres.fresh() as name:
            pool = await open_pool(postgres.dsn(name), application="tests")
            try:
                async with pool.acquire() as connection:
                    active = {
                        number: await activate_model(
                            pool, tmp_path / path, model_id=number, column=shape.column, scale=shape.scale
                        )
                        for number, shape in SHAPES.items()
                    }
                    loop = Loop(pool, tmp_path / path)
                    sizes = {"one by one": [1] * len(rows), "at once": []}.get(path, rng.integers(1, 25, len(rows)))
                    for part in split(rows, list(sizes)):
                        await insert_rows(connection, part)
                        await loop.catch_up()
                        if path == "restarts":
                            loop.forget()
                    everything = await all_rows(connection)
                    keys = list(zip(everything.mint, everything.timestamp.tolist(), strict=True))
                    repeated = {key for key in keys if keys.count(key) > 1}
                    told[path] = {number: await stored_answers(connection, active[number]) for number in SHAPES}
            finally:
                await pool.close()
    for number, shape in SHAPES.items():
        expected = answers_as_they_arrive(everything, shape)
        first = told["one by one"][number]
        for path, answers in told.items():
            assert answers[number].keys() == first.keys(), path
            for key, probability in answers[number].items():
                # A row that came twice before it was answered counts with the later values.
                if key not in repeated:
                    assert probability == pytest.approx(expected[key], abs=1.1e-6), (path, number, key)
