"""What was measured of the live path, as text and tables for the page."""

from collections.abc import Sequence

from benchmarks.live import FAST, HISTORY_ROWS, RATE, Figures
from benchmarks.live_feed import COINS
from benchmarks.live_growth import MEMORY_COINS, Memory, Point
from benchmarks.live_models import MODELS
from benchmarks.live_rivals import Rivals
from benchmarks.live_watch import HOLD_SECONDS

PICTURE = "live-growth.svg"
P50_GOAL_MS, P99_GOAL_MS = 5, 20
RATE_GOAL = 12_000
NAIVE_GOAL, BATCHED_GOAL = 500, 6
MEMORY_GOAL_PERCENT = 5


def describe(found: Figures) -> str:
    """Say what the figures are of, in paragraphs."""
    held = found.held
    return f"""
{_stretches(found)}

{COINS:,} coins of a simulated market with {HISTORY_ROWS} rows each before, {len(MODELS)} models of 100 trees (3
XGBoost, 2 random forests; engineered features of windows 5, 10, 15; calibrated), the real worker process with all it
does beside, a PostgreSQL with its default settings (each commit reaches the disk), all on this machine together with
what inserts. Rows come by COPY. Latency is the time between the commits of row and prediction in PostgreSQL's own book
(`pg_xact_commit_timestamp`), of all rows; from {FAST:,} rows/s on of every twentieth.

Kept full, the worker took {held.flood_rate:,.0f} rows/s. The highest rate is one that was offered for
{HOLD_SECONDS:g} s {"without its lag growing" if held.bounded else "while its lag grew: no lower one was tried"}; it was
{held.highest_lag_seconds:.2f} s at most. Of all predictions owed in the run {held.lost} are missing.

{_others(found.rivals)}

{_memory(found.memory)}

{_growth(found.growth)}

![cost of a live row as models and coins grow]({PICTURE})

Goals: {" ".join(_goals(found))}
"""


def _stretches(found: Figures) -> str:
    rivals = found.rivals
    stretches = {
        f"{RATE:,} rows/s, fine": found.fine,
        f"{RATE:,} rows/s, coarse": found.coarse,
        f"{FAST:,} rows/s": found.fast,
        "highest rate": found.held.latency,
        f"batches with pandas, {RATE:,} rows/s": rivals.batched,
        f"row by row, {RATE:,} rows/s": rivals.flooded,
        "row by row, half of its rate": rivals.naive,
    }
    lines = "\n".join(
        f"| {name} | {one.rate:,.0f} | {one.transactions_per_second} | {one.p50_ms:,.1f} | {one.p99_ms:,.1f} "
        f"| {one.highest_ms:,.1f} | {one.cores:.2f} |"
        for name, one in stretches.items()
    )
    return f"""| stretch | rows/s | transactions/s | p50 ms | p99 ms | highest ms | cores of the worker |
|---|--:|--:|--:|--:|--:|--:|
{lines}"""


def _others(found: Rivals) -> str:
    return f"""
Row by row is the design such services are first sketched with: on notifications of a trigger per row, for each row and
each model one history query, features with pandas, one `predict_proba` of the native library and one INSERT. Of the
{found.flooded.rate:,.0f} rows/s offered for {found.flooded.seconds:.0f} s it answered {found.naive_rate:.1f}, and its
latency is of those: it grows as long as that lasts. A kinder variant with one query per row, whose features all models
share, answers {found.shared_rate:.1f}.

Batches with pandas is what a good engineer writes first: up to 500 rows by a cursor, their histories by one LATERAL
query, features of the whole batch by `groupby().rolling`, one `predict_proba` per model and batch, COPY. Kept full, it
took {found.batched_rate:,.0f} rows/s. It has none of the guarantees: rows that commit late are lost to it.
""".strip()


def _memory(found: Memory) -> str:
    looks = " | ".join(f"{megabytes:,.0f}" for _, megabytes in found.looks)
    heads = " | ".join(f"{rows:,} rows" for rows, _ in found.looks)
    return f"""
| memory of the worker, MB | at start | {heads} |
|---|{"--:|" * (len(found.looks) + 1)}
| {MEMORY_COINS:,} coins, {len(MODELS)} models | {found.at_start:,.0f} | {looks} |

Resident memory of a fresh worker while {found.looks[-1][0]:,} rows of {MEMORY_COINS:,} coins that take turns go through
it, at {found.rate:,.0f} rows/s; every coin has been seen after the first {MEMORY_COINS:,}. Of the predictions owed
{found.lost} are missing.
""".strip()


def _growth(points: Sequence[Point]) -> str:
    lines = "\n".join(
        f"| {one.models} | {one.coins:,} | {one.rate:,.0f} | {one.rate * one.models:,.0f} | {one.worker_us:.0f} "
        f"| {one.worker_us / one.models:.0f} | {one.server_us:.0f} | {one.server_us / one.models:.0f} |"
        for one in points
    )
    return f"""
| models | coins | rows/s | predictions/s | worker, µs a row | a prediction | PostgreSQL, µs a row | a prediction |
|--:|--:|--:|--:|--:|--:|--:|--:|
{lines}

Rows that wait all at once, answered to the last one; µs are processor time, PostgreSQL's that of the sessions of the
worker, which read the rows and write the predictions.
""".strip()


def _goals(found: Figures) -> list[str]:
    fine, held, rivals = found.fine, found.held, found.rivals
    sustained = held.latency.rate if held.bounded else 0.0
    return [
        f"p50 at most {P50_GOAL_MS} ms at {RATE:,} rows/s: {_met(fine.p50_ms <= P50_GOAL_MS)}.",
        f"p99 at most {P99_GOAL_MS} ms: {_met(fine.p99_ms <= P99_GOAL_MS)}.",
        f"At least {RATE_GOAL:,} rows/s followed, nothing lost: {_met(sustained >= RATE_GOAL and not held.lost)}.",
        f"{NAIVE_GOAL} times the rate of row by row: {_met(sustained >= NAIVE_GOAL * rivals.naive_rate)}.",
        f"{BATCHED_GOAL} times that of batches with pandas: {_met(sustained >= BATCHED_GOAL * rivals.batched_rate)}.",
        (
            f"Memory no more than {MEMORY_GOAL_PERCENT} % higher after the last row than when every coin had been "
            f"seen: {_met(_rise(found.memory) <= MEMORY_GOAL_PERCENT and not found.memory.lost)}."
        ),
    ]


def _rise(found: Memory) -> float:
    """Give by how many percent memory grew after every coin had been seen."""
    (_, settled), (_, last) = found.looks[0], found.looks[-1]
    return (last / settled - 1) * 100


def _met(goal: bool) -> str:
    return "met" if goal else "NOT met"
