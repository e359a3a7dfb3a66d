"""The verbs of packages: train and check them here, upload, list, show, warm up in a running service."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pumpcast.console import moment_option, progress, show, tell
from pumpcast.package_registry import LONGEST_NAME, list_packages, show_package, upload_package, warm_up_package
from pumpcast.packages.extras import require
from pumpcast.packages.history import read_history
from shared.errors import Invalid, PackageInvalid

GATE_NOT_MET = 3
LONGEST_DESCRIPTION = 2000


class Size(StrEnum):
    """How large the networks are."""

    TINY = "tiny"
    SMALL = "small"
    STANDARD = "standard"


package = typer.Typer(
    name="package",
    help="Train, check, upload and try packages of a forecaster (PatchTST) and a policy (PPO).",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Symbol = Annotated[str | None, typer.Option(help="Market to take; needed when the file holds several.")]
Since = Annotated[datetime | None, typer.Option("--from", parser=moment_option, help="First opening to take.")]
Until = Annotated[datetime | None, typer.Option("--until", parser=moment_option, help="Last close to take.")]


def examples(*lines: str) -> str:
    """Give the end of a help page."""
    # \b keeps the lines as they are.
    return "\n".join(("\b", "Examples:", *(f"  {line}" for line in lines)))


@package.command(
    "train",
    short_help="Train a package on a file of candles.",
    epilog=examples(
        "pumpcast package train --candles candles.parquet --symbol BTCUSDT --name 'BTC one'",
        "pumpcast package train --candles btc.csv --name quick --size tiny --epochs 2 --timesteps 4096",
        "pumpcast package train --candles btc.parquet --name may --until 2024-06-01T00:00:00Z --json",
    ),
)
def train_package(  # noqa: PLR0913, PLR0917 - each option is an argument
    candles: Annotated[Path, typer.Option(help="Parquet or CSV: symbol, open_time, open, high, low, close, volume.")],
    name: Annotated[str, typer.Option(help="What the package is called.")],
    symbol: Symbol = None,
    since: Since = None,
    until: Until = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write; default: named like the package.")] = None,
    size: Annotated[Size, typer.Option(help="Of both networks.")] = Size.SMALL,
    epochs: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many passes over the windows.")] = 20,
    timesteps: Annotated[int, typer.Option(min=256, max=100_000_000, help="Steps of the policy's training.")] = 100_000,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="The same seed gives the same weights.")] = 0,
    description: Annotated[str, typer.Option(help="Kept in the manifest.")] = "",
    learning_fee: Annotated[
        float,
        typer.Option(min=0, max=5, help="Fee in percent per side while the policy learns; reports count the real."),
    ] = 0.1,
    force: Annotated[bool, typer.Option("--force", help="Replace a package that is in the folder already.")] = False,
    as_json: Json = False,
) -> None:
    """Train a forecaster and a policy on candles and write them with a full manifest.

    The first half of the candles fits the forecaster, the next part trains the policy on forecasts of candles that the
    forecaster was never fitted on, the last part is used by neither: the report is of it. A policy that may not lose
    money on fees often learns to do nothing; --learning-fee makes trading cheaper while it learns.
    """
    require("rl")
    from prediction_service.usecases.upload import slug_of
    from pumpcast.packages.folder import check_place
    from pumpcast.packages.recipes import RECIPES
    from pumpcast.packages.report import described
    from pumpcast.packages.train import Task, train

    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise Invalid(f"--name {name!r:.100} must be 1 to {LONGEST_NAME} printable characters")
    if len(description) > LONGEST_DESCRIPTION:
        raise Invalid(f"--description has {len(description)} characters, at most {LONGEST_DESCRIPTION} are kept")
    out = out or Path(slug_of(name))
    check_place(out, force=force)
    history = read_history(candles, symbol=symbol, since=since, until=until)
    if history.left_out:
        tell(
            f"{history.left_out} candles beyond gaps are left out: the longest run is taken, {len(history.candles)} "
            f"candles, {history.start:%Y-%m-%d %H:%M} to {history.end:%Y-%m-%d %H:%M} UTC"
        )
    task = Task(
        name=name.strip(),
        recipe=RECIPES[size],
        epochs=epochs,
        timesteps=timesteps,
        seed=seed,
        learning_fee_pct=learning_fee,
        description=description,
    )
    report = train(history, task, out, bar=progress, force=force)
    show(report, as_json=as_json, sentence=described(report))


@package.command(
    "check",
    short_help="Check the files of a package as an upload is checked.",
    epilog=examples("pumpcast package check btc_one", "pumpcast package check btc_one --json"),
)
def check_package(
    folder: Annotated[Path, typer.Argument(help="With forecast_model.pt, ppo_policy.zip, maybe manifest.json.")],
    as_json: Json = False,
) -> None:
    """Say whether a package is READY to be used, or why not (exit code 3).

    The files are looked at by a limited process, nothing in them is run, and the probe of the manifest is answered.
    """
    require("packages")
    from prediction_service.usecases.package_checks import validate_files
    from pumpcast.packages.folder import read_given

    given = read_given(folder)
    try:
        manifest = asyncio.run(validate_files(folder, given))
    except PackageInvalid as error:
        verdict = Checked(ready=False, reason=error.message, inferred=[], probe=False)
        show(verdict, as_json=as_json, sentence=f"{folder} is NOT READY: {error.message}")
        raise SystemExit(GATE_NOT_MET) from None
    proof = "its probe holds" if manifest.probe else "it has no probe that would prove it"
    guessed = f"; taken from the files or defaults: {', '.join(manifest.inferred)}" if manifest.inferred else ""
    verdict = Checked(ready=True, reason=None, inferred=manifest.inferred, probe=manifest.probe is not None)
    show(verdict, as_json=as_json, sentence=f"{folder} is READY: {proof}{guessed}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a check found."""

    ready: bool
    reason: str | None
    inferred: list[str]
    """Parts of the manifest that were taken from the files or from defaults."""
    probe: bool
    """Whether a probe proved that the files belong together."""


package.command(
    "upload",
    short_help="Send a package to the prediction service.",
    epilog=examples(
        "pumpcast package upload btc_one",
        "pumpcast package upload btc_one --strict --wait",
        "UI_API_KEY=KEY pumpcast package upload btc_one --name 'BTC, May' --url https://predictions.example/api",
    ),
)(upload_package)
package.command(
    "list",
    short_help="List the packages of the prediction service.",
    epilog=examples("pumpcast package list", "pumpcast package list --json"),
)(list_packages)
package.command(
    "show",
    short_help="Show a package of the prediction service.",
    epilog=examples("pumpcast package show btc_one", "pumpcast package show btc_one --json"),
)(show_package)
package.command(
    "warm-up",
    short_help="Ask for a warm-up of a package.",
    epilog=examples("pumpcast package warm-up btc_one", "pumpcast package warm-up btc_one --wait --for 60"),
)(warm_up_package)
