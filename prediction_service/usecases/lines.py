"""Lines of models: they ask the same question, and one of them at most is live."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prediction_service.store import active_models
from shared.db import Connection, UniqueViolation
from shared.errors import Conflict


async def check_place(
    connection: Connection, line: str | None, *, active_id: int | None, target: dict[str, Any], is_live: bool
) -> None:
    """Refuse a place in a line that asks another question, or beside a live model when this one is live too."""
    if line is None:
        return
    mates = await active_models.list_line_mates(connection, line, active_id=active_id, target=target)
    other = next((mate for mate in mates if not mate.asks_the_same), None)
    if other is not None:
        raise Conflict(
            f"The models of line {line!r} ask another question (see active model {other.id}): choose another line"
        )
    live = next((mate for mate in mates if mate.is_live), None)
    if is_live and live is not None:
        raise Conflict(
            f"Active model {live.id} is the live one of line {line!r}: bring this one in as a shadow, then promote it"
        )


@contextmanager
def one_live(line: str | None) -> Iterator[None]:
    """Say it in our words when the database finds a second live model of a line."""
    try:
        yield
    except UniqueViolation as error:
        raise Conflict(f"Line {line!r} has a live model already: promote this one instead") from error
