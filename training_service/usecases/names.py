"""Names of models: one for each that is not deleted, and for each job that will make one."""

from shared.db import Connection
from training_service.store import jobs, models


async def free_name(connection: Connection, wanted: str, *, except_job: int = 0, except_model: int = 0) -> str:
    """Give the name, or with the first free number behind it; it stays free until the transaction ends."""
    await models.lock_names(connection)
    taken = await models.live_names(connection, wanted, except_id=except_model)
    taken |= await jobs.open_names(connection, wanted, except_id=except_job)
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted} ({number})"
    return name
