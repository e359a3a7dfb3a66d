"""The table send_cooldowns: when a model last had something sent about a coin."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from shared.db import Connection, Executor, Queries

_queries = Queries.beside(__file__)

Key = tuple[int, str, str]
"""Active id, coin, kind."""


async def load(executor: Executor, active_ids: Sequence[int]) -> dict[Key, datetime]:
    """Give what was sent last for these models, in times of the rows it was about."""
    rows = await _queries.fetch(executor, "load", active_ids=active_ids)
    return {(row["active_model_id"], row["coin_id"], row["kind"]): row["sent_at"] for row in rows}


async def save(connection: Connection, sent: Mapping[Key, datetime]) -> None:
    """Write what is sent by predictions of the same transaction."""
    await _queries.execute(
        connection,
        "save",
        active_ids=[key[0] for key in sent],
        coin_ids=[key[1] for key in sent],
        kinds=[key[2] for key in sent],
        sent_at=list(sent.values()),
    )


async def forget_old(executor: Executor, *, most: int) -> int:
    """Remove what no cooldown reaches back to any more; give how many."""
    return int((await _queries.execute(executor, "forget_old", most=most)).split()[-1])


async def forget_all(connection: Connection) -> None:
    """Remove everything: the recording starts anew, and its clock with it."""
    await _queries.execute(connection, "forget_all")
