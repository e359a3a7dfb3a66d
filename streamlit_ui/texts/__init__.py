"""All words of the app: one table a language, a file a page; `tests/ui` proves that both say the same."""

import tomllib
from functools import cache
from importlib import resources
from typing import Literal

Language = Literal["en", "de"]
LANGUAGES: dict[Language, str] = {"en": "English", "de": "Deutsch"}


@cache
def table(language: Language) -> dict[str, str]:
    """Give the words of a language: `page.key` → text."""
    words: dict[str, str] = {}
    for file in sorted(resources.files(__name__).joinpath(language).iterdir(), key=lambda one: one.name):
        if file.name.endswith(".toml"):
            page = file.name.removesuffix(".toml")
            found = tomllib.loads(file.read_text(encoding="utf-8"))
            words |= {f"{page}.{key}": text for key, text in found.items()}
    return words
