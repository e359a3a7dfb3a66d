"""Secrets made of the randomness of the system, and files that nobody else may read."""

import hashlib
import os
import re
import secrets
import stat
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.artifact import write_durably
from shared.errors import Invalid, Unavailable
from shared.web.keys import RESERVED_NAMES

KEY_BYTES: Final = 32
OWNER_ONLY: Final = 0o600
FOLDER_MODE: Final = 0o700
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_name(name: str) -> None:
    """Refuse a name that no key can have."""
    if not _NAME.fullmatch(name):
        raise Invalid(f"{name!r} is no name of a key: up to 64 letters, digits, dots, dashes and underscores")
    if name.lower() in RESERVED_NAMES:
        raise Invalid(f"{name!r} is what logs say where no key was used: choose another name")


def new_secret() -> str:
    """Give a secret that needs no quoting anywhere."""
    return secrets.token_urlsafe(KEY_BYTES)


def new_key(name: str, scope: str) -> tuple[str, str]:
    """Give a key and its entry for API_KEYS."""
    key = new_secret()
    return key, entry_of(name, scope, key)


def entry_of(name: str, scope: str, key: str) -> str:
    """Give the entry of a key for API_KEYS."""
    return f"{name}:{scope}:{hashlib.sha256(key.encode()).hexdigest()}"


def new_pair() -> tuple[str, str]:
    """Give an Ed25519 pair in hexadecimal, the private key first."""
    private = Ed25519PrivateKey.generate().private_bytes_raw().hex()
    return private, public_key_of(private)


def public_key_of(private: str) -> str:
    """Give the public key that belongs to a private one."""
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(private)).public_key().public_bytes_raw().hex()


def read_secret(path: Path) -> str | None:
    """Give what a file holds, without its last newline; None when there is no file or nothing in it."""
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise Unavailable(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is not text'}") from error


def write_secret(path: Path, text: str) -> None:
    """Put a secret at path, at once or not at all: for its owner alone, or for whom the file before it was."""
    try:
        for folder in (path.parent.parent, path.parent):
            if not folder.is_dir():
                folder.mkdir(mode=FOLDER_MODE, parents=True)
        before = path.stat() if path.exists() else None
        write_durably(path, (text + "\n").encode(), mode=OWNER_ONLY)
        if before is not None:
            # A program may read it as a user of its own, or through the group.
            _give(path, before)
    except OSError as error:
        raise Unavailable(f"{path} cannot be written: {error.strerror}") from error


def _give(path: Path, before: os.stat_result) -> None:
    written = path.stat()
    if (written.st_uid, written.st_gid) != (before.st_uid, before.st_gid):
        os.chown(path, before.st_uid if os.geteuid() == 0 else -1, before.st_gid)
    path.chmod(stat.S_IMODE(before.st_mode))
