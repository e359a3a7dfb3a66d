"""Single features that know the answer, or the answer of some rows only."""

from dataclasses import replace

import numpy as np
import pytest

from shared.errors import JobFailed
from tests.unit.test_ml_audit import UP, answers, audited, dataset, market, recipe, with_column
from training_service.ml.audit import audit
from training_service.ml.divide import divide
from training_service.ml.tripwire import draw_rows, try_features

DOWN = replace(UP, direction="down")


def leak(rows, known, *, otherwise=np.nan, target=UP):
    """Give a column that is 1 for some of the ones."""
    return np.where((answers(rows, target) == 1) & known, 1.0, otherwise)


def share(rows, part, *, seed=3):
    return np.random.default_rng(seed).random(len(rows)) < part


def tried(data, rows):
    return try_features(data.features, data.answers, rows, data.coin, data.spec.names, random_state=1)


def test_drawn_rows_when_only_some_are_asked_for_then_all_are_of_these():
    many = (np.random.default_rng(1).random(60_000) < 0.5).astype(np.int8)
    asked = np.arange(5_000, 50_000, 2)

    halves = draw_rows(many, asked, random_state=1)

    drawn = np.concatenate(halves)
    assert len(np.unique(drawn)) == len(drawn) == 20_000
    assert np.isin(drawn, asked).all()
    assert [many[half].mean() for half in halves] == [0.5, 0.5]


def test_audit_when_a_column_gives_the_answer_in_the_fitting_rows_only_then_it_is_named():
    rows = market()
    split = divide(dataset(rows), test_size=0.2, horizon_us=UP.horizon)
    fitted = rows.timestamp <= dataset(rows).timestamp[split.fit].max()
    values = np.where(fitted, answers(rows), np.random.default_rng(2).integers(0, 2, len(rows)))

    with pytest.raises(JobFailed, match=r"feature is_koth alone tells the answer with ROC AUC 1\.0000"):
        audited(dataset(with_column(rows, "is_koth", values)))


def test_audit_when_a_column_gives_the_answer_outside_the_fitting_rows_only_then_it_knows_nothing():
    rows = market()
    split = divide(dataset(rows), test_size=0.2, horizon_us=UP.horizon)
    fitted = rows.timestamp <= dataset(rows).timestamp[split.fit].max()
    noise = np.random.default_rng(2).integers(0, 2, len(rows))
    data = dataset(with_column(rows, "is_koth", np.where(fitted, noise, answers(rows))))

    found = {one.name: one.auc for one in tried(data, split.fit).aucs}

    assert abs(found["is_koth"] - 0.5) < 0.05


@pytest.mark.parametrize("otherwise", [np.nan, 0.0])
def test_audit_of_a_column_that_names_most_of_the_ones_and_no_zero_names_it(otherwise):
    rows = market()
    data = dataset(with_column(rows, "is_koth", leak(rows, share(rows, 0.7), otherwise=otherwise)))

    message = r"feature is_koth alone names (6|7)\d% of the positive rows: (\d+) of \2 rows with such a value"
    with pytest.raises(JobFailed, match=message):
        audited(data)


def test_audit_of_a_column_that_names_a_third_of_the_rises_of_a_price_names_it():
    rows = market(coins=60)
    data = dataset(with_column(rows, "unique_wallets", leak(rows, share(rows, 0.35))))

    with pytest.raises(JobFailed, match=r"feature unique_wallets alone names 3\d% of the positive rows"):
        audited(data)


def test_audit_of_a_column_that_names_a_third_of_the_falls_passes_as_what_is_high_must_fall():
    rows = market(coins=60)
    column = leak(rows, share(rows, 0.35), target=DOWN)

    assert audited(dataset(with_column(rows, "is_koth", column), target=DOWN), target=DOWN).notices == ()


def test_audit_of_a_column_that_holds_the_falls_to_come_names_it():
    rows = market()

    with pytest.raises(JobFailed, match="feature is_koth alone tells the answer with ROC AUC"):
        audited(dataset(with_column(rows, "is_koth", answers(rows, DOWN)), target=DOWN), target=DOWN)


def test_audit_when_only_what_is_high_can_fall_far_then_its_height_is_a_notice():
    rows = market(coins=60)
    deep = replace(DOWN, min_percent_change=7)
    ones = answers(rows, deep) == 1
    # High wherever it falls, and as high at one in a hundred of the others.
    column = np.where(ones | share(rows, 0.01), 5.0, 1.0)

    notices = audited(dataset(with_column(rows, "is_koth", column), target=deep), target=deep).notices

    assert [notice.code for notice in notices] == ["suspicious_feature"]
    assert notices[0].message.startswith("is_koth alone tells the answer with ROC AUC 0.99")


def test_audit_of_a_column_that_names_the_ones_of_few_coins_passes_as_it_may_be_their_price():
    rows = market(coins=12)
    data = dataset(with_column(rows, "is_koth", leak(rows, rows.coin < 9)))

    assert {notice.code for notice in audited(data).notices} <= {"features_not_audited"}


def test_audit_when_nearly_every_row_is_positive_then_a_pure_range_is_no_proof():
    rows = market(coins=60)
    easy = replace(UP, future_minutes=15, min_percent_change=0.1, label_mode="within_horizon")
    true = answers(rows, easy)
    column = np.where(share(rows, np.where(true == 1, 0.6, 0.02)), 1.0, 0.0)
    data = dataset(with_column(rows, "is_koth", column), target=easy)
    assert data.answers.mean() > 0.85

    assert audited(data, target=easy).notices == ()


def audited_with_few(rows, *, ones):
    """Audit a dataset of whose fitting rows so many are positive, of all coins."""
    data = dataset(rows)
    split = divide(data, test_size=0.2, horizon_us=UP.horizon)
    positive = np.flatnonzero(data.answers[split.fit] == 1)
    fit = np.delete(split.fit, np.random.default_rng(1).permutation(positive)[ones:])
    return audit(data, replace(split, fit=fit), recipe(), target=UP, horizon_us=UP.horizon)


def test_audit_when_answers_are_rare_then_it_says_that_single_features_were_not_judged():
    found = audited_with_few(market(), ones=90)

    assert found.strongest_features == ()
    (notice,) = found.notices
    assert notice.code == "features_not_audited"
    assert notice.message.startswith("the rows to fit on hold 90 of the rarer answer")


def test_audit_when_answers_are_rare_and_a_column_errs_nowhere_then_it_is_named():
    rows = market()

    with pytest.raises(JobFailed, match=r"feature is_koth alone tells the answer of all \d+ rows .* 60 of the rarer"):
        audited_with_few(with_column(rows, "is_koth", answers(rows)), ones=60)


def test_audit_when_a_column_that_errs_nowhere_may_be_luck_then_it_is_not_blamed():
    rows = market()

    (notice,) = audited_with_few(with_column(rows, "is_koth", answers(rows)), ones=40).notices

    assert notice.code == "features_not_audited"
