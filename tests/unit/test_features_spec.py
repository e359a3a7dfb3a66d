"""Which features a request gets, and what it is told."""

import pytest

from shared.coin_metrics.columns import BASE_FEATURES
from shared.errors import Invalid, UnknownFeature
from shared.features import FeatureSpec, catalogue
from shared.features.families import FAMILY
from shared.labels import RuleTarget, TimeTarget

RISE = TimeTarget(target_var="price_close", future_minutes=10, min_percent_change=30)


def rule(target_var: str) -> RuleTarget:
    return RuleTarget(target_var=target_var, operator=">", target_value=1.0)


def resolve(*features: str, target=RISE, use_engineered: bool = False, windows=(5, 10, 15)):
    return FeatureSpec.resolve(features, use_engineered=use_engineered, windows=windows, target=target)


def test_resolve_when_features_repeat_then_first_place_counts() -> None:
    spec, notices = resolve("volume_sol", "price_roc_7", "volume_sol", "num_buys")
    assert spec.names == ("volume_sol", "price_roc_7", "num_buys")
    assert notices == ()


def test_resolve_when_engineered_are_asked_for_then_all_families_follow() -> None:
    spec, _ = resolve("price_roc_10", "volume_sol", use_engineered=True, windows=(10, 5, 10))
    assert spec.names[:5] == ("price_roc_10", "volume_sol", "price_change_10", "price_change_5", "price_roc_5")
    assert len(spec.names) == 2 + 7 * 2 - 1


def test_resolve_when_target_is_a_feature_then_taken_out_with_a_notice() -> None:
    spec, (notice,) = resolve("price_close", "price_open")
    assert spec.names == ("price_open",)
    assert notice.code == "target_in_features"
    assert "price_close" in notice.message


LEVELS = ["price_close", "market_cap_close", "virtual_sol_reserves"]
VOLUMES = ["volume_sol", "buy_volume_sol"]
OTHERS = ["price_open", "price_change_5"]


@pytest.mark.parametrize(
    ("target_var", "left"),
    [
        ("price_close", [*VOLUMES, *OTHERS]),
        ("bonding_curve_pct", [*VOLUMES, *OTHERS]),
        ("sell_volume_sol", [*LEVELS, *OTHERS]),
        ("num_buys", [*LEVELS, *VOLUMES, *OTHERS]),
    ],
)
def test_resolve_when_features_answer_a_rule_then_they_are_taken_out(target_var: str, left: list[str]) -> None:
    asked = [*LEVELS, *VOLUMES, *OTHERS]
    spec, notices = resolve(*asked, target=rule(target_var))
    assert list(spec.names) == left
    assert [notice.code for notice in notices] == ["target_in_features"] * (len(asked) - len(left))


def test_resolve_when_one_volume_alone_is_a_feature_then_it_stays() -> None:
    spec, notices = resolve("buy_volume_sol", "num_buys", target=rule("volume_sol"))
    assert spec.names == ("buy_volume_sol", "num_buys")
    assert notices == ()


@pytest.mark.parametrize(
    ("target_var", "asked", "left"),
    [
        ("volume_sol", ["buy_volume_sol", "order_book_imbalance_1"], ["buy_volume_sol"]),
        ("buy_volume_sol", ["order_book_imbalance_1", "num_buys", "volume_sol"], ["num_buys", "volume_sol"]),
        ("volume_sol", ["order_book_imbalance_1", "num_buys"], ["order_book_imbalance_1", "num_buys"]),
        ("volume_sol", ["buy_volume_sol", "order_book_imbalance_2"], ["buy_volume_sol", "order_book_imbalance_2"]),
        ("price_close", ["price_high", "price_low", "price_range_1"], ["price_high", "price_low"]),
        ("bonding_curve_pct", ["price_range_1", "price_high", "price_low"], ["price_high", "price_low"]),
        ("price_high", ["market_cap_close", "price_low", "price_range_1"], ["market_cap_close", "price_low"]),
        ("price_close", ["price_high", "price_range_1"], ["price_high", "price_range_1"]),
        ("num_buys", ["price_close", "price_high", "price_low", "price_range_1"], None),
    ],
)
def test_resolve_when_a_window_of_one_answers_a_rule_then_it_is_taken_out(
    target_var: str, asked: list[str], left: list[str] | None
) -> None:
    spec, notices = resolve(*asked, target=rule(target_var))
    assert list(spec.names) == (left or asked)
    assert [notice.code for notice in notices] == ["target_in_features"] * (len(asked) - len(left or asked))


