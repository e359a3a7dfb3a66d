"""Services whose every free word is hostile Markdown, and all Markdown that a page was drawn with."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from pydantic import BaseModel
from streamlit.testing.v1 import AppTest

from tests.support.fake_services import Asked, FakeService, Problem

MARK = "evil.example"
HOSTILE = f"a` [x](http://{MARK}) ![p](http://{MARK}/p.png) :red[y] $z$ **b**"
_FREE = {
    "name", "model_name", "custom_name", "description", "message", "code", "detail", "reason", "error", "error_msg",
    "progress_msg", "worker_id", "disabled_reason", "trouble", "response", "webhook_id", "url", "note", "rule",
    "sentence", "overlap_note", "interval_note", "method", "code_version", "warmup_error", "line",
    "last_error", "forecast_rel_path", "uploaded_by", "inferred", "verdict", "arch", "activation", "missing", "errors",
    "missing_columns", "title", "meaning", "allowed", "unit", "feed", "symbol", "version", "made_by", "age", "actions",
    "target_variable",
}  # fmt: skip
_FREE_KEYS = {"headers", "unresolved", "unresolved_by_reason", "skipped", "libraries", "versions"}
_EVEN_UNSET = {
    "description", "disabled_reason", "trouble", "progress_msg", "overlap_note", "interval_note", "note", "error",
    "custom_name", "warmup_error", "response", "line", "reason", "age",
}  # fmt: skip
_MARKDOWN = {"body", "label", "help", "title", "text", "delta", "content", "caption", "tooltip"}
_TAKEN_AS_IT_IS = {"code", "json", "text", "arrow_data_frame", "vega_lite_chart", "plotly_chart", "bidi_component"}
_CODE = re.compile(r"(?<![`\\])(`+)(?!`).*?(?<!`)\1(?!`)")
_MEANT = re.compile(rf"http://{re.escape(MARK)}|(?<!\\)(?:\]\(|:red\[y|\$z|\*\*b|!\[p)")


def poison(service: FakeService, *, but: frozenset[str] = frozenset()) -> None:
    """Have a service say the same with hostile words, those of some names excepted."""
    free = _FREE - but
    for route, answer in service.answers.items():
        service.answers[route] = _poisoned(answer, free)


def markdown(test: AppTest) -> list[str]:
    """Give all Markdown of a page as it was sent to the browser."""
    return [text for message in _messages(test._tree) for text in _texts(message)]


def meant(text: str) -> str | None:
    """Give what of the hostile words a browser would take as Markdown."""
    found = _MEANT.search(_CODE.sub("", text))
    return found[0] if found else None


def _poisoned(answer: Any, free: set[str]) -> Callable[[Asked], Any]:
    def reply(asked: Asked) -> Any:
        found = answer(asked) if callable(answer) else answer
        match found:
            case BaseModel():
                return _words(found.model_dump(mode="json", by_alias=True), free)
            case dict():
                return _words(found, free)
            case Problem():
                return Problem(found.status, HOSTILE, errors=({"pointer": HOSTILE, "detail": HOSTILE},))
        return found

    return reply


def _words(value: Any, free: set[str], name: str = "") -> Any:
    match value:
        case dict() if name in _FREE_KEYS:
            return {f"{HOSTILE} {key}": part for key, part in value.items()}
        case dict():
            return {key: _words(part, free, key) for key, part in value.items()}
        case list():
            return [_words(part, free, name) for part in value]
        case str() if name in free:
            return HOSTILE
        case None if name in free & _EVEN_UNSET:
            return HOSTILE
    return value


def _messages(node: Any) -> Iterator[Any]:
    for child in node.children.values():
        proto = getattr(child, "proto", None)
        if hasattr(proto, "ListFields") and child.type not in _TAKEN_AS_IT_IS:
            yield proto
        if getattr(child, "children", None):
            yield from _messages(child)


def _texts(message: Any) -> Iterator[str]:
    for field, value in message.ListFields():
        if isinstance(value, str):
            if field.name in _MARKDOWN:
                yield value
        elif hasattr(value, "ListFields"):
            yield from _texts(value)
        elif field.message_type is not None and not field.message_type.GetOptions().map_entry:
            for one in value:
                yield from _texts(one)
