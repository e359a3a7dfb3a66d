"""The verb `watch`: what the running prediction service is doing, as a table that keeps itself up to date."""

import http.client
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import urlsplit

import orjson
import typer
from pydantic import BaseModel, ValidationError
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pumpcast.console import tell
from pumpcast.probe import apis
from shared.contracts.prediction import ActiveModels
from shared.contracts.statistics import Books, Figures, ModelStatistics, ServiceStatistics
from shared.errors import Invalid, PumpcastError, Unavailable

GATE_NOT_MET: Final = 3
ANSWER_SECONDS: Final = 10
SCHEMES: Final[dict[str, type[http.client.HTTPConnection]]] = {
    "http": http.client.HTTPConnection,
    "https": http.client.HTTPSConnection,
}
ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the service said at one moment."""

    at: float
    """Monotonic seconds."""
    service: ServiceStatistics
    models: tuple[ModelStatistics, ...]
    """Of the models that predict."""
    modes: dict[int, str]
    """Active id → live or shadow."""


def watch_service(
    url: Annotated[
        str | None, typer.Option(envvar="API_BASE_URL", help="Of the prediction API; default: as the settings say.")
    ] = None,
    api_key: Annotated[
        str | None,
        typer.Option(envvar="UI_API_KEY", help="A key that may read, where keys are set.", show_default=False),
    ] = None,
    every: Annotated[float, typer.Option(min=0.2, max=3600, help="Seconds between two looks.")] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Look once; exit code 3 when the books do not add up.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for each look.")] = False,
) -> None:
    """Watch the running prediction service: predictions, outcomes and precision of each model, messages, workers.

    Its last line is the books: answers owed (rows x models) = predictions + what was left out. Ctrl-C ends it.
    """
    api = apis()[1]
    ask = asker(url or f"{api.url}/api", api_key or api.key)
    try:
        balanced = _watch(ask, every=every, once=once, as_json=as_json)
    except KeyboardInterrupt:
        return
    if not balanced:
        raise SystemExit(GATE_NOT_MET)


def asker(url: str, api_key: str) -> Callable[[str], bytes]:
    """Give a function that gets a path below the API, or says in one sentence why it cannot."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        connect = SCHEMES[parts.scheme if host else ""]
        connect(host.encode("idna").decode(), port)
    except (KeyError, ValueError, http.client.InvalidURL):
        raise Invalid(f"{url!r} is no address of an API: write it like http://127.0.0.1:8000/api") from None
    if not (api_key.isascii() and api_key.isprintable()):
        raise Invalid("The key holds characters that cannot be sent: give one of plain letters, digits and signs")

    def get(path: str) -> bytes:
        connection = connect(host, port, timeout=ANSWER_SECONDS)
        try:
            connection.request("GET", parts.path.rstrip("/") + path, headers={"X-API-Key": api_key} if api_key else {})
            answer = connection.getresponse()
            body = answer.read()
        except (http.client.InvalidURL, UnicodeError) as error:
            raise Invalid(f"{url!r} is no address of an API: {error}") from error
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(
                f"The prediction service does not answer at {url} ({type(error).__name__}): start it with `pumpcast up`"
            ) from error
        finally:
            connection.close()
        if answer.status in (http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN):
            raise PumpcastError(f"{url} wants a key that may read: give --api-key or set UI_API_KEY")
        if answer.status != http.HTTPStatus.OK:
            raise PumpcastError(f"{url}{path} answers {answer.status}: {body[:300].decode(errors='replace')}")
        return body

    return get


def look(ask: Callable[[str], bytes]) -> Seen:
    """Ask for everything once."""
    active = _read(ActiveModels, ask("/models/active")).models
    models = [_read(ModelStatistics, ask(f"/models/{model.id}/statistics")) for model in active]
    # The books last: they are of one moment, the models are each of their own.
    service = _read(ServiceStatistics, ask("/stats"))
    return Seen(
        at=time.monotonic(),
        service=service,
        models=tuple(sorted(models, key=lambda model: model.active_model_id)),
        modes={model.id: model.mode for model in active},
    )


def _read(shape: type[ModelT], body: bytes) -> ModelT:
    try:
        return shape.model_validate_json(body)
    except ValidationError as error:
        raise PumpcastError(
            f"The prediction service is of another version: its {shape.__name__} reads wrong"
        ) from error


def _watch(ask: Callable[[str], bytes], *, every: float, once: bool, as_json: bool) -> bool:
    console = Console()
    seen = look(ask)
    if once or as_json or not console.is_terminal:
        return _print(console, ask, seen, every=every, once=once, as_json=as_json)
    trouble: str | None = None
    before = seen
    with Live(drawn(seen, before=None), console=console, screen=False, auto_refresh=False) as live:
        while True:
            time.sleep(every)
            try:
                before, seen, trouble = seen, look(ask), None
            except PumpcastError as error:
                trouble = error.message
            live.update(drawn(seen, before=before, trouble=trouble), refresh=True)


