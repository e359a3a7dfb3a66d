"""Do the features of a row stand on its coin's past alone? Tried on rows of the very table a model learns from."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from shared.coin_metrics.rows import CoinRows, Ints
from shared.errors import JobFailed
from shared.features import FeatureSpec, build
from training_service.ml.dataset import Dataset

ROWS = 200
FEWEST_ROWS = 20
_MORE_HISTORY = 7
_MOST_BUILT = 60_000  # keeps this in milliseconds when windows are long


@dataclass(frozen=True, slots=True, kw_only=True)
class Laws:
    """What was tried; a broken law is a JobFailed."""

    rows: int
    """Rows that were computed again."""
    coins: int
    """Coins they belong to."""
    history_rows: int
    """Rows of its coin that are said to decide a row's features."""


def prove_laws(data: Dataset, *, random_state: int) -> Laws:
    """Compute some rows' features again from their coin's last rows alone, and demand the same bits.

    Each of up to 200 rows, spread evenly over the window, becomes the end of two small coins: one of the
    `history_needed()` rows that decide its features, one of a few more. Neither holds a later row or another coin, so
    a feature that needs either, or an older row, comes out different from what the model is fitted on.

    Raises:
        JobFailed: a feature differs; the message names it, the law it breaks and a row.

    """
    needed = data.spec.history_needed()
    chosen = _spread_rows(data, most=min(ROWS, max(FEWEST_ROWS, _MOST_BUILT // (2 * needed + _MORE_HISTORY))),
                          random_state=random_state)  # fmt: skip
    trained = data.features[chosen]
    first = _first_rows(data, chosen)
    for length in (needed, needed + _MORE_HISTORY):
        rebuilt = _rebuilt(data, data.position[chosen], first, length=length)
        wrong = ~_same(rebuilt, trained)
        if wrong.any():
            row, column = (int(at[0]) for at in np.nonzero(wrong))
            raise JobFailed(_broken_law(data, int(chosen[row]), column))
    return Laws(rows=len(chosen), coins=len(np.unique(data.coin[chosen])), history_rows=needed)


def _spread_rows(data: Dataset, *, most: int, random_state: int) -> Ints:
    """Give rows at random, one of each of equal stretches of the rows in their order."""
    random = np.random.default_rng(random_state)
    count = min(most, len(data))
    edges = np.arange(count + 1) * len(data) // count
    return random.integers(edges[:-1], edges[1:])


def _first_rows(data: Dataset, chosen: Ints) -> Ints:
    """Give the first loaded row of each chosen row's coin."""
    return np.searchsorted(data.rows.coin, data.coin[chosen])


def _rebuilt(data: Dataset, ends: Ints, first: Ints, *, length: int) -> NDArray[np.float32]:
    """Give the features of the rows `ends`, each the last of a coin of its own of at most `length` rows."""
    starts = np.maximum(first, ends - length + 1)
    sizes = ends - starts + 1
    stops = np.cumsum(sizes)
    index = np.arange(stops[-1]) + np.repeat(starts - (stops - sizes), sizes)
    coin = np.repeat(np.arange(len(ends)), sizes)
    return build(_alone(data.rows, index, coin, data.spec), data.spec)[stops - 1]


def _alone(rows: CoinRows, index: Ints, coin: Ints, spec: FeatureSpec) -> CoinRows:
    """Give some rows as rows of other coins, with the columns that the features need."""
    return CoinRows(
        mints=tuple(map(str, range(int(coin.max()) + 1))),
        coin=coin,
        timestamp=rows.timestamp[index],
        id=rows.id[index],
        phase=rows.phase[index],
        values={name: rows.values[name][index] for name in spec.base_columns},
    )


def _same(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.bool_]:
    same: NDArray[np.bool_] = (left == right) | (np.isnan(left) & np.isnan(right))
    return same


def _broken_law(data: Dataset, row: int, column: int) -> str:
    """Say which law a feature breaks at a row, by taking away one thing after the other."""
    position = int(data.position[row])
    moment = int(data.timestamp[row])
    own = int(np.searchsorted(data.rows.coin, data.coin[row]))
    past = np.flatnonzero(data.rows.timestamp <= moment)
    needed = data.spec.history_needed()
    steps = (
        ("the model", data.features[row, column]),
        ("every row of the table", _last_of(data, np.arange(len(data.rows)), position)[column]),
        ("rows after that moment removed", _last_of(data, past, position)[column]),
        ("rows of other coins removed", _last_of(data, np.arange(own, position + 1), position)[column]),
        (
            f"all but the last {needed} rows removed",
            _last_of(data, np.arange(max(own, position - needed + 1), position + 1), position)[column],
        ),
    )
    laws = (
        "is not what its formula gives",
        "sees the future",
        "reads other coins",
        f"depends on more than the {needed} rows it is said to need",
    )
    name, coin = data.spec.names[column], data.rows.mints[int(data.coin[row])]
    at = f"{datetime.fromtimestamp(moment // 1_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}"
    for (before, old), (after, new), law in zip(steps, steps[1:], laws, strict=True):
        if not _same(np.asarray(old), np.asarray(new)).all():
            return (
                f"the feature {name} {law}: for coin {coin} at {at} it is {old:.9g} with {before} and {new:.9g} with "
                f"{after}; a model must not learn from it"
            )
    return f"the feature {name} of coin {coin} at {at} differs from one computation to the next"


def _last_of(data: Dataset, index: Ints, position: int) -> NDArray[np.float32]:
    """Give the features of one row, built from some rows of the table."""
    place = int(np.searchsorted(index, position))
    result: NDArray[np.float32] = build(_alone(data.rows, index, data.rows.coin[index], data.spec), data.spec)[place]
    return result
