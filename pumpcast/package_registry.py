"""`pumpcast package` upload, list, show, warm-up: packages of a running prediction service."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from pumpcast.console import progress, tell
from shared.contracts.packages import Package, PackageDetails
from shared.errors import Invalid, PumpcastError

GATE_NOT_MET = 3
LOOK_SECONDS = 0.5
LONGEST_NAME = 200

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Url = Annotated[
    str | None, typer.Option(envvar="API_BASE_URL", help="Of the prediction API; default: as the settings say.")
]
Key = Annotated[
    str | None,
    typer.Option(
        "--api-key", envvar="UI_API_KEY", help="A key that may write, where keys are set.", show_default=False
    ),
]
Wait = Annotated[bool, typer.Option("--wait", help="Wait until the warm-up is done; exit code 3 when it is not.")]
Patience = Annotated[float, typer.Option("--for", min=1, max=86_400, help="Seconds that --wait waits.")]


def upload_package(
    folder: Annotated[Path, typer.Argument(help="With forecast_model.pt, ppo_policy.zip, maybe manifest.json.")],
    name: Annotated[str | None, typer.Option(help="Default: that of its training, else of the folder.")] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Wait until its files were checked; keep nothing bad.")
    ] = False,
    wait: Wait = False,
    patience: Patience = 300,
    url: Url = None,
    api_key: Key = None,
    as_json: Json = False,
) -> None:
    """Send a package to the prediction service, which checks it and warms it up in the background."""
    from pumpcast.packages.folder import read_given
    from pumpcast.packages.registry import Registry, upload_size

    given = read_given(folder)
    name = name or _trained_name(given) or folder.resolve().name
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise Invalid(f"{name!r:.100} cannot be a name: give --name with 1 to {LONGEST_NAME} printable characters")
    registry = Registry(url, api_key)
    with progress("upload", total=upload_size(folder)) as advance:
        uploaded = registry.upload(folder, name=name, strict=strict, on_progress=advance)
    if wait:
        _wait(registry, uploaded.id, patience, as_json=as_json)
        return
    sentence = f"{uploaded.id}: {uploaded.status}, warm-up {uploaded.warmup_status}"
    _print(uploaded.model_dump(mode="json"), as_json=as_json, sentence=sentence)


def list_packages(url: Url = None, api_key: Key = None, as_json: Json = False) -> None:
    """List the packages of the prediction service, newest first."""
    from pumpcast.packages.registry import Registry

    found = Registry(url, api_key).packages()
    lines = [f"{'id':<32}{'status':<10}{'warm-up':<9}name", *(_line(one) for one in found.packages)]
    _print(found.model_dump(mode="json"), as_json=as_json, sentence="\n".join(lines))


def show_package(
    package_id: Annotated[str, typer.Argument(metavar="ID", help="As `pumpcast package list` shows it.")],
    url: Url = None,
    api_key: Key = None,
    as_json: Json = False,
) -> None:
    """Show a package: its states, what it is made of, what its trainer measured."""
    from pumpcast.packages.registry import Registry

    found = Registry(url, api_key).package(package_id)
    _print(found.model_dump(mode="json"), as_json=as_json, sentence=_described(found))


def warm_up_package(
    package_id: Annotated[str, typer.Argument(metavar="ID", help="As `pumpcast package list` shows it.")],
    wait: Wait = False,
    patience: Patience = 300,
    url: Url = None,
    api_key: Key = None,
    as_json: Json = False,
) -> None:
    """Ask for a warm-up: one forecast and one action on the newest candles."""
    from pumpcast.packages.registry import Registry

    registry = Registry(url, api_key)
    asked = registry.warm_up(package_id)
    if wait:
        _wait(registry, asked.id, patience, as_json=as_json)
        return
    _print(asked.model_dump(mode="json"), as_json=as_json, sentence=f"{asked.id}: warm-up {asked.warmup_status}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """What `--wait` waits for."""

    status: str
    warmup_status: str
    warmup_error: str | None

    def __str__(self) -> str:
        why = f": {self.warmup_error}" if self.warmup_error else ""
        return f"{self.status}, warm-up {self.warmup_status}{why}"


def _wait(registry: Any, package_id: str, patience: float, *, as_json: bool) -> None:
    end, seen = time.monotonic() + patience, None
    while True:
        found: PackageDetails = registry.package(package_id)
        state = _State(status=found.status, warmup_status=found.warmup_status, warmup_error=found.warmup_error)
        if state != seen:
            tell(f"{package_id}: {state}")
            seen = state
        if found.warmup_status in {"DONE", "FAILED"} or time.monotonic() > end:
            break
        time.sleep(LOOK_SECONDS)
    if found.warmup_status == "FAILED":
        raise PumpcastError(f"{package_id} cannot be used: {found.warmup_error}")
    _print(found.model_dump(mode="json"), as_json=as_json, sentence=_described(found))
    if found.warmup_status != "DONE":
        tell(f"{package_id} was not warm after {patience:g} seconds")
        raise SystemExit(GATE_NOT_MET)


def _trained_name(given: dict[str, Any]) -> str | None:
    report = given.get("report")
    name = report.get("name") if isinstance(report, dict) else None
    return name if isinstance(name, str) else None


def _line(package: Package) -> str:
    return f"{package.id:<32}{package.status:<10}{package.warmup_status:<9}{package.name}"


def _described(package: PackageDetails) -> str:
    manifest, diagnostics = package.manifest, package.warmup_diagnostics
    market, forecast = manifest.get("market", {}), manifest.get("forecast", {})
    lines = [
        f"{package.id} ({package.name}): {package.status}, warm-up {package.warmup_status}",
        package.warmup_error or "",
        manifest.get("description", ""),
        f"market {market.get('symbol') or 'any'}, candles of {market.get('interval_seconds')} s, "
        f"{market.get('warmup_bars')} of them; forecaster {forecast.get('arch')}"
        if forecast
        else "",
        "warm-up: " + ", ".join(f"{name} {value}" for name, value in diagnostics.items() if _is_plain(value))
        if diagnostics
        else "",
        *manifest.get("report", {}).get("verdict", ()),
    ]
    return "\n".join(str(line) for line in lines if line)


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float | bool)


def _print(result: dict[str, Any], *, as_json: bool, sentence: str) -> None:
    typer.echo(orjson.dumps(result).decode() if as_json else sentence)
