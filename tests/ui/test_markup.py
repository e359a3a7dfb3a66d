"""Words of others: no page takes them for Markdown of its own."""

from collections.abc import Callable
from typing import Any

import pytest

from shared.contracts.candle_feeds import CandleFeeds
from shared.contracts.deliveries import Deliveries
from streamlit_ui.formats import code, plain
from tests.support import ui_active, ui_delivery, ui_jobs, ui_models, ui_overview, ui_packages, ui_predictions
from tests.support import ui_system as system
from tests.support.fake_services import Problem
from tests.support.ui_hostile import HOSTILE, MARK, markdown, meant, poison
from tests.ui.conftest import Fakes, Open


def _overview(fakes: Fakes) -> None:
    ui_overview.running(fakes.prediction, fakes.training)
    broken = ui_overview.service_statistics(workers=[ui_overview.worker(trouble="x")])
    fakes.prediction.get("/stats", broken)


def _predictions(fakes: Fakes) -> None:
    ui_predictions.predicting(fakes.prediction, [ui_predictions.prediction()])
    sent = ui_predictions.delivery(last_error="x")
    fakes.prediction.get("/webhook-deliveries", Deliveries(deliveries=[sent], next_cursor=None))
    fakes.prediction.get("/webhooks", {"webhooks": [ui_overview.endpoint(id=3).model_dump(mode="json")], "total": 1})
    fakes.training.get("/phases", ui_predictions.phases())


def _models(fakes: Fakes) -> None:
    training = fakes.training
    training.get("/models/7/card", ui_models.full_card(7)).get("/models/7", ui_models.model(7))
    training.get("/models/8", ui_models.model(8)).get("/models", ui_models.listed(ui_models.model(7)))
    training.get("/test-results/5", ui_models.result()).get("/comparisons/4", ui_models.compared())
    fakes.prediction.get("/models/active", ui_active.actives())


def _active(fakes: Fakes) -> None:
    model, live = ui_active.active(3, mode="shadow", line="l"), ui_active.active(4, line="l")
    answers = fakes.prediction.get("/models/active", ui_active.actives(model, live)).get("/models/3", model)
    answers.get("/promotions", ui_active.promotions(ui_active.promotion()))
    answers.get("/models/3/challenge", ui_active.challenge(3, missing=["x"]))
    answers.get("/stats", ui_active.service_statistics()).get("/models/3/statistics", ui_active.statistics(3))
    answers.get("/models/available", ui_active.availables(ui_active.available(13)))
    fakes.training.get("/phases", ui_active.PHASES).get("/models/13/card", ui_active.card(13, warnings=("x",)))


def _packages(fakes: Fakes) -> None:
    ui_packages.serve(fakes.prediction, ui_packages.package("mine", status="READY", warmup_status="FAILED"))
    account = ui_packages.account(auto_trade=True, symbol="x", trouble="x")
    fakes.prediction.get("/paper/dashboard/mine", ui_packages.dashboard(account, opens=False, reason="x"))
    fakes.prediction.get("/candles/feeds", CandleFeeds(feeds=[system.feed(error="x", note="x")]))


def _delivery(fakes: Fakes) -> None:
    endpoint = ui_delivery.endpoint(3, enabled=False, disabled_reason="x", last_error=ui_delivery.refused(error="x"))
    ui_delivery.serve(fakes.prediction, endpoint)


def _jobs(fakes: Fakes) -> None:
    warned = [{"code": "x", "message": "x"}, {"code": "y", "message": "y"}]
    fakes.training.get("/queue/3", ui_jobs.job(status="FAILED", error_msg="x", warnings=warned))
    fakes.training.get("/queue/4", ui_jobs.job(4)).get("/queue/4/log", ui_jobs.log(4, "load: x"))
    fakes.training.get("/queue/3/log", ui_jobs.log(3, "load: x"))


def _train(fakes: Fakes) -> None:
    ui_jobs.catalogue(fakes.training)
    fakes.training.on("POST", "/models/preflight", ui_jobs.report(errors=["x"], missing_columns=["x"]))
    fakes.training.get("/models/7", ui_jobs.model(7))


def _system(fakes: Fakes) -> None:
    system.serve(fakes.prediction, fakes.training, workers=[system.worker(trouble="x")])
    fakes.prediction.get("/health", system.health(status="degraded", last_error="x"))


def _refusing(fakes: Fakes) -> None:
    fakes.training.get("/queue", Problem(422, "x"))


@pytest.mark.parametrize(
    ("page", "query", "serve", "but"),
    [
        ("overview", {}, _overview, {"unit"}),
        ("predictions", {"coin": ui_predictions.COIN, "prediction": 1}, _predictions, set()),
        ("statistics", {}, _active, set()),
        ("statistics", {"model": 3}, _active, set()),
        ("import", {}, _active, set()),
        ("import", {"model": 13}, _active, set()),
        ("manage", {"model": 3}, _active, set()),
        ("manage", {"model": 3, "tab": "promotion"}, _active, set()),
        ("models", {"id": 7, "tab": "money"}, _models, set()),
        ("models", {"id": 7, "tab": "audit"}, _models, set()),
        ("models", {"id": 7, "tab": "data"}, _models, set()),
        ("models", {"test": 5}, _models, set()),
        ("models", {"comparison": 4}, _models, set()),
        ("packages", {"model": "mine", "tab": "manifest"}, _packages, {"name", "symbol", "arch", "activation"}),
        ("packages", {"model": "mine", "tab": "paper"}, _packages, set()),
        ("packages", {"view": "candles"}, _packages, set()),
        ("delivery", {}, _delivery, set()),
        ("delivery", {"endpoint": 3}, _delivery, set()),
        ("delivery", {"delivery": 9}, _delivery, set()),
        ("jobs", {"id": 3}, _jobs, set()),
        ("jobs", {"id": 4}, _jobs, set()),
        ("jobs", {}, _refusing, set()),
        ("train", {"from_model": 7}, _train, {"name", "target_variable"}),
        ("system", {}, _system, set()),
    ],
)
def test_page_when_words_of_a_service_are_markdown_then_they_are_shown_as_they_came(
    fakes: Fakes, open_page: Open, page: str, query: dict[str, Any], serve: Callable[[Fakes], None], but: set[str]
):
    serve(fakes)
    for service in (fakes.prediction, fakes.training):
        poison(service, but=frozenset(but))
    test = open_page(page, **query)
    assert not test.exception
    shown = markdown(test)
    assert any(MARK in text for text in shown)
    assert [(found, text) for text in shown if (found := meant(text))] == []


def test_words_when_they_are_markdown_then_nothing_of_them_is_meant():
    assert meant(HOSTILE) == meant(f"**`{HOSTILE}`**") == "]("
    assert meant(plain(HOSTILE)) is meant(code(HOSTILE)) is None
    assert [plain(one) for one in ("- a", "1. b", "# c", "__d__", "1.5", "-2 %", "a_b")] == [
        "\\- a", "1\\. b", "\\# c", "\\_\\_d\\_\\_", "1.5", "-2 %", "a_b",
    ]  # fmt: skip
