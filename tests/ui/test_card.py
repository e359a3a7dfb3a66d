"""The card of a model: every section, none of them, and what can be done from it."""

import pytest

from shared.contracts.prediction import ImportedModel
from streamlit_ui.charts import curves, features, periods
from tests.support.fake_services import Problem
from tests.support.ui_active import active, actives
from tests.support.ui_models import NOON, bare_card, full_card, listed, model, queued, result
from tests.support.ui_page import all_words, figures, press
from tests.ui.conftest import Fakes, Open

TABS = ("performance", "money", "robustness", "features", "audit", "data", "lineage")


@pytest.fixture(autouse=True)
def answers(fakes: Fakes) -> None:
    fakes.training.get("/models/7/card", full_card(7))
    fakes.training.get("/models", listed(model(7), model(8)))
    fakes.training.get("/test-results", {"test_results": [result().model_dump(mode="json")], "total": 1})
    fakes.prediction.get("/models/active", actives())


@pytest.mark.parametrize(("tab", "language"), [*((tab, "de") for tab in TABS), ("performance", "en")])
def test_card_when_every_section_is_there_then_each_tab_is_drawn(open_page: Open, tab: str, language: str):
    test = open_page("models", id=7, tab=tab, lang=language)
    assert not test.exception
    assert not test.error
    assert "below 0.5" in test.warning[0].value


@pytest.mark.parametrize("tab", TABS)
def test_card_when_no_section_is_there_then_each_tab_says_so(fakes: Fakes, open_page: Open, tab: str):
    fakes.training.get("/models/7/card", bare_card(7, run_key=None, model_file_sha256=None))
    fakes.training.get("/test-results", {"test_results": [], "total": 0})
    test = open_page("models", id=7, tab=tab)
    assert not test.exception
    assert any("not recorded" in one.value for one in test.info)


def test_performance_when_drawn_then_the_figures_are_those_of_the_hold_out(open_page: Open):
    found = figures(open_page("models", id=7))
    assert found["Average precision"] == "0.480"
    assert found["Lift over guessing"] == "3.0 ×"
    assert found["Base rate"] == "16.0 %"
    assert found["Brier score"] == "0.0900"


def test_threshold_when_moved_then_its_figures_follow_and_the_address_keeps_it(open_page: Open):
    test = open_page("models", id=7)
    assert (figures(test)["Precision"], figures(test)["Sum of all returns"]) == ("60.0 %", "+325 %")
    test.select_slider(key="threshold_7").set_value(0.2).run()
    found = figures(test)
    assert (found["Precision"], found["Recall"], found["Sum of all returns"]) == ("30.0 %", "80.0 %", "-1,000 %")
    assert test.query_params["threshold"] == "0.2"
    test.button(key="threshold_7_alert").click().run()
    assert figures(test)["Recall"] == "37.5 %"


def test_threshold_when_the_alert_threshold_is_none_of_the_curve_then_its_own_figures_are_shown(
    fakes: Fakes, open_page: Open
):
    card = full_card(7)
    assert card.confusion
    card.thresholds.alert = 0.60012
    card.confusion.at_alert_threshold.precision = 0.611
    fakes.training.get("/models/7/card", card)
    test = open_page("models", id=7)
    assert figures(test)["Precision"] == "61.1 %"
    assert figures(test)["Sum of all returns"] == "+130 %"
    # Thresholds that differ read differently.
    assert test.select_slider(key="threshold_7").options == ["0.2000", "0.6000", "0.6001", "0.9000"]


@pytest.mark.parametrize(("told", "precision"), [("0.9", "80.0 %"), ("0.88", "80.0 %"), ("nan", "60.0 %")])
def test_threshold_when_the_address_names_one_then_the_nearest_measured_is_shown(
    open_page: Open, told: str, precision: str
):
    assert figures(open_page("models", id=7, threshold=told))["Precision"] == precision


def test_money_when_drawn_then_each_way_of_counting_has_its_interval_and_the_costs_are_told(open_page: Open):
    words = all_words(open_page("models", id=7, tab="money"), "code")
    assert "+1.25 % … +5.50 %" in words
    assert "an interval needs 10 stretches" in words
    assert "Fee **1.00 %** each way" in words
    assert "6 alerts have no known price" in words


def test_money_when_a_falling_price_is_asked_about_then_it_says_why_there_is_none(fakes: Fakes, open_page: Open):
    card = full_card(7, target_direction="down").model_copy(update={"money": None})
    fakes.training.get("/models/7/card", card)
    assert "only a question about a rising price" in all_words(open_page("models", id=7, tab="money"), "code")


