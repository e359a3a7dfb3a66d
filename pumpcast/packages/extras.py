"""Libraries that only the training of packages needs."""

from importlib.util import find_spec
from typing import Final

from shared.errors import PumpcastError

NEEDED: Final = {"rl": ("torch", "stable_baselines3", "gymnasium", "talib"), "packages": ("torch", "talib")}


def require(extra: str) -> None:
    """Say in one sentence which libraries are missing and how to get them."""
    missing = [name for name in NEEDED[extra] if find_spec(name) is None]
    if missing:
        raise PumpcastError(f"{' and '.join(missing)} must be installed for this: pip install 'pumpcast[{extra}]'")
