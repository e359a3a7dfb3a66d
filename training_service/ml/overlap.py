"""How a test window lies to the rows that a model was made of."""

from datetime import datetime, timedelta

# From 00:00:00 to 23:59:59 is a day as people give it.
SHORTEST_TEST = timedelta(days=1) - timedelta(minutes=1)


def find_overlap(
    *, train_start: datetime, train_end: datetime, horizon: timedelta, test_start: datetime, test_end: datetime
) -> str | None:
    """Say how far a test window reaches into what training knew, None where it starts after all of that.

    Training knew its window and, through the answers of its last rows, one horizon behind it.

    >>> hour = lambda number: datetime(2026, 3, 1, number)
    >>> ten = timedelta(minutes=10)
    >>> find_overlap(train_start=hour(0), train_end=hour(6), horizon=ten, test_start=hour(5), test_end=hour(7))
    'the window shares 70 of its 120 minutes with training (60 with its rows, 10 with the answers of the last of them)'
    >>> find_overlap(train_start=hour(4), train_end=hour(6), horizon=ten, test_start=hour(1), test_end=hour(3))
    'the window ends 60 minutes before training starts: the model knows what came after'
    >>> find_overlap(train_start=hour(0), train_end=hour(6), horizon=ten, test_start=hour(7), test_end=hour(8)) is None
    True

    """
    known_until = train_end + horizon
    if test_start >= known_until:
        return None
    if test_end < train_start:
        before = _minutes(train_start - test_end)
        return f"the window ends {before} minutes before training starts: the model knows what came after"
    nothing = timedelta(0)
    shared = min(test_end, known_until) - max(test_start, train_start)
    rows = max(min(test_end, train_end) - max(test_start, train_start), nothing)
    parts = [f"{_minutes(rows)} with its rows"] if rows else []
    if shared > rows:
        parts.append(f"{_minutes(shared - rows)} with the answers of the last of them")
    note = f"the window shares {_minutes(shared)} of its {_minutes(test_end - test_start)} minutes with training"
    note += f" ({', '.join(parts)})" if parts else ""
    if test_start < train_start:
        note += "; what lies before it the model knows the sequel of"
    return note


def short_window(start: datetime, end: datetime) -> str | None:
    """Say that a window is too short to judge a model by, None where it is a day or longer."""
    if end - start >= SHORTEST_TEST:
        return None
    return f"the window is {(end - start) / timedelta(hours=1):.3g} hours long: less than a day says little"


def _minutes(span: timedelta) -> str:
    return f"{round(span / timedelta(minutes=1), 2):.10g}"
