"""The verbs of packages: train, check, upload, list, show, warm-up."""

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pumpcast.console import moment_option, progress, show, tell
from pumpcast.packages.extras import require
from pumpcast.packages.history import read_history
from shared.errors import Invalid


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
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="The same seed gives the same package.")] = 0,
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
    from pumpcast.packages.recipes import RECIPES
    from pumpcast.packages.report import described
    from pumpcast.packages.train import Task, train

    if not name.strip():
        raise Invalid("--name is empty: say what the package is called")
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
    report = train(history, task, out or Path(slug_of(name)), bar=progress, force=force)
    show(report, as_json=as_json, sentence=described(report))
