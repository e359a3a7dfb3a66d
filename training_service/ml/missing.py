"""How much of each column and feature is missing, with features built only where something can be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from shared.coin_metrics.rows import CoinRows
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


def count_missing(labelled: LabelledRows, spec: FeatureSpec, columns: Sequence[str], *, plain: bool) -> Missing:
    """Count missing values of columns and features, exactly as `build` would leave them.

    `plain`: no number of the rows is so odd that a feature of it could overflow; then whatever stands for a number
    gives the same answer, and features of complete columns are complete.
    """
    rows, chosen, kept = labelled.rows, labelled.chosen, labelled.kept
    size = int(np.count_nonzero(chosen))
    share: dict[str, float] = {}
    empty: dict[str, bool] = {}
    for name in columns:
        missing = np.isnan(rows.values[name])
        share[name] = np.count_nonzero(missing[chosen]) / size
        empty[name] = bool(missing[kept].all())
    for names in _to_build(rows, spec, plain=plain):
        missing_features = np.isnan(build(rows, FeatureSpec(names)))
        for name, missing in zip(names, missing_features.T, strict=True):
            share[name] = np.count_nonzero(missing[chosen]) / size
            empty[name] = bool(missing[kept].all())
    return Missing(
        share={name: share.get(name, 0.0) for name in dict.fromkeys((*spec.names, *columns))},
        empty=[empty.get(name, False) for name in spec.names],
    )


def _to_build(rows: CoinRows, spec: FeatureSpec, *, plain: bool) -> list[tuple[str, ...]]:
    """Give the features that may be missing somewhere and are no columns themselves, a family at a time."""
    found: list[tuple[str, ...]] = []
    if not plain:
        found.extend((name,) for _, name in spec.base_names)
    for family, windows in spec.engineered.items():
        if not plain or any(np.isnan(rows.values[name]).any() for name in FAMILY[family].columns):
            found.append(tuple(f"{family}_{window}" for window, _ in windows))
    return found
