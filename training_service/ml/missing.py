"""How much of each column and feature is missing, with features built only where something can be."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from shared.coin_metrics.rows import Bools, CoinRows
from shared.features import FeatureSpec, build
from shared.features.families import FAMILY
from training_service.ml.dataset import LabelledRows


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """What is missing of the rows of a window."""

    share: Mapping[str, float]
    """Column or feature → share of the rows of window and phases without a value, 0..1."""
    empty: list[bool]
    """Of each feature: no row whose answer is known has a value."""


def count_missing(
    labelled: LabelledRows, spec: FeatureSpec, columns: Sequence[str], *, odd: Collection[str]
) -> Missing:
    """Count missing values of columns and features, exactly as `build` would leave them.

    `odd`: columns with a number so odd that a feature of it could overflow; those and the ones that share a feature
    with them hold their numbers. Of all others whatever stands for a number gives the same answer, and features of
    complete columns are complete.
    """
    rows, chosen, kept = labelled.rows, labelled.chosen, labelled.kept
    size = int(np.count_nonzero(chosen))
    share: dict[str, float] = {}
    empty: dict[str, bool] = {}
    for name in columns:
        missing = np.isnan(rows.values[name])
        share[name] = np.count_nonzero(missing[chosen]) / size
        empty[name] = bool(missing[kept].all())
    for columns_of, names in _to_build(rows, spec, odd=odd):
        # Of a coin whose columns are complete and plain all features are there.
        built = np.ones(len(rows), np.bool_) if {*odd} & {*columns_of} else _gappy(rows, columns_of)
        missing_features = np.isnan(build(rows.take(built), FeatureSpec(names)))
        for name, missing in zip(names, missing_features.T, strict=True):
            share[name] = np.count_nonzero(missing[chosen[built]]) / size
            empty[name] = bool(built[kept].all() and missing[np.cumsum(built)[kept] - 1].all())
    return Missing(
        share={name: share.get(name, 0.0) for name in dict.fromkeys((*spec.names, *columns))},
        empty=[empty.get(name, False) for name in spec.names],
    )


def companions(odd: Collection[str], spec: FeatureSpec) -> frozenset[str]:
    """Give the columns of features that such columns take part in.

    >>> sorted(companions({"buy_volume_sol"}, FeatureSpec(("order_book_imbalance_5", "price_close"))))
    ['buy_volume_sol', 'sell_volume_sol']
    """
    together = {
        name for family in spec.engineered for name in FAMILY[family].columns if {*odd} & {*FAMILY[family].columns}
    }
    return frozenset({*odd, *together})


def _gappy(rows: CoinRows, columns: Sequence[str]) -> Bools:
    """Tell which rows belong to coins that lack a value of the columns."""
    lacking = np.zeros(len(rows.mints), np.bool_)
    for name in columns:
        lacking[rows.coin[np.isnan(rows.values[name])]] = True
    return lacking[rows.coin]


def _to_build(
    rows: CoinRows, spec: FeatureSpec, *, odd: Collection[str]
) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Give columns and features of what may be missing somewhere and is no column itself, a family at a time."""
    found: list[tuple[tuple[str, ...], tuple[str, ...]]] = [
        ((name,), (name,)) for _, name in spec.base_names if name in odd
    ]
    for family, windows in spec.engineered.items():
        columns = FAMILY[family].columns
        if not {*odd}.isdisjoint(columns) or any(np.isnan(rows.values[name]).any() for name in columns):
            found.append((columns, tuple(f"{family}_{window}" for window, _ in windows)))
    return found
