"""Run named statements through ADBC, which gives their results as Arrow tables."""

import re
from datetime import datetime
from typing import Any

from shared.db import Query


def fetch(cursor: Any, query: Query, /, **values: datetime | str) -> Any:
    """Run a query and give its result as a table."""
    import pyarrow as pa

    # Arrow's own pool keeps what was freed, which here is as much as everything that is needed later.
    pa.set_memory_pool(pa.system_memory_pool())
    run(cursor, query, **values)
    return cursor.fetch_arrow_table()


def run(cursor: Any, query: Query, /, **values: datetime | str) -> None:
    """Run a query; moments become literals, since a bound parameter would cost the driver its COPY path."""
    moments = [f"timestamptz '{value.isoformat()}'" if isinstance(value, datetime) else "" for value in values.values()]
    literals = dict(zip(values, moments, strict=True))
    text = re.sub(r"\$(\d+)", lambda match: literals[query.parameters[int(match[1]) - 1]], query.text)
    fragments = {key: value for key, value in values.items() if isinstance(value, str)}
    cursor.execute(re.sub(r"\{(\w+)\}", lambda match: fragments[match[1]], text))
