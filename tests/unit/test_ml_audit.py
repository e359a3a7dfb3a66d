"""Planted leaks fail the job and are named; rows of real and simulated markets pass."""

import importlib
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pyarrow.parquet as pq
import pytest

from pumpcast.market.simulate import simulate_history
from shared.coin_metrics.rows import CoinRows
from shared.errors import JobFailed
from shared.features import DEFAULT_WINDOWS, FeatureSpec
from shared.features.families import FAMILY
from shared.labels import RuleTarget, TimeTarget, label
from tests.support.market_rows import MINUTE, START
from training_service.ml.audit import audit, permute_labels, prove_split
from training_service.ml.dataset import make_dataset
from training_service.ml.divide import divide
from training_service.ml.model import Recipe
from training_service.ml.model_types import resolve_parameters

UP = TimeTarget(target_var="price_close", future_minutes=5, min_percent_change=3)
NAMES = ("volume_sol", "is_koth", "unique_wallets", "price_change_3", "price_range_5")
# The package offers the function of this name, which hides the module.
FORMULAS = importlib.import_module("shared.features.build").KERNELS


def recipe(kind="xgboost", **parameters):
    return Recipe(
        model_type=kind, parameters=resolve_parameters(kind, parameters), random_state=1, calibrate=True,
        alerts_per_day=None,
    )  # fmt: skip


def market(*, coins=20, minutes=150):
    """Random walks of some coins, a row a minute; nothing of them can be foretold."""
    random = np.random.default_rng(5)
    count = coins * minutes
    price = 3e-8 * np.exp(np.cumsum(random.normal(0, 0.02, (coins, minutes)), axis=1)).ravel()
    return CoinRows(
        mints=tuple(f"coin{code:03d}" for code in range(coins)),
        coin=np.repeat(np.arange(coins), minutes),
        timestamp=START + np.tile(np.arange(minutes), coins) * MINUTE,
        id=np.arange(count),
        phase=np.ones(count, np.int64),
        values={
            "price_close": price, "price_high": price * 1.01, "price_low": price * 0.99,
            "volume_sol": random.gamma(2, 1, count), "is_koth": random.integers(0, 2, count).astype(float),
            "unique_wallets": random.integers(1, 50, count).astype(float), "bonding_curve_pct": np.full(count, 10.0),
        },
    )  # fmt: skip


def dataset(rows, *, target=UP, names=NAMES):
    return make_dataset(
        rows, np.ones(len(rows), np.bool_), spec=FeatureSpec(names), target=target, phases=None,
        clock_us=int(rows.timestamp.max()), last_seen=np.full(len(rows.mints), rows.timestamp.max()),
        untracked_phases=frozenset({99, 100}),
    )  # fmt: skip


def audited(data, *, target=UP, kind="xgboost"):
    horizon_us = target.horizon if isinstance(target, TimeTarget) else 0
    split = divide(data, test_size=0.2, horizon_us=horizon_us)
    return audit(data, split, recipe(kind), target=target, horizon_us=horizon_us)


def with_column(rows, name, values):
    return replace(rows, values={**rows.values, name: values})


def answers(rows, target=UP):
    return label(rows, target, clock=int(rows.timestamp.max()), untracked_phases=frozenset()).values


@pytest.mark.parametrize("kind", ["xgboost", "random_forest"])
def test_audit_of_rows_without_a_leak_passes_and_says_what_was_proved(kind):
    found = audited(dataset(market()), kind=kind)

    assert (found.laws.rows, found.laws.history_rows) == (200, 5)
    assert found.laws.coins == 20
    assert found.split.reaching_rows == 0
    assert found.split.gap_to_holdout_minutes >= 0
    assert len(found.strongest_features) == 5
    assert found.strongest_features[0].auc < 0.7
    assert abs(found.permuted.auc - 0.5) < found.permuted.bound
    assert found.notices == ()
    assert found == audited(dataset(market()), kind=kind)


def looks_ahead(rows, windows):
    price = rows.series["price_close"]
    following = np.append(price[rows.start + 1 : rows.start + len(rows.age)], price[-1])
    for window in windows:
        yield following / rows.before("price_close", window)


def reads_other_coins(rows, windows):
    price = rows.here("price_close")
    _, moment = np.unique(rows.timestamp[rows.start : rows.start + len(price)], return_inverse=True)
    mean = np.bincount(moment, weights=price) / np.bincount(moment)
    for _ in windows:
        yield price / mean[moment]


def reads_all_history(rows, windows):
    for _ in windows:
        yield np.cumsum(rows.here("price_close"))