def test_robustness_when_the_gap_is_wide_then_it_is_called_overfitted(open_page: Open):
    test = open_page("models", id=7, tab="robustness")
    found, words = figures(test), all_words(test, "code")
    assert (found["Worst stretch"], found["Better than guessing"]) == ("0.120", "2 of 3")
    assert (found["Overfitting gap"], found["Gap of average precision"]) == ("0.150", "0.200")
    assert "red-badge" in words
    assert "overfitted" in words


def test_robustness_when_a_fold_has_no_score_then_the_others_keep_their_places(fakes: Fakes, open_page: Open):
    card = full_card(7)
    assert card.cross_validation
    card.cross_validation.scores |= {
        "train_average_precision": [0.5, 0.6, 0.7], "test_average_precision": [0.1, None, 0.3],
        "test_f1": [None, None, 0.2],
    }  # fmt: skip
    fakes.training.get("/models/7/card", card)
    test = open_page("models", id=7, tab="robustness")
    assert not test.exception
    assert figures(test)["Gap of average precision"] == "0.400"
    table = next(one.value for one in test.dataframe if "fold" in one.value)
    assert list(table["fold"]) == [1, 2, 3]
    assert list(table["test_f1"].isna()) == [True, True, False]
    drawn = periods.folds([0.5, 0.6, 0.7], [0.1, None, 0.3], title="Score").to_dict()["datasets"].values()
    unseen = [{(one["fold"], one["score"]) for one in rows if "score" in one} for rows in drawn]
    assert {("1", 0.5), ("2", 0.6), ("3", 0.7), ("1", 0.1), ("3", 0.3)} in unseen


def test_features_when_another_is_chosen_then_its_missing_share_is_shown(open_page: Open):
    test = open_page("models", id=7, tab="features")
    assert test.selectbox(key="pick_feature").value == "price_change_5"
    assert figures(test)["Missing"] == "50.00 %"
    test.selectbox(key="pick_feature").set_value("num_buys").run()
    assert figures(test)["Missing"] == "12.50 %"


def test_audit_when_drawn_then_each_check_has_result_and_bound(open_page: Open):
    words = all_words(open_page("models", id=7, tab="audit"), "code")
    assert "200 rows of 19 coins are equal bit for bit" in words
    assert "0 rows reach over; 50 rows were left out" in words
    assert "ROC AUC 0.520 where 0.450 to 0.550 is chance" in words
    assert words.count("passed") == 3
    assert "notable" in words


def test_data_when_drawn_then_rows_readings_and_reasons_are_told(open_page: Open):
    test = open_page("models", id=7, tab="data")
    assert figures(test)["Unresolved"] == "16.7 %"
    assert list(test.dataframe[0].value["resolved"]) == [1000, 1100]
    assert "the coin was not seen afterwards: 90 · of_tomorrow: 10" in all_words(test, "code")


def test_lineage_when_drawn_then_hashes_request_and_file_are_there_and_nothing_is_loaded(fakes: Fakes, open_page: Open):
    test = open_page("models", id=7, tab="lineage")
    words = all_words(test, "code")
    assert "ab" * 32 in words
    assert '"seed": 42' in words
    assert not [one for one in fakes.training.asked if one.path.endswith("/download")]


@pytest.mark.usefixtures("fakes")
def test_pictures_when_drawn_then_they_are_as_the_schema_wants():
    card = full_card(7)
    assert card.curves
    assert card.confusion
    assert card.calibration
    points = card.curves.threshold
    marks = [curves.Mark(name=str(one.threshold), threshold=one.threshold, point=one) for one in points[:2]]
    steps = [periods.Step(start=NOON, value=0.5, beside=0.1, told="3 rows"), periods.Step(start=NOON, value=None)]
    for chart in (
        curves.precision_recall({"one": card.curves.precision_recall or []}, base_rate=0.1, marks=marks),
        curves.rates_by_threshold(points, marks),
        curves.calibration({"one": card.calibration.after, "two": card.calibration.after}),
        curves.confusion(card.confusion.at_half),
        features.permutation(card.importance.permutation or {}, ["num_buys"]),
        periods.over_time(steps, title="Share", unit="share", beside="Base", zero=True),
        periods.waterfall([("all", 0, 10), ("− gone", 8, 10)], whole=10),
    ):
        assert chart.to_dict(validate=True)["layer"]


