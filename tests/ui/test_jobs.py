"""The pages of jobs: the list, and one job on its way and at its end."""

import re

import pytest

from streamlit_ui.app_pages import job_stages, job_words, jobs
from streamlit_ui.app_pages.first_answer import FirstAnswer
from streamlit_ui.app_pages.job_words import positions
from tests.support.fake_services import Problem
from tests.support.ui_jobs import fold, job, listed, log, model, trial
from tests.support.ui_page import all_words
from tests.ui.conftest import Fakes, Open

STEPS = ("load: reading", "label: 10 rows", "features: 3", "split: 9 rows", "audit: laws", "cross-validate: 3 folds")


def test_list_when_nobody_asked_for_anything_then_says_so(fakes: Fakes, open_page: Open):
    fakes.training.get("/queue", listed())
    test = open_page("jobs")
    assert not test.exception
    assert "No jobs yet" in test.info[0].value


def test_list_when_jobs_are_there_then_tells_name_stage_and_place_in_the_queue(fakes: Fakes, open_page: Open):
    waiting = job(5, status="PENDING", started_at=None, progress=0.0, progress_msg=None, model_name="Next")
    first = job(4, status="PENDING", started_at=None, progress=0.0, priority=9)
    tested = job(
        2, job_type="TEST", status="COMPLETED", model_name=None, test_model_id=7, request={"priority": 5},
        progress=1.0, progress_msg="model 7 is measured: test result 1",
    )  # fmt: skip
    fakes.training.get(
        "/queue", lambda asked: listed(waiting, first) if asked.query.get("status") else listed(waiting, job(), tested)
    )
    fakes.training.get("/models/7", model(7, name="Pump seven"))
    test = open_page("jobs")
    assert not test.exception
    table = test.dataframe[0].value
    assert table["name"].tolist() == ["Next", "Pump 30", "Test of Pump seven"]
    assert table["message"].tolist()[0] == "number 2 in the queue"
    assert table["message"].tolist()[1].startswith("cross-validate: fold 2 of 3, average precision 0.275 · about ")
    assert table["progress"].tolist() == [0, 50, 100]


def test_list_when_filtered_then_the_address_is_what_is_asked_for(fakes: Fakes, open_page: Open):
    fakes.training.get("/queue", listed(job(), total=60))
    test = open_page("jobs", status="RUNNING", type="TRAIN", page="2")
    assert not test.exception
    asked = fakes.training.asked[0].query
    assert (asked["status"], asked["job_type"], asked["limit"], asked["offset"]) == ("RUNNING", "TRAIN", "25", "25")


def test_list_when_the_selection_changes_then_it_begins_with_its_first_page(fakes: Fakes, open_page: Open):
    fakes.training.get("/queue", listed(job(), total=60))
    test = open_page("jobs", page="2")
    assert not test.exception
    test.pills(key="pick_status").set_value("RUNNING").run()
    asked = fakes.training.asked[-1].query
    assert (asked["status"], asked["offset"]) == ("RUNNING", "0")
    assert "page" not in test.query_params


def test_list_when_a_job_was_added_then_a_click_means_the_row_that_was_seen(
    fakes: Fakes, open_page: Open, monkeypatch: pytest.MonkeyPatch
):
    sent_to: list[int] = []
    monkeypatch.setattr(jobs, "go", lambda _name, **query: sent_to.append(query["id"]))
    fakes.training.get("/queue", listed(job(41), job(40)))
    test = open_page("jobs")
    fakes.training.get("/queue", listed(job(42), job(41), job(40)))
    test.session_state["jobs_table"] = {"selection": {"rows": [0], "columns": [], "cells": []}}
    test.run()
    assert sent_to == [41]


@pytest.mark.parametrize("page", ["4", "99999999"])
def test_list_when_the_page_lies_beyond_the_end_then_the_last_one_is_shown(fakes: Fakes, open_page: Open, page: str):
    fakes.training.get("/queue", lambda asked: listed(*([job()] if int(asked.query["offset"]) < 60 else []), total=60))
    test = open_page("jobs", page=page)
    assert not test.exception
    assert max(int(one.query["offset"]) for one in fakes.training.asked) < 1_000_000
    assert (fakes.training.asked[-1].query["offset"], test.query_params["page"]) == ("50", "3")
    assert len(test.dataframe[0].value) == 1


