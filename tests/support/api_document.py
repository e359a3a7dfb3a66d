"""Makes docs/API.md: `python -m tests.support.api_document`, with `--capture` the examples in it anew (two minutes).

Routes, parameters and bodies come from the OpenAPI documents, errors from the source, examples from a running stack.
"""

import argparse
import json
from functools import cache
from pathlib import Path
from typing import Any, Final

from prediction_service.app import build as build_prediction
from prediction_service.settings import PredictionSettings
from shared.web.codes import CODES
from shared.web.examples import FOLDER, examples_of
from shared.web.keys import ApiKey
from tests.support.api_capture import capture
from tests.support.documents import slug_of
from tests.support.raised import endpoint_codes
from training_service.app import build as build_training
from training_service.settings import TrainingSettings

PATH: Final = Path(__file__).resolve().parents[2] / "docs" / "API.md"
MARK: Final = "<!-- Everything below is made by `python -m tests.support.api_document`. -->\n"
SERVICES: Final = ("training", "prediction")
SCOPES: Final = ("read", "write", "service")
ANYWHERE: Final = (
    "foreign_host", "no_key", "scope", "foreign_origin", "proxy_without_keys", "path_too_long", "too_often",
    "internal", "too_long", "not_migrated", "database_gone",
)  # fmt: skip
"""What any route may answer."""
WITH_BODY: Final = ("too_slow", "too_large")
LONGEST_DETAIL: Final = 160
LONGEST_LINE: Final = 110
LARGEST_SAFE: Final = 2**53 - 1
"""Larger numbers are no limit that anybody meets."""
BOUNDS: Final = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}
Operation = dict[str, Any]


@cache
def apps() -> dict[str, Any]:
    """Give both apps, without a database behind them."""
    return {
        "training": build_training(TrainingSettings(db_dsn="postgresql://nobody@nowhere/none")),
        "prediction": build_prediction(PredictionSettings(db_dsn="postgresql://nobody@nowhere/none")),
    }


def operations(document: dict[str, Any]) -> dict[str, Operation]:
    """Give the operations of an OpenAPI document by method and path."""
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def codes_by_route(app: Any) -> dict[str, list[str]]:
    """Give the codes of each route, in the order of their status, without those of any route."""
    raised = endpoint_codes(app)
    found = {}
    for route, operation in operations(app.openapi()).items():
        codes = set(raised[route])
        if operation.get("parameters") or "requestBody" in operation:
            codes.add("invalid")
        if route.endswith("/health/ready"):
            codes.add("not_ready")
        if route.endswith("/download"):
            codes.add("range_not_satisfiable")
        found[route] = [code for code in CODES if code in codes]
    return found


def with_codes(service: str, app: Any) -> dict[str, Any]:
    """Give what is kept of a service, with the codes as the source has them now and nothing of routes that are gone."""
    kept = examples_of(service)
    return {
        route: {"problems": {}} | kept.get(route, {}) | {"codes": codes} for route, codes in codes_by_route(app).items()
    }


def render() -> str:
    """Give the whole document; its first part, written by hand, is kept."""
    parts = [PATH.read_text(encoding="utf-8").partition(MARK)[0] + MARK, _codes()]
    for service, app in apps().items():
        document = app.openapi()
        found = operations(document)
        parts.append(f"## {service.capitalize()} API\n\n{document['info']['description']}\n\n{_index(found)}")
        parts += [_route(route, one, document, examples_of(service)[route]) for route, one in found.items()]
    return "\n".join(parts)


def _codes() -> str:
    lines = ["", "## Codes", "", "| status | code | means | what to do |", "|---|---|---|---|"]
    lines += [f"| {one.status} | `{code}` | {one.meaning} | {one.remedy} |" for code, one in CODES.items()]
    told = ", ".join(f"`{code}`" for code in ANYWHERE)
    bodies = " and ".join(f"`{code}`" for code in WITH_BODY)
    lines += [
        "",
        f"Any route may answer {told}; those that take a body, {bodies} as well. Each route lists its own.",
        "",
    ]
    return "\n".join(lines)


def _index(found: dict[str, Operation]) -> str:
    lines = ["| route | does | scopes |", "|---|---|---|"]
    for route, operation in found.items():
        lines.append(f"| [`{route}`](#{slug_of(route)}) | {operation['summary']} | {scopes(route)} |")
    return "\n".join([*lines, ""])


def scopes(route: str) -> str:
    """Say whose keys may ask a route."""
    method, path = route.split()
    if path.endswith("/health/live"):
        return "no key"
    sample = path.replace("{model_id}", "1").replace("{active_id}", "1")
    told = ", ".join(scope for scope in SCOPES if ApiKey(name="any", scope=scope, digest="").allows(method, sample))
    return f"{told}; no key on the machine itself" if path.endswith("/metrics") else told