def test_card_when_there_is_no_such_model_then_it_says_so(fakes: Fakes, open_page: Open):
    fakes.training.get("/models/9/card", Problem(404, "There is no model 9"))
    test = open_page("models", id=9)
    assert "no model 9" in test.info[0].value


def test_card_when_prediction_is_down_then_the_card_is_shown_all_the_same(fakes: Fakes, open_page: Open):
    fakes.down("prediction")
    test = open_page("models", id=7, tab="data")
    assert not test.exception
    assert "does not answer" in test.error[0].value
    assert figures(test)["Unresolved"] == "16.7 %"
    assert test.button(key="act_import").disabled


def test_card_when_training_goes_down_in_the_middle_then_there_is_a_banner(fakes: Fakes, open_page: Open):
    test = open_page("models", id=7, tab="lineage")
    fakes.down("training")
    test.run()
    assert not test.exception
    assert "does not answer" in test.error[0].value


def test_card_when_imported_then_it_leads_to_manage_instead_of_importing(fakes: Fakes, open_page: Open):
    fakes.prediction.get("/models/active", actives(active(3, model_id=7, mode="shadow")))
    test = open_page("models", id=7)
    assert "act_import" not in {one.key for one in test.button}
    assert "predicts as a shadow" in all_words(test, "code")
    links = {one.proto.label: one.proto for one in test.get("page_link")}
    assert "Use 0.600 in operation" in links


def test_import_when_asked_as_shadow_then_that_is_sent(fakes: Fakes, open_page: Open):
    done = ImportedModel(active_model_id=3, model_id=7, model_name="Pump 7", local_path="/m.zip")
    fakes.prediction.on("POST", "/models/import", done)
    test = open_page("models", id=7, tab="lineage")
    test.button(key="act_import").click().run()
    test.radio(key="import_mode").set_value("shadow")
    test.text_input(key="import_line").set_value("pump30")
    press(test, "act_import", "import_do")
    assert fakes.prediction.changes()[-1].json == {"model_id": 7, "mode": "shadow", "line": "pump30"}


def test_import_when_refused_then_the_reason_is_shown(fakes: Fakes, open_page: Open):
    fakes.prediction.on("POST", "/models/import", Problem(409, "model 7 is imported already"))
    test = open_page("models", id=7, tab="lineage")
    press(test, "act_import")
    press(test, "act_import", "import_do")
    assert "imported already" in test.error[0].value


def test_test_when_asked_then_the_rows_after_training_are_filled_in(fakes: Fakes, open_page: Open):
    fakes.training.on("POST", "/models/7/test", queued(12))
    test = open_page("models", id=7, tab="lineage")
    press(test, "act_test")
    press(test, "act_test", "test_do")
    sent = fakes.training.changes()[-1].json
    assert sent["test_start"].startswith("2026-03-01T12:11:00")
    assert sent["test_end"] > sent["test_start"]


def test_rename_when_saved_then_only_what_changed_is_sent(fakes: Fakes, open_page: Open):
    fakes.training.on("PATCH", "/models/7", model(7, name="Better"))
    test = open_page("models", id=7, tab="lineage")
    test.button(key="act_change").click().run()
    test.text_input(key="change_name").set_value("Better")
    press(test, "act_change", "change_do")
    assert fakes.training.changes()[-1].json == {"name": "Better"}


def test_delete_when_the_name_is_not_typed_then_nothing_is_deleted(fakes: Fakes, open_page: Open):
    fakes.training.on("DELETE", "/models/7", None)
    test = open_page("models", id=7, tab="lineage")
    test.button(key="act_delete").click().run()
    assert test.button(key="confirm_do").disabled
    test.text_input(key="confirm_typed").set_value("Pump 7")
    press(test, "act_delete")
    assert not fakes.training.changes()
    press(test, "act_delete", "confirm_do")
    assert [(one.method, one.path) for one in fakes.training.changes()] == [("DELETE", "/models/7")]


def test_card_when_deleted_then_nothing_can_be_done_with_it(fakes: Fakes, open_page: Open):
    fakes.training.get("/models/7/card", full_card(7, is_deleted=True))
    test = open_page("models", id=7, tab="lineage")
    assert "deleted" in all_words(test, "code")
    assert all(test.button(key=f"act_{name}").disabled for name in ("import", "test", "compare", "change", "delete"))
