"""A folder of secrets: one folder a process below it, one file a setting in that."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict

from pumpcast.secret import entry_of, new_key, new_pair, new_secret, public_key_of, read_secret, write_secret
from shared.errors import Conflict, Invalid, NotFound, SettingsInvalid
from shared.roles import ROLES
from shared.settings import comma_list
from shared.web.keys import parse_keys

OPERATOR: Final = "operator"
OWNER_DSN: Final = "owner/db_dsn"
SIGNING: Final = "training/artifact_signing_key"
PUBLIC: Final = "prediction/artifact_public_key"
HOLDERS: Final = {"prediction": "prediction/training_service_api_key", "prometheus": "prometheus/token"}
"""The file that holds the key of a name which is a program."""
ENTRIES: Final = {
    "training/api_keys": ((OPERATOR, "write"), ("prediction", "service"), ("prometheus", "service")),
    "prediction/api_keys": ((OPERATOR, "write"), ("prometheus", "service")),
    "ui/api_keys": ((OPERATOR, "write"),),
}
"""Who may ask whom, and what for."""


class KeyFolder:
    """The files of one folder of secrets; each is written by itself, and whole."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: list[str] = []

    def install(self, owner_dsn: str) -> tuple[str | None, tuple[str, ...]]:
        """Make what is missing; give the operator's key if it is new, and the files made."""
        _check_owner(owner_dsn)
        known = self._read(OWNER_DSN)
        if known is not None and known != owner_dsn:
            raise Conflict(
                f"{self._folder / OWNER_DSN} holds another address than --database: "
                "write the new one there and into both db_dsn of the services, or take another folder"
            )
        self._check_entries()
        self._ensure(OWNER_DSN, lambda: owner_dsn)
        for service, role in ROLES.items():
            self._ensure(f"{service}/db_dsn", partial(_address_of, owner_dsn, role))
        private = self._ensure(SIGNING, lambda: new_pair()[0])
        self._ensure(PUBLIC, lambda: public_key_of(private))
        entries = {name: self._program_entry(name) for name in HOLDERS}
        operator, entries[OPERATOR] = self._operator_entry()
        for file, wanted in ENTRIES.items():
            self._complete(file, [entries[name] for name, _ in wanted])
        return operator, tuple(self._made)

    def rotate(self, name: str) -> tuple[str | None, str, tuple[str, ...]]:
        """Give the new key, unless a file holds it, its entry, and the files changed."""
        found = self._having(name)
        several = [file for file, entries in found.items() if sum(_name(one) == name for one in entries) > 1]
        if several:
            raise Conflict(
                f"{self._folder / several[0]} has two keys of {name!r}: "
                f"`pumpcast keys drop {self._folder} {name} --old` first"
            )
        scope = next(one for entries in found.values() for one in entries if _name(one) == name).split(":")[1]
        key, entry = new_key(name, scope)
        # Doors first: from now on both keys open.
        for file, entries in found.items():
            self._write(file, "\n".join([*entries, entry]))
        holder = HOLDERS.get(name)
        if holder is not None:
            self._write(holder, key)
        return None if holder else key, entry, (*found, *([holder] if holder else []))

    def drop(self, name: str, *, only_old: bool) -> tuple[int, tuple[str, ...]]:
        """Give how many entries went, and the files changed."""
        kept: dict[str, list[str]] = {}
        dropped = 0
        for file, entries in self._having(name).items():
            own = [one for one in entries if _name(one) == name]
            if only_old and len(own) < 2:
                continue
            gone = own[:-1] if only_old else own
            kept[file] = [one for one in entries if one not in gone]
            dropped += len(gone)
            if not kept[file]:
                raise Conflict(
                    f"{self._folder / file} would be left without a key, and its service open: make one first"
                )
        if not kept:
            raise Conflict(
                f"{name!r} has one key alone: `pumpcast keys rotate {self._folder} {name}` adds the new one first"
            )
        for file, entries in kept.items():
            self._write(file, "\n".join(entries))
        return dropped, tuple(kept)

    def _having(self, name: str) -> dict[str, list[str]]:
        if not self._folder.is_dir():
            raise NotFound(f"There is no folder {self._folder}: `pumpcast keys install` makes it")
        self._check_entries()
        files = [str(path.relative_to(self._folder)) for path in sorted(self._folder.glob("*/api_keys"))]
        found = {file: self._entries(file) for file in files}
        having = {file: entries for file, entries in found.items() if name in map(_name, entries)}
        if not having:
            known = ", ".join(sorted({_name(one) for entries in found.values() for one in entries})) or "none"
            raise NotFound(f"No api_keys below {self._folder} has a key of {name!r}; there are: {known}")
        return having

    def _program_entry(self, name: str) -> str:
        scope = next(scope for entries in ENTRIES.values() for who, scope in entries if who == name)
        return entry_of(name, scope, self._ensure(HOLDERS[name], new_secret))

    def _operator_entry(self) -> tuple[str | None, str]:
        for file in ENTRIES:
            for entry in reversed(self._entries(file)):
                if _name(entry) == OPERATOR:
                    return None, entry
        return new_key(OPERATOR, "write")

    def _complete(self, file: str, wanted: list[str]) -> None:
        present = self._entries(file)
        # A program whose key was made anew cannot use an entry of the key that is lost.
        missing = [
            entry for entry in wanted
            if entry not in present and (_name(entry) in HOLDERS or _name(entry) not in map(_name, present))
        ]  # fmt: skip
        if missing:
            self._write(file, "\n".join([*present, *missing]))
            self._made.append(file)

    def _check_entries(self) -> None:
        for path in sorted(self._folder.glob("*/api_keys")):
            try:
                parse_keys(comma_list(read_secret(path) or ""))
            except SettingsInvalid as error:
                raise Invalid(f"{path}: {error.message}") from error

    def _entries(self, file: str) -> list[str]:
        return list(comma_list(self._read(file) or ""))

    def _ensure(self, file: str, make: Callable[[], str]) -> str:
        found = self._read(file)
        if found is None:
            found = make()
            self._write(file, found)
            self._made.append(file)
        return found

    def _read(self, file: str) -> str | None:
        return read_secret(self._folder / file)

    def _write(self, file: str, text: str) -> None:
        write_secret(self._folder / file, text)


def _name(entry: str) -> str:
    return entry.partition(":")[0]


def _check_owner(dsn: str) -> None:
    try:
        found = conninfo_to_dict(dsn)
    except psycopg.Error:
        found = {}
    if not dsn.startswith(("postgresql://", "postgres://")) or not found.get("user") or not found.get("dbname"):
        raise Invalid("--database is no owner's address: write postgresql://owner:password@host:5432/name")
    if "@" not in urlsplit(dsn).netloc:
        raise Invalid("--database must name the user before the host: postgresql://owner:password@host:5432/name")
    if found["user"] in ROLES.values():
        raise Invalid(f"{found['user']} is the role of a service: --database must name the owner of the tables")


def _address_of(owner_dsn: str, role: str) -> str:
    parts = urlsplit(owner_dsn)
    hosts = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{role}:{quote(new_secret(), safe='')}@{hosts}"))