def _print(
    console: Console, ask: Callable[[str], bytes], seen: Seen, *, every: float, once: bool, as_json: bool
) -> bool:
    before: Seen | None = None
    while True:
        if as_json:
            sys.stdout.write(orjson.dumps(as_plain(seen, before=before)).decode() + "\n")
            sys.stdout.flush()
        else:
            console.print(drawn(seen, before=before))
        if once:
            return seen.service.books.balanced
        time.sleep(every)
        try:
            before, seen = seen, look(ask)
        except PumpcastError as error:
            # The service is started again: whoever watches wants to see it come back.
            tell(error.message)


def as_plain(seen: Seen, *, before: Seen | None) -> dict[str, Any]:
    """Give what was seen as one JSON object."""
    return {
        "service": seen.service.model_dump(mode="json"),
        "models": [
            model.model_dump(mode="json", exclude={"by_day", "by_hour", "by_phase", "calibration"})
            | {"mode": seen.modes.get(model.active_model_id)}
            for model in seen.models
        ],
        "predictions_per_second": _rate(seen, before),
        "books": books_line(seen.service.books),
    }


def books_line(books: Books) -> str:
    """Say whether all that was owed is accounted for."""
    left_out = sum(books.skipped.values())
    sum_of = f"{books.predictions:,} predictions + {left_out:,} left out"
    if books.balanced:
        return f"books: {books.owed:,} answers owed = {sum_of}"
    missing = books.owed - books.predictions - left_out
    return f"THE BOOKS DO NOT ADD UP: {books.owed:,} answers owed, {sum_of}, {missing:+,} unaccounted for"


def drawn(seen: Seen, *, before: Seen | None, trouble: str | None = None) -> Group:
    """Draw what was seen."""
    service = seen.service
    rate, ahead = _rate(seen, before), service.books.not_rolled_up
    lines = [
        f"left out: {_counts(service.books.skipped)}",
        f"deliveries: {_counts(service.deliveries)}",
        f"workers: {_workers(service)}",
        f"recording clock: {service.recording_clock:%Y-%m-%d %H:%M:%S} UTC"
        if service.recording_clock
        else "recording clock: no row yet",
        f"predictions per second: {'-' if rate is None else f'{rate:,.1f}'}"
        + (f", {ahead:,} not in the table yet" if ahead else ""),
    ]
    parts: list[Table | Text] = [_models(seen), *(Text(line) for line in lines)]
    if trouble:
        parts.append(Text(trouble, style="bold red"))
    parts.append(Text(books_line(service.books), style="bold" if service.books.balanced else "bold red"))
    return Group(*parts)


def _models(seen: Seen) -> Table:
    table = Table(title="Prediction service")
    table.add_column("model")
    for title in (
        "predictions", "alerts", "tp", "fp", "tn", "fn", "unresolved", "pending", "precision", "in training",
        "of alerts",
    ):  # fmt: skip
        table.add_column(title, justify="right")
    for model in seen.models:
        mode = seen.modes.get(model.active_model_id)
        name = f"{model.active_model_id} {model.name or ''}" + (" (shadow)" if mode == "shadow" else "")
        trained = model.hold_out.prediction.precision if model.hold_out and model.hold_out.prediction else None
        # Text: brackets in a name are no markup.
        table.add_row(Text(name), *_figures(model.total, trained))
    if len(seen.models) != 1:
        table.add_section()
        table.add_row("all, deleted ones too", *_figures(seen.service.figures, None))
    return table


def _figures(figures: Figures, trained: float | None) -> list[str]:
    judged = figures.prediction
    counts = (
        figures.predictions, figures.alerts, judged.tp, judged.fp, judged.tn, judged.fn, figures.unresolved,
        figures.pending,
    )  # fmt: skip
    shares = (judged.precision, trained, figures.alert.precision)
    return [*(f"{count:,}" for count in counts), *("-" if share is None else f"{share:.1%}" for share in shares)]


def _workers(service: ServiceStatistics) -> str:
    if not service.workers:
        return "none has ever run"
    return "; ".join(
        f"{len(worker.shards)} of 8 parts of the coins, {worker.listener or 'not listening'}, "
        f"{worker.lag_seconds or 0:.1f} s behind" + (f", trouble: {worker.trouble}" if worker.trouble else "")
        for worker in service.workers
    )


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in sorted(counts.items())) or "none"


def _rate(seen: Seen, before: Seen | None) -> float | None:
    if before is None or seen.at <= before.at:
        return None
    return (seen.service.books.predictions - before.service.books.predictions) / (seen.at - before.at)
