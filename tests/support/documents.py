"""README and docs/*.md as data: fenced blocks, headings with their anchors, links, paths that are named."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
_FENCE: Final = re.compile(
    r"^(?P<fence>```+)(?P<language>\w*)[^\n]*\n(?P<code>.*?)^(?P=fence)$", re.MULTILINE | re.DOTALL
)
_HEADING: Final = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
_LINK: Final = re.compile(r"\[[^\]\n]*\]\(<?([^)\s>]+)>?\)")
_ANCHOR: Final = re.compile(r'<a (?:id|name)="([^"]+)">')
_PATH: Final = re.compile(r"`([\w.-]+(?:/[\w.*<>{},-]+)+/?)`")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block."""

    line: int
    language: str
    code: str


@dataclass(frozen=True, kw_only=True)
class Document:
    """One Markdown file."""

    path: Path

    @property
    def name(self) -> str:
        """Its path as a reader of the repository sees it."""
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def text(self) -> str:
        """All of it."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def prose(self) -> str:
        """What stands outside of fenced blocks."""
        return _FENCE.sub("", self.text)

    @cached_property
    def blocks(self) -> list[Block]:
        """Its fenced blocks in order."""
        return [
            Block(line=self.text[: found.start()].count("\n") + 1, language=found["language"], code=found["code"])
            for found in _FENCE.finditer(self.text)
        ]

    @cached_property
    def anchors(self) -> set[str]:
        """What a link may name behind #, as GitHub makes it of headings."""
        seen: Counter[str] = Counter()
        found = set(_ANCHOR.findall(self.text))
        for heading in _HEADING.findall(self.prose):
            slug = slug_of(heading)
            found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
            seen[slug] += 1
        return found

    def links(self) -> Iterator[tuple[Path, str]]:
        """Give file and anchor of every link inside of the repository."""
        for target in _LINK.findall(self.prose):
            if "://" not in target and not target.startswith("mailto:"):
                file, _, anchor = target.partition("#")
                yield ((self.path.parent / file).resolve() if file else self.path), anchor

    def paths(self) -> set[str]:
        """Give what looks like a path of the repository."""
        return {found.rstrip("/") for found in _PATH.findall(self.prose)}


def slug_of(heading: str) -> str:
    """Give the anchor of a heading.

    >>> slug_of("`POST /api/models/create`: ask for a model")
    'post-apimodelscreate-ask-for-a-model'

    """
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-")


def documents() -> list[Document]:
    """Give all of them, the README first."""
    files = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    return [Document(path=file) for file in files]


def records() -> list[Document]:
    """Give the decisions, the changelog and what else is Markdown."""
    return [Document(path=file) for file in [*sorted((ROOT / "docs").glob("*/*.md")), ROOT / "CHANGELOG.md"]]
