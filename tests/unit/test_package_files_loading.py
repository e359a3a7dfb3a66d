"""No product code loads what can run code: a look at every module."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import prediction_service
import pumpcast
import shared
import training_service

PICKLES = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve"}
LOADING = {"load", "loads", "Unpickler", "open"}
NEVER = {"joblib", "dill", "cloudpickle", "marshal", "shelve", "stable_baselines3.common.save_util"}
NEVER_OF = {
    ("torch", "jit"), ("torch", "package"), ("torch", "hub"), ("th", "load"), ("th", "jit"),
    *((algorithm, "load") for algorithm in ("PPO", "A2C", "SAC", "TD3", "DQN", "BaseAlgorithm", "VecNormalize")),
    *((module, function) for module in PICKLES for function in LOADING),
}  # fmt: skip


def unsafe(source: str) -> Iterator[str]:
    """Give every place of a module that loads what can run code."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (f"{node.lineno}: import {name.name}" for name in names if name.name in NEVER)
            case ast.ImportFrom(module=str(module), names=names):
                taken = {name.name for name in names}
                if (
                    module in NEVER
                    or (module in PICKLES and taken & LOADING)
                    or (module == "torch" and taken & {"load", "jit"})
                ):
                    yield f"{node.lineno}: from {module}"
            case ast.Attribute(value=ast.Name(id=owner), attr=attribute) if (owner, attribute) in NEVER_OF:
                yield f"{node.lineno}: {owner}.{attribute}"
            case ast.Call(func=ast.Attribute(value=ast.Name(id="torch"), attr="load"), keywords=keywords):
                if not any(word.arg == "weights_only" and ast.unparse(word.value) == "True" for word in keywords):
                    yield f"{node.lineno}: torch.load without weights_only=True"
            case ast.keyword(arg="allow_pickle", value=value) if ast.unparse(value) != "False":
                yield f"{node.lineno}: allow_pickle"


@pytest.mark.parametrize(
    "package", [shared, training_service, prediction_service, pumpcast], ids=lambda one: one.__name__
)
def test_product_code_when_looked_through_then_nothing_loads_what_can_run_code(package: object):
    root = Path(package.__file__).parent  # type: ignore[attr-defined]
    modules = sorted(root.rglob("*.py"))
    found = {str(path.relative_to(root)): list(unsafe(path.read_text())) for path in modules}
    assert {path: lines for path, lines in found.items() if lines} == {}
    assert len(modules) > 10


@pytest.mark.parametrize(
    "line",
    [
        "torch.load(path)", "torch.load(path, weights_only=False)", "torch.load(path, weights_only=told)",
        "torch.jit.load(path)", "PPO.load(path)", "VecNormalize.load(path, env)", "pickle.load(file)",
        "pickle.loads(data)", "pickle.Unpickler(file)", "from pickle import loads", "import joblib",
        "from joblib import load", "from torch import load", "numpy.load(path, allow_pickle=True)",
        "from stable_baselines3.common.save_util import load_from_zip_file",
    ],
)  # fmt: skip
def test_look_when_a_line_loads_code_then_it_is_found(line: str):
    assert list(unsafe(line))


def test_look_when_lines_are_safe_then_none_is_found():
    safe = ["torch.load(path, weights_only=True)", "pickle.UnpicklingError", "json.load(file)", "model.save(path)"]
    assert list(unsafe("\n".join(safe))) == []
