"""Wire models of tests and comparisons: how to ask for them, and what they found."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from shared.contracts.fields import Id
from shared.contracts.model_request import Timestamp
from shared.contracts.training import Answer, Confusion, JsonObject, Request, Warned

FEWEST, MOST = 2, 5
_ONE_FORM = "takes either model_ids or model_a_id and model_b_id"


class _Window(Request):
    test_start: Timestamp = Field(description="First moment of the rows to measure on")
    test_end: Timestamp = Field(description="Last moment of the rows, included; labels may look further")
    priority: Annotated[int, Field(ge=0, le=100)] = Field(5, description="Higher ones run first")

    @field_validator("test_end")
    @classmethod
    def check_window(cls, value: datetime, info: ValidationInfo) -> datetime:
        """Refuse a window that ends before it starts."""
        start = info.data.get("test_start")
        if start is not None and value <= start:
            raise ValueError("must be later than test_start")
        return value


class TestModel(_Window):
    """A window to measure a model on."""

    __test__ = False


class CompareModels(_Window):
    """Two to five models to measure on the same rows: `model_ids`, or `model_a_id` and `model_b_id`."""

    model_ids: Annotated[list[Id], Field(min_length=FEWEST, max_length=MOST, json_schema_extra={"uniqueItems": True})]

    @model_validator(mode="before")
    @classmethod
    def read_pair(cls, data: Any) -> Any:
        """Take the two models of the form model_a_id, model_b_id."""
        pair = ("model_a_id", "model_b_id")
        if not isinstance(data, dict) or not any(name in data for name in pair):
            return data
        if "model_ids" in data or not all(name in data for name in pair):
            raise ValueError(_ONE_FORM)
        rest = {name: value for name, value in data.items() if name not in pair}
        return {**rest, "model_ids": [data[name] for name in pair]}

    @model_validator(mode="after")
    def check_different(self) -> Self:
        """Refuse a model that is named twice."""
        twice = sorted({model_id for model_id in self.model_ids if self.model_ids.count(model_id) > 1})
        if twice:
            raise ValueError(f"model {twice[0]} is named twice: a comparison needs different ones")
        return self


class TestResult(Answer):
    """A model measured on a window, beside what training said of it."""

    __test__ = False

    id: int
    model_id: int
    test_start: datetime
    test_end: datetime
    accuracy: float | None
    f1_score: float | None
    precision_score: float | None
    recall: float | None
    roc_auc: float | None = Field(description="null where the window holds one answer only")
    mcc: float | None = Field(description="null where the window holds one answer only")
    fpr: float | None
    fnr: float | None
    simulated_profit_pct: float | None
    expected_value_pct: float | None = Field(
        description="Mean return of all alerts after costs in percent, answered or not"
    )
    confusion_matrix: Confusion | None
    tp: int | None
    tn: int | None
    fp: int | None
    fn: int | None
    num_samples: int | None
    num_positive: int | None
    num_negative: int | None
    has_overlap: bool = Field(description="The window starts before training and its horizon had ended")
    overlap_note: str | None
    train_accuracy: float | None
    train_f1: float | None
    train_precision: float | None
    train_recall: float | None
    accuracy_degradation: float | None = Field(description="train_accuracy - accuracy")
    f1_degradation: float | None = Field(description="train_f1 - f1_score")
    is_overfitted: bool | None = Field(description="accuracy_degradation is above 0.1")
    test_duration_days: float | None
    metrics: JsonObject | None = Field(None, description="Curves, periods, money; left out of lists and jobs")
    warnings: list[Warned]
    job_id: int | None
    created_at: datetime
    updated_at: datetime = Field(description="When it was tested last")


class TestResultList(Answer):
    """Test results, newest first, and how many there are."""

    __test__ = False

    test_results: list[TestResult]
    total: int


class Comparison(Answer):
    """Models measured on the rows they share."""

    id: int
    model_ids: list[int]
    model_a_id: int | None
    model_b_id: int | None
    test_start: datetime
    test_end: datetime
    test_result_ids: list[int] = Field(description="Each model on all of its own rows, in the order of model_ids")
    winner_id: int | None = Field(description="null: none is proved better than every other")
    results: JsonObject | None = Field(
        None, description="Rule, verdict, figures on the shared rows, paired differences; left out of lists and jobs"
    )
    warnings: list[Warned]
    job_id: int | None
    created_at: datetime


class ComparisonList(Answer):
    """Comparisons, newest first, and how many there are."""

    comparisons: list[Comparison]
    total: int
