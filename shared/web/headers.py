"""Headers that every answer has: what a browser may do with it, and what it must not."""

from typing import Final

from starlette.types import Message

SECURITY: Final = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
PRIVATE: Final = {"cache-control": "no-store"}
"""For answers that only the holder of a key may have."""


class Marks:
    """The headers of every answer of one app."""

    def __init__(self, *, is_private: bool) -> None:
        self._headers = encoded({**SECURITY, **(PRIVATE if is_private else {})})

    def mark(self, message: Message, more: dict[str, str]) -> Message:
        """Give the start of an answer with its headers; what a route itself says of one of them stands."""
        own = list(message.get("headers", ()))
        said = {name for name, _ in own}
        added = (pair for pair in (*encoded(more), *self._headers) if pair[0] not in said)
        return {**message, "headers": [*own, *added]}


def encoded(headers: dict[str, str]) -> tuple[tuple[bytes, bytes], ...]:
    """Give headers as they are sent."""
    return tuple((name.encode(), value.encode("latin-1")) for name, value in headers.items())
