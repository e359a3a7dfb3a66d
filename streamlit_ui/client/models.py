"""Trained models: lists, cards, files, tests and comparisons."""

from datetime import datetime

from shared.contracts.card import ModelCard
from shared.contracts.results import CompareModels, Comparison, ComparisonList, TestModel, TestResult, TestResultList
from shared.contracts.training import ChangeModel, CreatedJob, Model, ModelList, ModelStatus
from streamlit_ui.client.transport import Service


def list_models(
    training: Service, *, status: ModelStatus | None = None, model_type: str | None = None, search: str | None = None,
    is_deleted: bool = False, limit: int = 100, offset: int = 0,
) -> ModelList:  # fmt: skip
    """Give a page of models, newest first."""
    return training.get(
        "/models", ModelList, status=status, model_type=model_type, search=search, is_deleted=is_deleted, limit=limit,
        offset=offset,
    )  # fmt: skip


def get_model(training: Service, model_id: int) -> Model:
    """Give one model, deleted or not."""
    return training.get(f"/models/{model_id}", Model)


def get_card(training: Service, model_id: int) -> ModelCard:
    """Give all that a page about one model shows."""
    return training.get(f"/models/{model_id}/card", ModelCard)


def change_model(training: Service, model_id: int, change: ChangeModel) -> Model:
    """Change name or description."""
    return training.send("PATCH", f"/models/{model_id}", Model, body=change)


def delete_model(training: Service, model_id: int) -> None:
    """Delete a model; its file stays."""
    training.remove(f"/models/{model_id}")


def read_file(training: Service, model_id: int) -> bytes:
    """Give the model file."""
    with training.download(f"/models/{model_id}/download") as response:
        return response.read()


def test_model(training: Service, model_id: int, *, start: datetime, end: datetime) -> CreatedJob:
    """Ask to measure a model on other rows."""
    body = TestModel(test_start=start, test_end=end)
    return training.send("POST", f"/models/{model_id}/test", CreatedJob, body=body)


def compare_models(training: Service, model_ids: list[int], *, start: datetime, end: datetime) -> CreatedJob:
    """Ask to measure models on the same rows."""
    body = CompareModels(model_ids=model_ids, test_start=start, test_end=end)
    return training.send("POST", "/models/compare", CreatedJob, body=body)


def list_tests(training: Service, *, model_id: int | None = None, limit: int = 100, offset: int = 0) -> TestResultList:
    """Give a page of test results, newest first."""
    return training.get("/test-results", TestResultList, model_id=model_id, limit=limit, offset=offset)


def get_test(training: Service, test_id: int) -> TestResult:
    """Give one test result with its curves."""
    return training.get(f"/test-results/{test_id}", TestResult)


def delete_test(training: Service, test_id: int) -> None:
    """Remove a test result."""
    training.remove(f"/test-results/{test_id}")


def list_comparisons(training: Service, *, limit: int = 100, offset: int = 0) -> ComparisonList:
    """Give a page of comparisons, newest first."""
    return training.get("/comparisons", ComparisonList, limit=limit, offset=offset)


def get_comparison(training: Service, comparison_id: int) -> Comparison:
    """Give one comparison with its figures."""
    return training.get(f"/comparisons/{comparison_id}", Comparison)


def delete_comparison(training: Service, comparison_id: int) -> None:
    """Remove a comparison; its test results stay."""
    training.remove(f"/comparisons/{comparison_id}")
