"""The history of each row: what had arrived of its coin, from memory or from the database, always the same."""

from collections import OrderedDict, deque

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prediction_service.runtime.rings import Rings
from prediction_service.usecases.histories import Gathered, gather
from shared.coin_metrics import read
from shared.coin_metrics.read import Batch, Histories, Layout
from shared.db import Connection
from tests.support.arrivals import disordered, split
from tests.support.database import insert_rows, row

COLUMNS = ("price_close", "volume_sol")
DEPTH = 6


async def layout_of(connection: Connection) -> Layout:
    layout = await read.layout(connection, COLUMNS)
    assert layout is not None
    return layout


async def everything(connection: Connection) -> Batch:
    return await read.since(connection, await layout_of(connection), high=-1, most=1_000_000)


def history_of(rows: Batch, index: int, *, top: int) -> tuple[list[int], list[list[float]]]:
    """Give times and values of the last rows of a coin up to a row, of ids up to `top`, each time once."""
    newest: dict[int, int] = {}
    for other in range(len(rows)):
        if rows.mint[other] == rows.mint[index] and rows.id[other] <= top:
            newest[int(rows.timestamp[other])] = other
    times = sorted(time for time in newest if time <= rows.timestamp[index])[-DEPTH:]
    return times, [rows.values[newest[time]].tolist() for time in times]


def told(gathered: Gathered, index: int) -> tuple[list[int], list[list[float]]]:
    count = int(gathered.histories.count[index])
    return (
        gathered.histories.timestamp[index, DEPTH - count :].tolist(),
        gathered.histories.values[index, DEPTH - count :].tolist(),
    )


async def gather_in_parts(connection: Connection, rows: Batch, sizes: list[int], rings: Rings) -> None:
    """Let rows pass in batches and see that each history holds what had arrived before its row, and no more."""
    layout = await layout_of(connection)
    high = clock = 0
    for part in split(range(len(rows)), sizes):
        batch = rows.take(list(part))
        clock = max(clock, int(batch.timestamp.max()))
        # One that repeats another of the batch is left out, and its coin is named.
        last = {key: at for at, key in enumerate(zip(batch.mint, batch.timestamp.tolist(), strict=True))}
        kept = sorted(last.values())
        unsure = {batch.mint[at] for at in set(range(len(batch))) - set(kept)}
        gathered = await gather(connection, layout, rings, batch.take(kept), high=high, clock=clock, unsure=unsure)
        for place, at in enumerate(kept):
            expected = history_of(rows, part[at], top=int(rows.id[part[at]]))
            np.testing.assert_equal(told(gathered, place), expected)
        high = int(batch.id.max())


@pytest.mark.parametrize("seed", range(4))
async def test_history_when_rows_fall_into_any_batches_then_it_holds_what_arrived_before(
    connection: Connection, seed: int
):
    rng = np.random.default_rng(seed)
    for entry in disordered(300, seed=seed, coins=7, repeats=0.1, late=0.4):
        await insert_rows(connection, [entry])
    rows = await everything(connection)
    for sizes in ([1] * 300, [int(size) for size in rng.integers(1, 40, 300)], []):
        await gather_in_parts(connection, rows, sizes, Rings(depth=DEPTH, columns=COLUMNS))


async def test_history_when_there_are_more_coins_than_memory_holds_then_it_is_complete_all_the_same(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("prediction_service.runtime.rings.MOST_COINS", 1)
    rings = Rings(depth=DEPTH, columns=COLUMNS)
    await insert_rows(connection, disordered(800, seed=5, coins=150, late=0.1))
    await gather_in_parts(connection, await everything(connection), [100] * 8, rings)
    assert len(rings) == 64


async def test_history_when_its_row_was_deleted_meanwhile_then_it_ends_with_the_row_as_it_was(connection: Connection):
    await insert_rows(connection, [row("a", second, volume_sol=float(second)) for second in range(10)])
    rows = await everything(connection)
    await connection.execute("DELETE FROM coin_metrics WHERE id = $1", int(rows.id[-1]))
    gathered = await gather(
        connection, await layout_of(connection), Rings(depth=DEPTH, columns=COLUMNS), rows.take([9]),
        high=int(rows.id[8]), clock=int(rows.timestamp[9]),
    )  # fmt: skip
    assert told(gathered, 0) == history_of(rows, 9, top=int(rows.id[-1]))


async def test_rows_when_older_than_what_memory_knows_then_they_are_late(connection: Connection):
    seconds = [10, 20, 15, 20, 30]
    for second in seconds:
        await insert_rows(connection, [row("a", second)])
    rows = await everything(connection)
    rings, layout = Rings(depth=DEPTH, columns=COLUMNS), await layout_of(connection)
    late = []
    for index in range(len(rows)):
        gathered = await gather(
            connection, layout, rings, rows.take([index]),
            high=int(rows.id[index]) - 1, clock=int(rows.timestamp[: index + 1].max()),
        )  # fmt: skip
        late += gathered.late.tolist()
    # The fourth repeats the second, but memory gave the coin up when the third came: the table has to be asked.
    assert late == [False, False, True, False, False]


MINTS = st.sampled_from("abcdef")


@given(st.lists(st.tuples(st.sampled_from(["push", "fill", "forget"]), MINTS, st.integers(1, 5)), max_size=60))
def test_rings_when_used_in_any_way_then_they_hold_the_last_rows_of_each_coin(steps: list[tuple[str, str, int]]):
    rings = Rings(depth=3, columns=("x",))
    expected: OrderedDict[str, deque[int]] = OrderedDict()
    for time, (verb, mint, size) in enumerate(steps):
        slots = rings.slots([mint])
        assert (slots[0] >= 0) == (mint in expected)
        if verb == "push" and slots[0] >= 0:
            rings.push(slots, np.array([time]), np.full((1, 1), float(time)))
            expected[mint].append(time)
        elif verb == "fill":
            times = np.arange(time - 2, time + 1)[None]
            count = np.array([min(size, 3)])
            rings.fill([mint], Histories(values=times[:, :, None] * 1.0, timestamp=times, count=count))
            expected[mint] = deque(times[0, 3 - count[0] :].tolist(), maxlen=3)
        elif verb == "forget":
            rings.forget(mint)
            expected.pop(mint, None)
    assert len(rings) == len(expected)
    for mint, times in expected.items():
        found = rings.read(rings.slots([mint]))
        count = int(found.count[0])
        assert found.timestamp[0, 3 - count :].tolist() == list(times)
        assert found.values[0, 3 - count :, 0].tolist() == [float(time) for time in times]
