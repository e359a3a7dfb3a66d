"""Change, delete and hand out models."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

from shared.contracts.training import ChangeModel
from shared.db import Pool, Record, transaction
from shared.errors import Conflict, NotFound
from training_service.store import models
from training_service.usecases.names import free_name


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """A model file on the disk."""

    path: Path
    sha256: str
    stat: os.stat_result


async def change_model(pool: Pool, model_id: int, *, change: ChangeModel) -> Record:
    """Give a model another name or description; a name that is taken is a conflict."""
    given = change.model_fields_set
    async with transaction(pool) as connection:
        if change.name is not None and await free_name(connection, change.name, except_model=model_id) != change.name:
            raise Conflict(f"Another model or job is named {change.name!r}: choose another name")
        row = await models.change(
            connection,
            model_id,
            name=change.name,
            description=change.description,
            with_description="description" in given,
        )
    if row is None:
        raise NotFound(f"There is no model {model_id}")
    return row


async def delete_model(pool: Pool, model_id: int) -> None:
    """Mark a model as deleted; its file stays, so that a service that runs it can heal a lost copy."""
    if not await models.delete(pool, model_id):
        raise NotFound(f"There is no model {model_id}")


async def open_model_file(pool: Pool, model_id: int, *, with_deleted: bool) -> ModelFile:
    """Find the file of a model."""
    row = await models.get(pool, model_id)
    if row is None or (row["is_deleted"] and not with_deleted):
        raise NotFound(f"There is no model {model_id}")
    if row["status"] != "READY" or not row["model_file_path"]:
        raise Conflict(f"Model {model_id} is {row['status']}: it has no file")
    path = Path(row["model_file_path"])
    found = await asyncio.to_thread(lambda: path.stat() if path.is_file() else None)
    if found is None:
        raise NotFound(f"The file of model {model_id} is gone from the model store: train the model again")
    return ModelFile(path=path, sha256=row["model_file_sha256"], stat=found)
