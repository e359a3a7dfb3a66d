"""The verbs of secrets: keys of the APIs, the pair that signs model files, and a folder with all that services need."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from pumpcast.console import show
from pumpcast.key_folder import KeyFolder
from pumpcast.secret import check_name, new_key, new_pair
from shared.errors import Conflict
from shared.settings import WebPart, read_settings
from shared.web.keys import parse_keys

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Folder = Annotated[Path, typer.Argument(help="Folder of secrets that `keys install` made.", metavar="DIR")]
Name = Annotated[str, typer.Argument(help="Name of the key, as logs show it.")]


class Scope(StrEnum):
    """What a key may do."""

    READ = "read"
    WRITE = "write"
    SERVICE = "service"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key that is shown once."""

    name: str
    scope: str
    key: str
    entry: str
    """For API_KEYS: the key cannot be told from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPair:
    """A pair that is shown once."""

    artifact_signing_key: str
    """Of the training service alone."""
    artifact_public_key: str
    """Of the prediction service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What was made."""

    folder: str
    made: tuple[str, ...]
    """Files, relative to the folder; empty: all were there."""
    operator_key: str | None
    """Shown once; null when the operator had one already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """A second key beside the old one."""

    name: str
    key: str | None
    """Shown once; null when a file of the folder holds it."""
    entry: str
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """What no longer opens anything once the services have started again."""

    name: str
    entries: int
    changed: tuple[str, ...]


RESTART: Final = "Start the services again"


def _examples(*lines: str) -> str:
    # \b keeps the lines as they are.
    return "\n".join(("\b", "Examples:", *(f"  {line}" for line in lines)))


keys = typer.Typer(
    name="keys", help="Make, install and replace secrets.", no_args_is_help=True, rich_markup_mode=None,
)  # fmt: skip


@keys.command(
    "new",
    short_help="Make a key of the APIs.",
    epilog=_examples("pumpcast keys new alice --scope write", "pumpcast keys new grafana --scope read --json"),
)
def make_key(
    name: Name,
    scope: Annotated[Scope, typer.Option(help="read: look; write: all that users do; service: what services need.")],
    second: Annotated[bool, typer.Option("--second", help="Beside the key that the name has in API_KEYS.")] = False,
    as_json: Json = False,
) -> None:
    """Print a new key, once, and its entry for API_KEYS; nothing is stored."""
    check_name(name)
    if not second and name in {key.name for key in parse_keys(read_settings(WebPart).api_keys)}:
        raise Conflict(f"API_KEYS has a key of {name!r} already: choose another name, or add --second to replace it")
    key, entry = new_key(name, scope.value)
    made = NewKey(name=name, scope=scope.value, key=key, entry=entry)
    show(made, as_json=as_json, sentence=f"key      {key}\nAPI_KEYS {entry}")


@keys.command(
    "signing",
    short_help="Make the pair that signs model files.",
    epilog=_examples("pumpcast keys signing", "pumpcast keys signing >> .env", "pumpcast keys signing --json"),
)
def make_pair(as_json: Json = False) -> None:
    """Print an Ed25519 pair as lines of .env: the first for the training service, the second for the prediction one."""
    private, public = new_pair()
    made = NewPair(artifact_signing_key=private, artifact_public_key=public)
    show(made, as_json=as_json, sentence=f"ARTIFACT_SIGNING_KEY={private}\nARTIFACT_PUBLIC_KEY={public}")


@keys.command(
    "install",
    short_help="Fill a folder with all secrets.",
    epilog=_examples(
        "pumpcast keys install secrets --database postgresql://owner:secret@db.example:5432/pumpcast",
        "SECRETS_DIR=secrets/owner pumpcast migrate --logins secrets",
        "SECRETS_DIR=secrets/training training-api",
    ),
)
def install_keys(
    folder: Folder,
    database: Annotated[str, typer.Option(help="The owner's address: postgresql://owner:password@host:5432/name.")],
    as_json: Json = False,
) -> None:
    """Make what DIR lacks: addresses of the database, keys and the signing pair of each service, mode 0600.

    A second run changes nothing. The operator's key is printed once.
    """
    operator, made = KeyFolder(folder).install(database)
    result = Installed(folder=str(folder), made=made, operator_key=operator)
    lines = [f"Made {', '.join(made)} in {folder}" if made else f"Nothing to do, {folder} has every secret"]
    if operator is not None:
        lines.append(f"operator's key, shown this once: {operator}")
    else:
        lines.append(
            f"the operator's key was shown when it was made; `pumpcast keys rotate {folder} operator` makes another"
        )
    show(result, as_json=as_json, sentence="\n".join(lines))


@keys.command(
    "rotate",
    short_help="Give a name a second key.",
    epilog=_examples(
        "pumpcast keys rotate secrets operator",
        "pumpcast keys rotate secrets prediction --json",
        "pumpcast keys drop secrets operator --old",
    ),
)
def rotate_key(folder: Folder, name: Name, as_json: Json = False) -> None:
    """Add a second key beside the old in every api_keys of DIR that has the name; both open until `keys drop --old`."""
    check_name(name)
    key, entry, changed = KeyFolder(folder).rotate(name)
    result = Rotated(name=name, key=key, entry=entry, changed=changed)
    kept = f"the new key, shown this once: {key}" if key else "the new key is in its file"
    sentence = f"Changed {', '.join(changed)}; {kept}\n{RESTART}, then `pumpcast keys drop {folder} {name} --old`"
    show(result, as_json=as_json, sentence=sentence)


@keys.command(
    "drop",
    short_help="Take a key away.",
    epilog=_examples("pumpcast keys drop secrets operator --old", "pumpcast keys drop secrets alice"),
)
def drop_key(
    folder: Folder,
    name: Name,
    old: Annotated[bool, typer.Option("--old", help="Only the older of two, after `keys rotate`.")] = False,
    as_json: Json = False,
) -> None:
    """Remove the keys of a name from every api_keys of DIR."""
    check_name(name)
    entries, changed = KeyFolder(folder).drop(name, only_old=old)
    result = Dropped(name=name, entries=entries, changed=changed)
    show(
        result, as_json=as_json, sentence=f"Changed {', '.join(changed)}\n{RESTART}: until then the old key opens them"
    )
