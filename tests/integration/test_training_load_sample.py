"""Loading a share of the coins, and presence instead of numbers."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from shared.coin_metrics.load import Wanted, load
from shared.coin_metrics.sample import CoinSample
from shared.db import connect
from shared.errors import JobFailed
from tests.integration.test_training_load import at, fill, minutes_of, ticks
from tests.support.database import insert_rows, row

MINTS = [f"mint{number:02d}" for number in range(30)]
PLAIN = Wanted(start=at(5), end=at(14), horizon_minutes=3, history_rows=4, columns=("price_close", "volume_sol"))


def expected(share, seed):
    return {
        mint for mint in MINTS if int(hashlib.md5(f"{seed}:{mint}".encode()).hexdigest()[:8], 16) < int(share * 2**32)
    }


def mints_of(loaded):
    return {loaded.rows.mints[code] for code in np.unique(loaded.rows.coin)}


@pytest.fixture
async def filled(database):
    # Coin after coin, each one longer than the one before.
    await fill(database, [entry for number, mint in enumerate(MINTS) for entry in ticks(mint, range(10 + number))])
    return database


@pytest.mark.parametrize(("share", "seed"), [(0.4, 42), (0.4, 43), (0.9, 42), (0.07, 1)])
async def test_a_sample_holds_exactly_the_coins_whose_hash_falls_below_the_share(filled, share, seed):
    loaded = load(filled, replace(PLAIN, sample=CoinSample(share=share, random_state=seed)))

    assert mints_of(loaded) == expected(share, seed)
    assert (loaded.sampled.kept, loaded.sampled.present) == (len(expected(share, seed)), 30)
    assert expected(0.4, 42) != expected(0.4, 43)
    assert expected(0.4, 42) < expected(0.9, 42)


async def test_a_sampled_coin_keeps_its_history_and_its_horizon(filled):
    whole = load(filled, PLAIN)
    part = load(filled, replace(PLAIN, sample=CoinSample(share=0.4, random_state=42)))

    for mint in expected(0.4, 42):
        assert minutes_of(part, mint) == minutes_of(whole, mint)
    assert {mint: part.last_seen[part.rows.mints.index(mint)] for mint in part.rows.mints} == {
        mint: whole.last_seen[whole.rows.mints.index(mint)] for mint in part.rows.mints
    }


async def test_a_sample_too_small_for_any_coin_fails_the_job_and_says_so(filled):
    with pytest.raises(JobFailed, match=r"sample_by_coin 1e-06 takes none of the 30 coins of the window"):
        load(filled, replace(PLAIN, sample=CoinSample(share=1e-6, random_state=42)))


@pytest.mark.parametrize("max_rows", [60, 150, 300])
async def test_a_refusal_names_a_share_that_fits_and_the_next_larger_one_does_not(filled, max_rows):
    everything = replace(PLAIN, sample=CoinSample(share=1.0, random_state=42), max_rows=max_rows)

    with pytest.raises(JobFailed, match="more than MAX_TRAINING_ROWS") as refused:
        load(filled, everything)

    share = float(refused.value.message.partition("sample_by_coin ")[2].partition(" would")[0])
    loaded = load(filled, replace(everything, sample=CoinSample(share=share, random_state=42)))
    assert 0 < len(loaded.rows) <= max_rows
    # Coins have up to 17 rows here: a share that leaves more room than one more coin needs would be timid.
    assert len(loaded.rows) > max_rows - 3 * 17


async def test_a_refusal_when_one_coin_alone_is_too_much_names_no_share(filled):
    with pytest.raises(JobFailed, match=r"raise the setting$"):
        load(filled, replace(PLAIN, sample=CoinSample(share=1.0, random_state=42), max_rows=5))


UGLY = {
    "plain": 2.5, "missing": None, "zero": 0, "negative": -1e-8, "not a number": "NaN", "infinite": "Infinity",
}  # fmt: skip


@pytest.mark.parametrize("kind", ["numeric", "double precision", "real", "numeric(40, 20)"])
@pytest.mark.parametrize("name", ["price_high", "volume_sol"])
async def test_presence_tells_what_loading_the_numbers_would(database, kind, name):
    connection = await connect(database)
    try:
        await connection.execute(f"ALTER TABLE coin_metrics ALTER {name} TYPE {kind}")
        for minute, value in enumerate(UGLY.values()):
            if kind.endswith("20)") and value == "Infinity":
                continue
            await insert_rows(connection, [row("A", 60 * minute, price_close=3e-8)])
            await connection.execute(
                f"UPDATE coin_metrics SET {name} = {'NULL' if value is None else repr(value)} WHERE timestamp = $1",
                at(minute),
            )
    finally:
        await connection.close()
    wanted = replace(PLAIN, start=at(0), end=at(9), columns=("price_close",))

    presence = load(database, replace(wanted, presence_of=(name,)))
    numbers = load(database, replace(wanted, columns=("price_close", name)))

    missing = np.isnan(numbers.rows.values[name])
    # A hundred millionth below 0 is as plain a volume as one above.
    assert presence.odd == frozenset()
    np.testing.assert_array_equal(np.isnan(presence.rows.values[name]), missing)


@pytest.mark.parametrize("value", ["1e20", "1e-20", "1e400", "-5e10", "-1e-17"])
async def test_presence_of_a_number_that_features_could_overflow_with_is_told(database, value):
    await fill(database, ticks("A", range(12)))
    connection = await connect(database)
    try:
        name = "price_low" if value == "1e-20" else "volume_sol"
        await connection.execute(f"UPDATE coin_metrics SET {name} = {value} WHERE timestamp = $1", at(7))
    finally:
        await connection.close()

    presence_of = ("price_low", "volume_sol", "is_koth")
    loaded = load(database, replace(PLAIN, columns=("price_close",), presence_of=presence_of))

    assert loaded.odd == {name}


async def test_presence_of_volumes_of_either_sign_is_plain_unless_some_could_nearly_cancel_others(database):
    await fill(database, ticks("A", range(12)))
    presence_of = ("volume_sol", "buy_volume_sol", "price_low")
    wanted = replace(PLAIN, columns=("price_close",), presence_of=presence_of)

    await fill(database, [], "UPDATE coin_metrics SET volume_sol = -0.001 WHERE id = 7")
    assert load(database, wanted).odd == frozenset()
    await fill(database, [], "UPDATE coin_metrics SET volume_sol = 1e-17 WHERE id = 9")
    assert load(database, wanted).odd == {"volume_sol", "buy_volume_sol"}
    await fill(database, [], "UPDATE coin_metrics SET volume_sol = 5 WHERE id = 7")
    assert load(database, wanted).odd == frozenset()


@pytest.mark.parametrize("kind", ["numeric", "double precision", "real"])
async def test_presence_with_a_level_tells_where_the_number_reaches_it(database, kind):
    below, above = "99.499999999999992", "99.499999999999993"
    numbers = ["99.5", below, above, "99.4", "100", "NaN", "1e14", "NULL", "-1", "0"]
    await fill(database, ticks("A", range(10)), f"ALTER TABLE coin_metrics ALTER bonding_curve_pct TYPE {kind}")
    for minute, number in enumerate(numbers):
        value = number if number == "NULL" else f"'{number}'"
        await fill(
            database, [], f"UPDATE coin_metrics SET bonding_curve_pct = {value} WHERE timestamp = '{at(minute)}'"
        )
    name, wanted = "bonding_curve_pct", replace(PLAIN, start=at(0), end=at(9), columns=("price_close",))

    presence = load(database, replace(wanted, presence_of=(name,), levels={name: 99.5})).rows.values[name]
    numbers_read = load(database, replace(wanted, columns=("price_close", name))).rows.values[name]

    np.testing.assert_array_equal(presence >= 99.5, numbers_read >= 99.5)
    np.testing.assert_array_equal(np.isnan(presence), np.isnan(numbers_read))


@pytest.mark.parametrize("max_rows", [100, 10**6])
async def test_rows_are_the_same_whether_they_were_counted_before_or_not(filled, max_rows):
    everything = load(filled, replace(PLAIN, start=at(0), end=at(2), horizon_minutes=0, history_rows=0))
    bounded = load(filled, replace(PLAIN, start=at(0), end=at(2), horizon_minutes=0, history_rows=0, max_rows=max_rows))

    np.testing.assert_array_equal(bounded.rows.id, everything.rows.id)


async def test_a_column_of_text_is_read_as_its_presence_and_one_of_words_is_named_with_its_type(database):
    await fill(database, ticks("A", range(12)), "ALTER TABLE coin_metrics ALTER volume_sol TYPE text")
    wanted = replace(PLAIN, columns=("price_close",), presence_of=("volume_sol", "is_koth"))

    assert np.isfinite(load(database, wanted).rows.values["volume_sol"]).all()

    await fill(database, [], "ALTER TABLE coin_metrics ALTER is_koth TYPE text")
    told = "coin_metrics has volume_sol of type text and is_koth of type text, which cannot be read as numbers"
    for columns in ({}, {"columns": ("price_close", "volume_sol", "is_koth"), "presence_of": ()}):
        with pytest.raises(JobFailed, match=told):
            load(database, replace(wanted, **columns))


async def test_presence_of_whole_numbers_and_flags_is_that_of_their_values(database):
    rows = [row("A", 60 * minute, num_buys=None if minute == 6 else 0) for minute in range(12)]
    await fill(database, rows)
    await fill(database, [], "UPDATE coin_metrics SET is_koth = NULL WHERE id % 3 = 0")

    presence = load(database, replace(PLAIN, columns=("price_close",), presence_of=("num_buys", "is_koth")))
    numbers = load(database, replace(PLAIN, columns=("price_close", "num_buys", "is_koth")))

    assert presence.odd == frozenset()
    for name in ("num_buys", "is_koth"):
        missing = np.isnan(numbers.rows.values[name])
        assert missing.any()
        np.testing.assert_array_equal(np.isnan(presence.rows.values[name]), missing)
