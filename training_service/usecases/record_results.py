"""Make the results of tests and comparisons known."""

from shared.db import Pool
from training_service.usecases.lease import Lease
from training_service.usecases.task import Compared, Tested


async def record_test(pool: Pool, lease: Lease, tested: Tested) -> bool:
    """Write a test result and the end of its job; False when the job is not ours any more."""
    raise NotImplementedError


async def record_comparison(pool: Pool, lease: Lease, compared: Compared) -> bool:
    """Write a comparison and the end of its job; False when the job is not ours any more."""
    raise NotImplementedError
