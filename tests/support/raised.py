"""Which errors a route may end with: those of the error tree that its function can reach, read from the source."""

import ast
import inspect
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from fastapi.routing import iter_route_contexts

from shared import errors
from shared.errors import JobFailed, PumpcastError, SettingsInvalid

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGES: Final = ("shared", "training_service", "prediction_service")
NEVER_ANSWERED: Final = {JobFailed.code, SettingsInvalid.code, PumpcastError.code}
"""Ends of jobs and starts, not of requests."""
WIRE: Final = "shared.contracts."
MOST_HANDS: Final = 4
"""Modules that may hand a name on before it is found."""
MOST_OWNERS: Final = 1
"""A method's name that more classes have tells nothing about which one is meant."""
KINDS: Final = {
    name: kind for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, PumpcastError)
}


@dataclass(slots=True)
class Piece:
    """A function: what it raises and which others it names."""

    raised: set[str] = field(default_factory=set)
    named: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Source:
    """All functions by `module.name`, and methods by name alone."""

    pieces: dict[str, Piece] = field(default_factory=dict)
    methods: dict[str, set[str]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    """What a module imports, by the name it has there."""

    def place_of(self, name: str) -> str:
        """Give the name of something where it is made: packages hand on what their modules make."""
        for _ in range(MOST_HANDS):
            parts = name.split(".")
            tops = (number for number in range(len(parts), 1, -1) if ".".join(parts[:number]) in self.aliases)
            if name in self.pieces or (number := next(tops, 0)) == 0:
                break
            name = ".".join([self.aliases[".".join(parts[:number])], *parts[number:]])
        return name


def codes_of(function: Callable[..., Any]) -> set[str]:
    """Give the codes of the errors that a function can end with."""
    source = read_source()
    seen: set[str] = set()
    left = [f"{function.__module__}.{function.__qualname__.replace('.<locals>', '')}"]
    found: set[str] = set()
    while left:
        name = source.place_of(left.pop())
        if name in seen or name not in source.pieces:
            continue
        seen.add(name)
        piece = source.pieces[name]
        found |= {KINDS[one].code for one in piece.raised}
        left += piece.named
    return found - NEVER_ANSWERED


def codes_raised() -> set[str]:
    """Give the codes of all errors that are raised anywhere."""
    return {KINDS[one].code for piece in read_source().pieces.values() for one in piece.raised}


@cache
def read_source() -> Source:
    """Read every module once."""
    source = Source()
    trees = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            trees[module] = ast.parse(path.read_text(encoding="utf-8"))
            for name, _ in _functions(trees[module], module):
                if name.count(".") > module.count(".") + 1:
                    source.methods.setdefault(name.rpartition(".")[2], set()).add(name)
    for module, tree in trees.items():
        names = _names(tree, module)
        source.aliases |= {f"{module}.{name}": made for name, made in names.items() if made != f"{module}.{name}"}
        for name, node in _functions(tree, module):
            source.pieces[name] = _piece(node, name, names, source)
        if module.startswith(WIRE):
            source.pieces |= _wire_models(tree, module, names)
    return source


def _wire_models(tree: ast.Module, module: str, names: dict[str, str]) -> dict[str, Piece]:
    """Give each wire model as what its validators do: a body is made before the function of the route is called."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            name = f"{module}.{node.name}"
            bases = {names[base.id] for base in node.bases if isinstance(base, ast.Name) and base.id in names}
            found[name] = Piece(named=bases | {one for one, _ in _functions(node, name)})
    return found


def _functions(tree: ast.AST, above: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{above}.{node.name}", node
            yield from _functions(node, f"{above}.{node.name}")
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node, f"{above}.{node.name}")


def _names(tree: ast.Module, module: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {one.asname or one.name: f"{node.module}.{one.name}" for one in node.names}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found[node.name] = f"{module}.{node.name}"
    return found


def _piece(node: ast.AST, own: str, names: dict[str, str], source: Source) -> Piece:
    piece = Piece()
    for part in ast.walk(node):
        match part:
            case ast.Call(func=ast.Name(id=kind)) if kind in KINDS:
                # Made to be raised, here or by whoever asked for it.
                piece.raised.add(kind)
            case ast.Call(func=ast.Attribute(value=value, attr=attribute)) if not _is_known(value, names):
                owners = source.methods.get(attribute, set())
                if len(owners) <= MOST_OWNERS:
                    piece.named |= owners
            case ast.Name(id=name) if name in names:
                piece.named |= {names[name], f"{names[name]}.__init__", f"{names[name]}.__post_init__"}
            case ast.Attribute(value=ast.Name(id=name), attr=attribute) if name in names:
                piece.named.add(f"{names[name]}.{attribute}")
            case ast.FunctionDef() | ast.AsyncFunctionDef() if part is not node:
                piece.named.add(f"{own}.{part.name}")
    return piece


def _is_known(value: ast.expr, names: dict[str, str]) -> bool:
    return isinstance(value, ast.Name) and value.id in names


def endpoint_codes(app: Any) -> dict[str, set[str]]:
    """Give the codes of each route of an app, by method and path as OpenAPI has them."""
    found = {}
    for context in _routes(app):
        function = inspect.unwrap(context.endpoint)
        if function.__module__ in sys.modules:
            for method in context.methods:
                found[f"{method} {context.path_format}"] = codes_of(function)
    return found


def _routes(app: Any) -> list[Any]:
    return [one for one in iter_route_contexts(app.routes) if getattr(one, "endpoint", None) is not None]
