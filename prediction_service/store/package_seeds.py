"""The table package_seeds: packages of the project itself that were put into the registry once."""

from shared.db import Connection, Executor, Queries

_queries = Queries.beside(__file__)


async def is_seeded(executor: Executor, package_id: str) -> bool:
    """Tell whether a package was put into the registry before, even if it was deleted since."""
    return bool(await _queries.fetchval(executor, "is_seeded", id=package_id))


async def insert(connection: Connection, package_id: str) -> bool:
    """Remember that a package was put into the registry; False when it was before."""
    return (await _queries.execute(connection, "insert", id=package_id)).endswith(" 1")
