"""Jobs with what they gave, the larger parts of it left out."""

from collections.abc import Sequence

from shared.contracts.jobs import Job
from shared.contracts.results import Comparison, TestResult
from shared.contracts.training import Model
from shared.db import Pool, Record
from training_service.store import models, results


async def with_results(pool: Pool, rows: Sequence[Record]) -> list[Job]:
    """Give jobs as they are answered: each with the model, test result or comparison it made."""
    made = await models.by_ids(pool, _ids(rows, "result_model_id"))
    tested = await results.tests_by_ids(pool, _ids(rows, "result_test_id"))
    compared = await results.comparisons_by_ids(pool, _ids(rows, "result_comparison_id"))
    model = {key: Model.model_validate(dict(row)) for key, row in made.items()}
    test = {key: TestResult.model_validate(dict(row)) for key, row in tested.items()}
    comparison = {key: Comparison.model_validate(dict(row)) for key, row in compared.items()}
    return [
        Job.model_validate(
            {
                **row,
                "result_model": model.get(row["result_model_id"]),
                "result_test": test.get(row["result_test_id"]),
                "result_comparison": comparison.get(row["result_comparison_id"]),
            }
        )
        for row in rows
    ]


def _ids(rows: Sequence[Record], column: str) -> list[int]:
    return list({row[column] for row in rows if row[column] is not None})
