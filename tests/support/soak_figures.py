"""What a soak measured, and how it is told: lines, JSON, and a part of docs/RELIABILITY.md."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.support.soak_client import Asked
from tests.support.soak_faults import Fault, Stopped

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "RELIABILITY.md"
BEGIN, END = "<!-- soak: begin -->", "<!-- soak: end -->"
# The answers of changes that came too late, or twice.
EXPECTED_REFUSALS: Final = frozenset({404, 409})
SERVER_ERRORS_IN_A_FAULT: Final = frozenset({0, 502, 503})
LIST_P95_MS, ROUTE_P95_MS = 100.0, 200.0
LISTS: Final = (
    "GET /models", "GET /queue", "GET /test-results", "GET /comparisons", "GET /models/available",
    "GET /models/active", "GET /promotions", "GET /predictions", "GET /webhooks", "GET /webhook-deliveries",
    "GET /model-packages", "GET /candles?symbol={symbol}", "GET /paper/positions/{package}",
)  # fmt: skip
FEWEST_FOR_A_SHARE: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How long one route took, for the client, milliseconds."""

    service: str
    route: str
    requests: int
    p50: float
    p95: float
    p99: float
    max: float

    @property
    def is_list(self) -> bool:
        return self.route.partition("?")[0] in {one.partition("?")[0] for one in LISTS}


@dataclass(slots=True, kw_only=True)
class Result:
    """Everything there is to tell."""

    seed: int
    minutes: float
    machine: str
    commit: str
    books: dict[str, Any] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    """What must not be."""
    recoveries: dict[str, dict[str, float]] = field(default_factory=dict)
    stops: dict[str, dict[str, float]] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)
    memory_mb: dict[str, dict[str, float]] = field(default_factory=dict)
    latencies: list[Latency] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def latencies(asked: Sequence[Asked], faults: Sequence[Fault]) -> list[Latency]:
    """Give how long each route took while nothing was being hurt."""
    slowing = [one for one in faults if one.slows]
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for one in asked:
        if 0 < one.status < 500 and not any(fault.covers(one.began, one.ended) for fault in slowing):
            found[one.service, one.route].append(1000 * (one.ended - one.began))
    return [_latency(*key, sorted(times)) for key, times in sorted(found.items())]


def _latency(service: str, route: str, times: list[float]) -> Latency:
    def share(of: float) -> float:
        return round(times[min(len(times) - 1, int(of * len(times)))], 1)

    return Latency(
        service=service, route=route, requests=len(times), p50=share(0.5), p95=share(0.95), p99=share(0.99),
        max=round(times[-1], 1),
    )  # fmt: skip


def too_slow(found: Sequence[Latency]) -> list[str]:
    """Give the routes beyond what is allowed; those that were asked too seldom are not judged."""
    return [
        f"{one.service} {one.route}: p95 {one.p95} ms of {one.requests} requests"
        for one in found
        if one.requests >= FEWEST_FOR_A_SHARE and one.p95 > (LIST_P95_MS if one.is_list else ROUTE_P95_MS)
    ]


def wrong_answers(asked: Sequence[Asked], faults: Sequence[Fault]) -> list[str]:
    """Give answers that nothing explains: each error belongs to a fault of that API, of its peer or of the database."""
    wrong = Counter[str]()
    for one in asked:
        if 200 <= one.status < 300 or one.status in EXPECTED_REFUSALS:
            continue
        # An import asks the training API.
        programs = {one.program, "training-api"} if one.status == 502 else {one.program}
        explained = one.status in SERVER_ERRORS_IN_A_FAULT and any(
            fault.covers(one.began, one.ended) and programs & fault.hurts for fault in faults
        )
        if not explained:
            wrong[f"{one.service} {one.route} answers {one.status}: {one.detail}"] += 1
    return [f"{what} ({times} times)" for what, times in wrong.items()]


def recoveries(faults: Sequence[Fault]) -> dict[str, dict[str, float]]:
    """Give for each kind how often, and how many seconds until everything was ready again."""
    by_kind: dict[str, list[float]] = defaultdict(list)
    for one in faults:
        by_kind[one.kind.rstrip("-12")].append(one.recovered - one.released)
    return {kind: {"times": len(took), **_spread(took)} for kind, took in sorted(by_kind.items())}


def stops(stopped: Sequence[Stopped]) -> dict[str, dict[str, float]]:
    """Give how long programs took to end after SIGTERM."""
    by_name: dict[str, list[float]] = defaultdict(list)
    for one in stopped:
        by_name[one.name.rstrip("-12")].append(one.seconds)
    return {name: {"times": len(took), **_spread(took)} for name, took in sorted(by_name.items())}


def answers(asked: Sequence[Asked]) -> dict[str, int]:
    """Count requests by how they were answered."""
    kinds = Counter("no answer" if not one.status else f"{one.status // 100}xx" for one in asked)
    return {"requests": len(asked), **dict(sorted(kinds.items()))}


def _spread(took: Sequence[float]) -> dict[str, float]:
    return {"median": round(statistics.median(took), 1), "max": round(max(took), 1)}


def as_markdown(result: Result) -> str:
    """Give the part of the page."""
    lines = [
        f"{result.minutes:g} minutes, seed {result.seed}, {result.machine}, commit `{result.commit}`.", "",
        "| books | |", "|---|---:|", *(f"| {name} | {_told(value)} |" for name, value in result.books.items()), "",
        "| answers | |", "|---|---:|", *(f"| {name} | {value:,} |" for name, value in result.answers.items()), "",
        "| fault | times | ready again after, median s | max s |", "|---|---:|---:|---:|",
        *(f"| {name} | {one['times']} | {one['median']} | {one['max']} |" for name, one in result.recoveries.items()),
        "", "| told to stop (SIGTERM) | times | ended after, median s | max s |", "|---|---:|---:|---:|",
        *(f"| {name} | {one['times']} | {one['median']} | {one['max']} |" for name, one in result.stops.items()),
        "", "| process | memory after its start, MB | highest, MB | longest growth, MB |", "|---|---:|---:|---:|",
        *(f"| {name} | {one['first']} | {one['highest']} | {one['growth']} |" for name, one in
          result.memory_mb.items()),
        "", "| service | route | requests | p50 ms | p95 ms | p99 ms | max ms |", "|---|---|---:|---:|---:|---:|---:|",
        *(f"| {one.service} | `{one.route}` | {one.requests} | {one.p50} | {one.p95} | {one.p99} | {one.max} |"
          for one in result.latencies),
        "", *(f"- FAULT: {fault}" for fault in result.faults or ()),
        "" if result.faults else "Nothing was lost, nothing was double, nothing was left over.",
    ]  # fmt: skip
    return "\n".join(lines).strip()


def _told(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {number:,}" for name, number in sorted(value.items())) or "none"
    return f"{value:,}"


def write(result: Result) -> None:
    """Put the figures between the marks of the page."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{as_markdown(result)}\n{END}{after}", encoding="utf-8")
