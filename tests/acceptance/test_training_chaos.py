"""A short run of the chaos harness; `make chaos` is the long one."""

import pytest

from tests.support import chaos

pytestmark = pytest.mark.slow


async def test_jobs_under_workers_that_are_killed_and_frozen_end_with_one_model_each(database, tmp_path):
    outcome = await chaos.run(database, tmp_path, jobs_wanted=6, workers=2, seed=3)

    assert outcome.faults == []
    assert sum(outcome.done.values()) > 0
