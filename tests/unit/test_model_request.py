"""What a request for a model may ask."""

import pytest
from pydantic import ValidationError

from shared.contracts.model_request import TRADED, CreateModel
from tests.support.training import body


def by_expected_value(**changes):
    return CreateModel.model_validate({**body(**changes), "alert_threshold_by": "expected_value"})


@pytest.mark.parametrize("column", TRADED)
def test_expected_value_when_the_question_is_about_a_price_one_can_trade_at_then_it_is_taken(column):
    assert by_expected_value(target_var=column).threshold_choice == "expected_value"


@pytest.mark.parametrize("changes", [{"target_var": "price_high"}, {"target_var": "price_open"}, {"direction": "down"}])
def test_expected_value_when_nobody_can_trade_at_what_is_asked_about_then_it_is_refused(changes):
    with pytest.raises(ValidationError, match="needs a question about price_close or market_cap_close going up"):
        by_expected_value(**changes)