def test_resolve_when_target_is_a_time_target_then_related_levels_stay() -> None:
    assert resolve("price_close", "market_cap_close")[0].names == ("market_cap_close",)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("price_clos", "price_close"),
        ("price_rox_5", "price_roc_5"),
        ("volatility_10", "price_volatility_10"),
        ("price_change_0", "price_change_5"),
        ("price_change_201", "price_change_10"),
        ("price_change_05", "price_change_5"),
        ("Volume_sol", "volume_sol"),
        ("price_close ", "price_close"),
    ],
)
def test_resolve_when_a_name_is_unknown_then_refused_with_near_names(name: str, near: str) -> None:
    with pytest.raises(UnknownFeature) as caught:
        resolve("volume_sol", name)
    assert repr(name) in caught.value.message
    assert near in caught.value.message
    assert caught.value.pointer == "/features"
    assert caught.value.status == 422


def test_resolve_when_many_long_names_are_unknown_then_the_message_stays_short() -> None:
    with pytest.raises(UnknownFeature) as caught:
        resolve(*[f"{number}" + "x" * 10_000 for number in range(1000)])
    assert len(caught.value.message) < 1000
    assert "995 more" in caught.value.message


@pytest.mark.parametrize("windows", [(0,), (201,), (-5,), tuple(range(1, 12))])
def test_resolve_when_windows_are_out_of_range_then_refused(windows: tuple[int, ...]) -> None:
    with pytest.raises(Invalid) as caught:
        resolve("volume_sol", use_engineered=True, windows=windows)
    assert caught.value.pointer == "/feature_engineering_windows"


def test_resolve_when_named_and_asked_windows_exceed_ten_then_refused() -> None:
    with pytest.raises(Invalid, match="At most 10"):
        resolve("price_roc_50", use_engineered=True, windows=tuple(range(1, 11)))


def test_resolve_when_nothing_is_left_then_refused() -> None:
    with pytest.raises(Invalid, match="No feature is left") as caught:
        resolve("price_close")
    assert caught.value.pointer == "/features"


@pytest.mark.parametrize(
    ("names", "needed"),
    [
        (("price_close", "is_koth"), 1),
        (("volume_ratio_1",), 2),
        (("price_range_15", "is_koth"), 15),
        (("price_change_15",), 16),
        (("price_volatility_200", "price_roc_10"), 200),
    ],
)
def test_history_needed_when_families_differ_then_the_furthest_counts(names: tuple[str, ...], needed: int) -> None:
    assert FeatureSpec(names).history_needed() == needed


def test_base_columns_when_engineered_are_used_then_those_they_read_in_table_order() -> None:
    spec = FeatureSpec(("order_book_imbalance_5", "is_koth", "price_range_5"))
    assert spec.base_columns == (
        "price_high", "price_low", "price_close", "buy_volume_sol", "sell_volume_sol", "is_koth",
    )  # fmt: skip


def test_fingerprint_when_order_or_window_changes_then_changes() -> None:
    prints = {
        FeatureSpec(names).fingerprint
        for names in (("num_buys", "price_roc_5"), ("price_roc_5", "num_buys"), ("num_buys", "price_roc_6"))
    }
    assert len(prints) == 3
    assert FeatureSpec(("num_buys", "price_roc_5")).fingerprint in prints
    assert all(len(print_) == 64 for print_ in prints)


def test_spec_when_a_name_repeats_then_refused() -> None:
    with pytest.raises(Invalid, match="twice"):
        FeatureSpec(("num_buys", "num_buys"))


def test_catalogue_when_listed_then_every_column_and_family_with_unit_and_meaning() -> None:
    listed = catalogue()
    assert [feature.name for feature in listed[:14]] == list(BASE_FEATURES)
    assert {feature.family for feature in listed[14:]} == set(FAMILY)
    assert len(listed) == 14 + 7
    assert listed[0].unit == "SOL per 1e9 tokens"
    assert all(feature.meaning for feature in listed)
    assert all(feature.windows == (5, 10, 15) for feature in listed[14:])