@pytest.mark.parametrize(
    ("formula", "law", "coins"),
    [
        (looks_ahead, "sees the future", 20),
        (reads_other_coins, "reads other coins", 20),
        (reads_all_history, "depends on more than the 5 rows it is said to need", 1),
    ],
)
def test_audit_of_a_formula_that_breaks_a_law_names_the_feature_the_law_and_a_row(monkeypatch, formula, law, coins):
    monkeypatch.setitem(FORMULAS, "price_change", formula)
    data = dataset(market(coins=coins, minutes=3000 // coins))

    with pytest.raises(JobFailed, match=rf"the feature price_change_3 {law}: for coin coin\d+ at 2025-\S+Z it is \S+"):
        audited(data)


def test_audit_of_features_that_no_formula_gives_names_one_of_them():
    data = dataset(market())
    changed = data.features.copy()
    changed[:, 3] += 1e-6

    with pytest.raises(JobFailed, match="the feature price_change_3 is not what its formula gives: for coin"):
        audited(replace(data, features=changed))


def test_audit_of_a_column_that_holds_the_answer_names_it():
    rows = market()
    data = dataset(with_column(rows, "is_koth", answers(rows)))

    with pytest.raises(
        JobFailed, match=r"feature is_koth alone tells the answer with ROC AUC 1.0000.*leave is_koth out"
    ):
        audited(data)


def test_audit_of_a_column_that_holds_the_change_to_come_names_it():
    rows = market()
    change = label(rows, UP, clock=int(rows.timestamp.max()), untracked_phases=frozenset()).change_pct
    data = dataset(with_column(rows, "unique_wallets", -change))

    with pytest.raises(JobFailed, match="feature unique_wallets alone tells the answer"):
        audited(data)


def test_audit_of_a_column_that_is_missing_exactly_for_the_ones_names_it():
    rows = market()
    data = dataset(with_column(rows, "unique_wallets", np.where(answers(rows) == 1, np.nan, 7.0)))

    with pytest.raises(JobFailed, match="feature unique_wallets alone tells the answer"):
        audited(data)


def test_audit_of_a_column_that_nearly_holds_the_answer_gives_a_notice():
    rows = market()
    wrong = np.random.default_rng(3).random(len(rows)) < 0.03
    data = dataset(with_column(rows, "is_koth", np.where(wrong, 1 - answers(rows), answers(rows))))

    (notice,) = audited(data).notices

    assert notice.code == "suspicious_feature"
    assert notice.message.startswith("is_koth alone tells the answer with ROC AUC 0.9")


RULE = RuleTarget(target_var="price_close", operator=">", target_value=3e-8)


def test_audit_of_a_rule_names_a_feature_that_is_its_column_in_other_words():
    rows = market(coins=60)

    with pytest.raises(JobFailed, match=r"feature price_high alone tells .* and no error: it is price_close in other"):
        audited(dataset(rows, target=RULE, names=("price_high", "volume_sol")), target=RULE)


def test_audit_of_a_rule_that_is_merely_easy_gives_a_notice():
    rows = market(coins=60)
    price = rows.values["price_close"]
    near = price * np.random.default_rng(4).uniform(0.99, 1.01, len(price))
    data = dataset(with_column(rows, "price_high", near), target=RULE, names=("price_high", "volume_sol"))

    assert [notice.code for notice in audited(data, target=RULE).notices] == ["target_in_features"]


def test_audit_of_a_rule_on_few_rows_does_not_take_luck_for_proof():
    rows = market(coins=4)
    data = dataset(rows, target=RULE, names=("price_high", "volume_sol"))

    *_, notice = audited(data, target=RULE).notices

    assert notice.code == "features_not_audited"
    assert notice.message.endswith(
        "is price_close in other words is found for sure from 1000 on, so look at the features yourself"
    )


def test_audit_of_a_split_whose_labels_reach_into_a_later_part_counts_the_rows():
    data = dataset(market())
    split = divide(data, test_size=0.2, horizon_us=0)

    with pytest.raises(JobFailed, match=r"100 of the \d+ rows for fitting have labels that look into a later part"):
        audit(data, split, recipe(), target=UP, horizon_us=UP.horizon)


def test_audit_of_a_split_that_uses_rows_twice_counts_them():
    data = dataset(market())
    split = divide(data, test_size=0.2, horizon_us=UP.horizon)
    doubled = replace(split, fit=np.concatenate([split.fit, split.fit[:7]]))

    with pytest.raises(JobFailed, match="7 rows are used twice by the split"):
        prove_split(data.timestamp, doubled, horizon_us=UP.horizon)


@pytest.mark.parametrize("kind", ["xgboost", "random_forest"])
def test_shuffled_answers_are_told_apart_where_the_holdout_was_learnt(kind):
    data = dataset(market())
    split = divide(data, test_size=0.2, horizon_us=UP.horizon)
    leaking = replace(split, fit=np.concatenate([split.fit, split.holdout]))

    with pytest.raises(JobFailed, match="rows of the hold-out take part in the fit"):
        permute_labels(data, leaking, recipe(kind, max_depth=16))


TARGETS = [
    TimeTarget(target_var="price_close", future_minutes=10, min_percent_change=30),
    TimeTarget(target_var="price_close", future_minutes=10, min_percent_change=30, direction="down"),
    TimeTarget(target_var="volume_sol", future_minutes=5, min_percent_change=500, label_mode="within_horizon"),
]
ALL_FAMILIES = tuple(f"{family}_{window}" for family in FAMILY for window in DEFAULT_WINDOWS)
COLUMNS = ("price_open", "price_high", "market_cap_close", "bonding_curve_pct", "num_buys", "num_sells")


@pytest.mark.parametrize("target", TARGETS)
def test_audit_of_real_rows_passes(real_rows, target):
    rows = CoinRows.from_arrow(pq.read_table(real_rows)).deduplicated()

    found = audited(dataset(rows, target=target, names=COLUMNS + ALL_FAMILIES), target=target)

    assert 0.6 < found.strongest_features[0].auc < 0.9
    assert found.notices == ()


@pytest.mark.parametrize("target", TARGETS)
def test_audit_of_simulated_rows_passes(target):
    table = simulate_history(seed=2, start=datetime(2026, 1, 1, tzinfo=UTC), minutes=60, coins_per_minute=5)
    rows = CoinRows.from_arrow(table).deduplicated()

    found = audited(dataset(rows, target=target, names=COLUMNS + ALL_FAMILIES), target=target)

    assert found.notices == ()