def _route(route: str, operation: Operation, document: dict[str, Any], example: dict[str, Any]) -> str:
    lines = [f"### {route}", "", f"{operation['summary']}."]
    if fields := [*_parameters(operation, document), *_body(operation, document)]:
        lines += ["", "| parameter | in | type | |", "|---|---|---|---|", *fields]
    lines += ["", "```http", *_request(route, example["request"]), "```", *_answer(example["response"])]
    if example["codes"]:
        lines += ["", "| error | for instance |", "|---|---|"]
        for code in example["codes"]:
            told = example["problems"].get(code, {}).get("detail") or f"{CODES[code].meaning}."
            lines.append(f"| {CODES[code].status} `{code}` | {_cell(_cut(told, LONGEST_DETAIL))} |")
    return "\n".join([*lines, ""])


def _request(route: str, request: dict[str, Any]) -> list[str]:
    lines = [f"{route.split(maxsplit=1)[0]} {request['target']}"]
    if "body" in request:
        lines += ["Content-Type: application/json", "", *_lines(request["body"])]
    elif route.endswith("/upload"):
        lines += [
            "Content-Type: multipart/form-data",
            "",
            "name, forecast_model (.pt), ppo_model (.zip), manifest (.json)",
        ]
    return lines


def _answer(response: dict[str, Any]) -> list[str]:
    if "body" not in response:
        what = "a zip file" if response["type"] else "no body"
        return ["", f"Answers {response['status']} with {what}."]
    body = response["body"]
    if isinstance(body, str):
        return ["", f"Answers {response['status']}, `{response['type']}`:", "", "```text", body.rstrip(), "```"]
    return ["", f"Answers {response['status']}:", "", "```json", *_lines(body), "```"]


def _lines(value: Any) -> list[str]:
    """Write JSON with a line for each field, cut where it is long: all of it stands in the OpenAPI document."""
    if not isinstance(value, dict) or len(_compact(value)) <= LONGEST_LINE:
        return [_cut(_compact(value), LONGEST_LINE)]
    fields = [f'  "{name}": {_cut(_compact(one), LONGEST_LINE)}' for name, one in value.items()]
    return ["{", *(f"{field}," for field in fields[:-1]), fields[-1], "}"]


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _parameters(operation: Operation, document: dict[str, Any]) -> list[str]:
    return [
        _field(one["name"], one["in"], one["schema"], document, one.get("required", False), one.get("description"))
        for one in operation.get("parameters", [])
    ]


def _body(operation: Operation, document: dict[str, Any]) -> list[str]:
    found = []
    for content in operation.get("requestBody", {}).get("content", {}).values():
        schema = content["schema"]
        kinds = [_resolved(one, document) for one in schema.get("anyOf") or schema.get("oneOf") or [schema]]
        shapes = [kind for kind in kinds if "properties" in kind]
        for name, one in {name: one for kind in shapes for name, one in kind["properties"].items()}.items():
            is_required = all(name in kind.get("required", []) for kind in shapes)
            found.append(_field(name, "body", one, document, is_required, None))
    return found


def _field(
    name: str, place: str, schema: dict[str, Any], document: dict[str, Any], is_required: bool, meaning: str | None
) -> str:
    told = meaning or schema.get("description") or ""
    if is_required and place != "path":
        told = f"required. {told}".strip()
    elif schema.get("default") is not None:
        told = f"default `{json.dumps(schema['default'])}`. {told}".strip()
    return f"| `{name}` | {place} | {_cell(_type(schema, document))} | {_cell(told)} |"


def _type(schema: dict[str, Any], document: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(one, document) for one in schema["anyOf"] if one.get("type") != "null"))
    if "$ref" in schema:
        resolved = _resolved(schema, document)
        return _type(resolved, document) if "enum" in resolved else schema["$ref"].rpartition("/")[2]
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}), document)}"
    kind = schema.get("format") if schema.get("format") in ("date-time", "binary", "uri") else schema.get("type", "any")
    told = [
        f"{words} {bound:g}" if isinstance(bound, float) and not bound.is_integer() else f"{words} {int(bound)}"
        for name, words in BOUNDS.items()
        if (bound := schema.get(name)) is not None and abs(bound) < LARGEST_SAFE
    ]
    return " ".join([str(kind), *told])


def _resolved(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    found: dict[str, Any] = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}…"


def main() -> None:
    """Write codes, examples and the document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--capture", action="store_true", help="ask a running stack for the examples anew")
    if parser.parse_args().capture:
        capture()
        examples_of.cache_clear()
    kept = {service: with_codes(service, app) for service, app in apps().items()}
    for service, found in kept.items():
        text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
        (FOLDER / f"{service}.json").write_text(text, encoding="utf-8")
    examples_of.cache_clear()
    PATH.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