def test_list_when_more_wait_than_are_looked_at_then_no_place_is_made_up(fakes: Fakes, open_page: Open):
    waiting = job(5, status="PENDING", started_at=None, progress=0.0)
    fakes.training.get("/queue", listed(waiting, total=500)).get("/queue/5", waiting).get("/queue/5/log", log(5))
    assert open_page("jobs").dataframe[0].value["message"].tolist() == ["waits for its turn"]
    assert open_page("jobs", id=5).get("progress")[0].proto.text == "0 % · waits for its turn"


def test_list_when_a_measured_model_is_renamed_then_the_new_name_is_shown_after_a_while(
    fakes: Fakes, open_page: Open, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(job_words, "FRESH_SECONDS", 0.0)
    fakes.training.get("/queue", listed(job(2, job_type="TEST", model_name=None, test_model_id=7, request={})))
    fakes.training.get("/models/7", model(7, name="Old"))
    test = open_page("jobs")
    fakes.training.get("/models/7", model(7, name="New"))
    assert test.run().dataframe[0].value["name"].tolist() == ["Test of New"]


def test_list_when_no_job_is_like_the_filter_then_says_so(fakes: Fakes, open_page: Open):
    fakes.training.get("/queue", listed())
    assert "No job matches" in open_page("jobs", status="FAILED").info[0].value


def test_list_when_the_service_is_down_then_offers_to_try_again(fakes: Fakes, open_page: Open):
    fakes.down("training")
    test = open_page("jobs")
    assert not test.exception
    assert "does not answer" in test.error[0].value
    assert test.button(key="retry_training")


def test_job_when_it_runs_then_stages_scores_log_and_time_left_are_shown(fakes: Fakes, open_page: Open):
    told = {"folds": [fold(1, 0.302), fold(2, 0.275)]}
    fakes.training.get("/queue/3", job(interim=told))
    fakes.training.get("/queue/3/log", log(3, "accepted: waits", *STEPS, total=900))
    test = open_page("jobs", id=3)
    assert not test.exception
    found = all_words(test, "code")
    assert ":green-badge[:material/check_circle: audit · 2.0 s]" in found
    assert ":blue-badge[:material/progress_activity: **cross-validate**]" in found
    assert ":gray-badge[:material/radio_button_unchecked: fit]" in found
    assert "Stage 6 of 12" in found
    assert re.search(r"about 6\d seconds left", found)
    assert "2 of 3 folds" in found
    assert "00:00:12  info     cross-validate: 3 folds" in found
    assert "The newest 7 of 900 lines" in found
    assert test.dataframe[0].value["average_precision"].tolist() == [0.302, 0.275]
    assert [one.path for one in fakes.training.asked].count("/queue/3") == 1


def test_answer_of_the_page_when_its_live_part_was_drawn_then_the_next_draw_asks_anew():
    asked = FirstAnswer("told to the page", ask=lambda: "told now")
    assert [asked.latest() for _ in range(3)] == ["told to the page", "told now", "told now"]


def test_job_when_it_searches_then_the_best_trial_stands_first(fakes: Fakes, open_page: Open):
    told = {"trials": [trial(0, 0.29), trial(1, None), trial(2, 0.31)]}
    fakes.training.get("/queue/3", job(job_type="TUNE", interim=told, request={"trials": 30}))
    fakes.training.get("/queue/3/log", log(3, *STEPS[:5], "tune: 30 trials"))
    test = open_page("jobs", id=3)
    assert not test.exception
    assert test.dataframe[0].value["trial"].tolist() == [3, 1, 2]
    assert test.dataframe[0].value["state"].tolist() == ["scored", "scored", "given up early"]
    assert "**search**" in all_words(test, "code")
    assert "3 of 30 trials" in all_words(test, "code")


def test_job_when_it_failed_then_the_stage_the_sentence_and_a_way_on_are_shown(fakes: Fakes, open_page: Open):
    sentence = "all 99620 rows have the same answer"
    warned = [{"code": "base_rate", "message": sentence}, {"code": "few_rows", "message": "few rows"}]
    fakes.training.get("/queue/3", job(status="FAILED", error_msg=sentence, warnings=warned, progress_msg="load: x"))
    fakes.training.get("/queue/3/log", log(3, *STEPS[:2], sentence, level="error"))
    fakes.training.on("POST", "/queue/3/retry", job(status="PENDING"))
    test = open_page("jobs", id=3)
    assert not test.exception
    assert test.error[0].value.startswith(sentence)
    assert "look at the preflight" in test.error[0].value
    assert [one.value for one in test.warning] == ["**Few rows**: few rows"]
    assert ":red-badge[:material/cancel: **label**" in all_words(test, "code")
    assert f"error    {sentence}" in test.code[0].value
    test.button(key="retry").click().run()
    assert [(one.method, one.path) for one in fakes.training.changes()] == [("POST", "/queue/3/retry")]


def test_job_when_it_is_to_stop_then_asks_first(fakes: Fakes, open_page: Open):
    fakes.training.get("/queue/3", job())
    fakes.training.get("/queue/3/log", log())
    fakes.training.on("POST", "/queue/3/cancel", job(status="CANCELLED"))
    test = open_page("jobs", id=3)
    test.button(key="cancel").click().run()
    assert fakes.training.changes() == []
    # Drawn whole each time, the page asks again only where it was asked to.
    test.button(key="cancel").click()
    test.button(key="confirm_do").click().run()
    assert [one.path for one in fakes.training.changes()] == ["/queue/3/cancel"]


def test_job_when_a_model_came_of_it_then_its_figures_stand_there(fakes: Fakes, open_page: Open):
    done = job(status="COMPLETED", progress=1.0, progress_msg="model 7 is ready", result_model_id=7)
    done = done.model_copy(update={"result_model": model(7), "completed_at": done.started_at})
    fakes.training.get("/queue/3", done)
    fakes.training.get("/queue/3/log", log(3, *STEPS, "fit: 9 rows", "model 7 is ready"))
    test = open_page("jobs", id=3)
    assert not test.exception
    assert {one.label: one.value for one in test.metric} | {"Precision": "0.270", "ROC AUC": "0.745"} == {
        one.label: one.value for one in test.metric
    }
    assert "remove_circle_outline: calibrate" in all_words(test, "code")
    assert not any(one.key == "cancel" for one in test.button)


def test_job_when_it_waits_then_tells_its_place(fakes: Fakes, open_page: Open):
    waiting = job(status="PENDING", started_at=None, progress=0.0, progress_msg=None)
    fakes.training.get("/queue", listed(waiting, job(2, status="PENDING")))
    fakes.training.get("/queue/3", waiting)
    fakes.training.get("/queue/3/log", log())
    test = open_page("jobs", id=3)
    assert not test.exception
    assert test.get("progress")[0].proto.text == "0 % · waits: number 2 of 2 in the queue"


@pytest.mark.parametrize("asked", ["999", "nonsense"])
def test_job_when_unknown_then_says_so(fakes: Fakes, open_page: Open, asked: str):
    fakes.training.get("/queue/999", Problem(404, "there is no job 999", code="not_found"))
    fakes.training.get("/queue", listed())
    test = open_page("jobs", id=asked)
    assert not test.exception
    assert f"There is no job {asked}" in test.error[0].value


def test_job_when_the_service_vanishes_in_the_middle_then_a_banner_stands_there(fakes: Fakes, open_page: Open):
    fakes.training.get("/queue/3", job())
    fakes.training.get("/queue/3/log", log())
    test = open_page("jobs", id=3)
    fakes.down("training")
    test.run()
    assert not test.exception
    assert "does not answer" in test.error[0].value


def test_job_when_german_then_speaks_german(fakes: Fakes, open_page: Open):
    fakes.training.get("/queue/3", job())
    fakes.training.get("/queue/3/log", log(3, *STEPS))
    found = all_words(open_page("jobs", id=3, lang="de"), "code")
    assert "kreuzvalidieren" in found
    assert "Auftrag 3 · Training · erteilt vor" in found


def test_stages_when_a_job_is_run_again_then_only_the_latest_attempt_counts():
    again = log(3, *STEPS, "load: reading", "label: 10 rows")
    states = {one.name: one.state for one in job_stages.stages(job(), again.lines)}
    assert (states["load"], states["label"], states["features"]) == ("done", "present", "ahead")


def test_stages_when_the_request_leaves_some_out_then_they_are_not_shown():
    plain = job(request={"use_timeseries_split": False, "calibrate": False})
    full = job(request={"use_smote": True, "refit": True})
    assert {"cross-validate", "calibrate", "resample", "refit", "tune"}.isdisjoint(job_stages.expected(plain))
    assert {"cross-validate", "calibrate", "resample", "refit"} <= set(job_stages.expected(full))


def test_positions_when_jobs_wait_then_priority_goes_before_age():
    waiting = [job(1), job(2, priority=9), job(3)]
    assert positions(waiting) == {2: 1, 1: 2, 3: 3}
