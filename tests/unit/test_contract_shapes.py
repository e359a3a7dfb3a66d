"""What is stored under a name is what the wire model of that name tells."""

import dataclasses

import pytest

from shared import scoring
from shared.contracts import card, card_data, results, training
from training_service.ml import audit, figures, importance, profile, returns, tripwire
from training_service.ml.feature_laws import Laws
from training_service.usecases import task

SAME = [
    (card.CardThresholdPoint, scoring.CurvePoint),
    (card.CardPrecisionPoint, scoring.PrecisionPoint),
    (card.CardRatePoint, scoring.RatePoint),
    (card.CardBin, scoring.CalibrationBin),
    (card.CardFall, importance.Importance),
    (card.CardPeriod, figures.PeriodFigures),
    (card.CardEarnings, returns.Earnings),
    (card_data.CardFeature, profile.FeatureProfile),
    (card_data.CardStretch, profile.PeriodProfile),
    (card_data.CardPhase, profile.PhaseProfile),
    (card_data.CardProfile, profile.Profile),
    (card_data.CardLaws, Laws),
    (card_data.CardSplit, audit.SplitProof),
    (card_data.CardFeatureAuc, tripwire.FeatureAuc),
    (card_data.CardPermuted, audit.PermutedLabels),
    (training.Confusion, scoring.Confusion),
]


def names_of(shape):
    if dataclasses.is_dataclass(shape):
        return {field.name for field in dataclasses.fields(shape)}
    return set(shape.model_fields)


@pytest.mark.parametrize(("wire", "inner"), SAME, ids=lambda shape: shape.__name__)
def test_wire_model_when_a_field_is_added_to_what_it_tells_then_it_has_it_too(wire, inner):
    assert names_of(wire) == names_of(inner)


def test_money_on_the_card_is_that_of_the_alerts_beside_its_costs():
    assert names_of(card.CardMoney) == names_of(returns.Money) | names_of(returns.Costs)


def test_audit_on_the_card_is_all_that_was_proved_but_its_notices():
    assert names_of(card_data.CardAudit) == names_of(audit.Audit) - {"notices"}


def test_result_of_a_test_is_what_was_measured_beside_its_row():
    row = {"id", "job_id", "created_at", "updated_at"}

    assert names_of(results.TestResult) == names_of(task.Tested) - {"kind"} | row


def test_comparison_is_what_was_found_beside_its_row():
    row = {"id", "job_id", "created_at", "model_ids", "model_a_id", "model_b_id", "test_start", "test_end"}

    told = names_of(task.Compared) - {"kind", "tests"} | {"test_result_ids"}
    assert names_of(results.Comparison) == told | row


def test_model_tells_every_column_of_a_finished_training():
    assert names_of(task.Trained) - {"kind", "sha256", "card"} <= names_of(training.Model)
