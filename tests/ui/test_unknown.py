"""Packages, delivery and system when everything that may be unknown is: no figure is taken for granted."""

from typing import Any, get_args

import pytest
from pydantic import BaseModel

from tests.support import ui_delivery, ui_packages, ui_system
from tests.support.fake_services import FakeService
from tests.ui.conftest import Fakes, Open

PACKAGES = [{"model": "mine", "tab": tab} for tab in ("signal", "paper", "equity", "manifest", "files")]
DELIVERY = [{}, {"endpoint": 3}, {"endpoint": 3, "edit": 1}, {"endpoint": 3, "test": 9}, {"delivery": 9}]
SYSTEM = [{}, {"view": "books"}, {"view": "configuration"}]


def bare(value: Any) -> Any:
    """Give a wire model in which all that may be null is."""
    if isinstance(value, BaseModel):
        fields = type(value).model_fields.items()
        told = {
            name: None if type(None) in get_args(field.annotation) else bare(getattr(value, name))
            for name, field in fields
        }
        return value.model_copy(update=told)
    if isinstance(value, list):
        return [bare(one) for one in value]
    return {key: bare(one) for key, one in value.items()} if isinstance(value, dict) else value


def drawn(page: str, query: dict[str, Any], open_page: Open, *services: FakeService) -> None:
    """Draw a page with answers that are bare; nothing fails, nothing is a service's fault."""
    for service in services:
        before = dict(service.answers)
        service.answers.update({key: bare(answer) for key, answer in before.items()})
        assert service.answers != before
    test = open_page(page, **query)
    assert not test.exception, test.exception
    assert not [one.value for one in test.error if "does not know" in one.value]


@pytest.mark.parametrize("query", [*PACKAGES, {"view": "candles"}])
def test_packages_when_all_that_may_be_unknown_is_then_they_are_drawn(
    fakes: Fakes, open_page: Open, query: dict[str, Any]
):
    ui_packages.serve(fakes.prediction, ui_packages.package("mine"))
    drawn("packages", query, open_page, fakes.prediction)


@pytest.mark.parametrize("query", [*DELIVERY, {"view": "messages"}])
def test_delivery_when_all_that_may_be_unknown_is_then_it_is_drawn(
    fakes: Fakes, open_page: Open, query: dict[str, Any]
):
    ui_delivery.serve(fakes.prediction, ui_delivery.endpoint())
    drawn("delivery", query, open_page, fakes.prediction)


@pytest.mark.parametrize("query", SYSTEM)
def test_system_when_all_that_may_be_unknown_is_then_it_is_drawn(fakes: Fakes, open_page: Open, query: dict[str, Any]):
    ui_system.serve(fakes.prediction, fakes.training)
    drawn("system", query, open_page, fakes.prediction, fakes.training)
