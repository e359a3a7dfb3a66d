"""Which features are missing follows from which numbers are."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.coin_metrics.columns import BASE_FEATURES
from shared.coin_metrics.rows import cleaned
from shared.features import FeatureSpec, build
from shared.features.families import FAMILY
from shared.labels import RuleTarget
from tests.support.market_rows import coin_rows
from training_service.ml.dataset import label_rows
from training_service.ml.missing import count_missing

SPEC = FeatureSpec((*BASE_FEATURES, *(f"{family}_{window}" for family in FAMILY for window in (1, 3))))
RULE = RuleTarget(target_var="num_buys", operator=">", target_value=1)


def labelled_rows(rows, in_window):
    return label_rows(
        rows, in_window, target=RULE, phases=None, clock_us=0, last_seen=np.zeros(len(rows.mints), np.int64),
        untracked_phases=frozenset(),
    )  # fmt: skip


def is_plain(name, values):
    size = np.abs(values)
    if name.startswith("price"):
        return (values >= 1e-15) & (size <= 1e15)
    if name in ("volume_sol", "buy_volume_sol", "sell_volume_sol"):
        return (values == 0) | ((size >= 1e-15) & (size <= 1e5))
    return size <= 1e15


@settings(deadline=None)
@given(coin_rows(), st.data())
def test_missing_values_are_counted_as_build_leaves_them_from_numbers_and_from_their_presence_alone(drawn, data):
    plain = {name: cleaned(name, drawn.values[name]) for name in BASE_FEATURES}
    rows = replace(drawn, values=plain).deduplicated()
    # Numbers of plain size: what presence stands for.
    within = {name: np.where(is_plain(name, values), values, np.nan) for name, values in rows.values.items()}
    rows = replace(rows, values=within)
    in_window = np.array(data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows))))
    in_window[0] = True
    presence = replace(rows, values={name: np.where(np.isnan(cells), np.nan, 1.0) for name, cells in within.items()})

    labelled = labelled_rows(rows, in_window)
    missing = np.isnan(build(rows, SPEC))

    share = dict(zip(SPEC.names, missing[in_window].mean(axis=0), strict=True))
    for odd, kind in ((BASE_FEATURES, rows), ((), rows), ((), presence)):
        found = count_missing(replace(labelled, rows=kind), SPEC, SPEC.base_columns, odd=odd)
        assert dict(found.share) == share
        # Without any known answer the job has ended before features matter.
        assert not len(labelled.kept) or found.empty == missing[labelled.kept].all(axis=0).tolist()
