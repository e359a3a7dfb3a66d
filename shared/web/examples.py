"""Examples in an OpenAPI document: what a running service was asked and answered, kept in `captured/<service>.json`."""

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

from shared.web.codes import CODES

FOLDER: Final = Path(__file__).with_name("captured")
Example = dict[str, Any]
Operation = dict[str, Any]


@cache
def examples_of(service: str) -> dict[str, Example]:
    """Give request, response, codes and problems by route, as `GET /api/models`; none where none were kept."""
    file = FOLDER / f"{service}.json"
    found: dict[str, Example] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return found


def add_examples(document: dict[str, Any], service: str, *, answer: Operation) -> None:
    """Show in a document what was kept of its service; `answer` is the response that holds a problem."""
    kept = examples_of(service)
    for path, operations in document.get("paths", {}).items():
        for method, operation in operations.items():
            if example := kept.get(f"{method.upper()} {path}"):
                _add_request(operation, example.get("request", {}))
                _add_response(operation, example.get("response", {}))
                _add_problems(operation, example, answer)


def _add_request(operation: Operation, request: Example) -> None:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is not None and "body" in request:
        content["example"] = request["body"]


def _add_response(operation: Operation, response: Example) -> None:
    content = operation["responses"].get(str(response.get("status")), {}).get("content", {}).get(response.get("type"))
    if content is not None and "body" in response:
        content["example"] = response["body"]


def _add_problems(operation: Operation, example: Example, answer: Operation) -> None:
    ((media_type, shape),) = answer["content"].items()
    for code in example.get("codes", ()):
        told = operation["responses"].setdefault(str(CODES[code].status), {"description": ""})
        content = told.setdefault("content", {media_type: dict(shape)})
        if media_type not in content:
            continue
        sentence = f"`{code}`: {CODES[code].meaning}"
        told["description"] = f"{told['description']}. {sentence}" if told["description"] else sentence
        if code in example["problems"]:
            content[media_type].setdefault("examples", {})[code] = {"value": example["problems"][code]}
