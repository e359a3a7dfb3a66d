"""The README's five-minute tour and the guide to packages do what they say, line by line."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.processes import PUMPCAST, environment, place

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

README = Path(__file__).resolve().parents[2] / "README.md"
GUIDE = README.parent / "docs" / "PACKAGES.md"
PATIENCE = 240
# What the README's reader sees, and which setting moves it.
PORTS = {"8001": "TRAINING_API_PORT", "8000": "PREDICTION_API_PORT", "8501": "STREAMLIT_PORT"}
DONE = "tour block done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block of the tour."""

    line: int
    code: str


def tour_of(text: str) -> list[Block]:
    """Give the blocks between the marks."""
    return blocks_of(text, text.index("<!-- tour:start -->"), text.index("<!-- tour:end -->"))


def blocks_of(text: str, start: int = 0, end: int | None = None) -> list[Block]:
    """Give the console and bash blocks of a part; of a console block what stands behind its prompts."""
    found = []
    for fence in re.finditer(r"^```(bash|console)\n(.*?)^```$", text[start:end], re.MULTILINE | re.DOTALL):
        code = fence[2]
        if fence[1] == "console":
            code = "".join(f"{said[1]}\n" for said in re.finditer(r"^(?:\$ )(.*)$", code, re.MULTILINE)) or code
        found.append(Block(line=text[: start + fence.start()].count("\n") + 1, code=code))
    return found


def script_of(blocks: list[Block], ports: dict[str, str]) -> str:
    """Give one bash session that ends at the first command that fails and tells of each block that did not."""
    parts = ["set -eo pipefail"]
    for block in blocks:
        code = re.sub(r"(?<=127\.0\.0\.1:)(8000|8001|8501)\b", lambda port: ports[PORTS[port[0]]], block.code)
        parts += [code, f"echo '{DONE} {block.line}'"]
    return "\n".join(parts)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with place() as path:
        # The tour activates the environment of the checkout it stands in.
        (path / ".venv").symlink_to(sys.prefix)
        yield path


@pytest.fixture(scope="module")
def settings(folder: Path) -> dict[str, str]:
    return environment(folder)


@pytest.fixture(scope="module")
def services(folder: Path, settings: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run everything, as in the other terminal."""
    with (folder / "up.log").open("w") as log:
        process = subprocess.Popen(
            [*PUMPCAST, "up", "--json"], stdout=subprocess.PIPE, stderr=log, text=True, env=settings, cwd=folder
        )
        impatience = threading.Timer(PATIENCE, process.terminate)
        impatience.start()
        try:
            ready = process.stdout.readline()
            assert ready, (folder / "up.log").read_text()
            assert json.loads(ready)["prediction_api"].endswith(f":{settings['PREDICTION_API_PORT']}/api")
            impatience.cancel()
            yield process
        finally:
            impatience.cancel()
            process.send_signal(signal.SIGINT)
            process.wait(PATIENCE)
            process.stdout.close()
    assert process.returncode == 0


def follow(blocks: list[Block], settings: dict[str, str], folder: Path) -> list[str]:
    """Run blocks in one session and give what each said."""
    done = subprocess.run(
        ["bash", "-c", script_of(blocks, settings)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, env=settings, cwd=folder, timeout=PATIENCE, check=False,
    )  # fmt: skip
    said = re.split(rf"{DONE} \d+\n", done.stdout)
    assert done.returncode == 0, f"the block of line {blocks[len(said) - 1].line} failed: {said[-1][-2000:]}"
    return said


def test_tour_when_followed_then_every_block_does_what_it_says(
    services: subprocess.Popen[str], settings: dict[str, str], folder: Path
):
    blocks = tour_of(README.read_text(encoding="utf-8"))
    assert len(blocks) >= 5
    said = follow(blocks, settings, folder)
    # curl is content with any answer: none of them may be a problem.
    assert not [output for output in said if "urn:" in output or "FAILED" in output]
    said_of = {block.code: output for block, output in zip(blocks, said, strict=False)}
    address = f"http://127.0.0.1:{settings['PREDICTION_API_PORT']}/api"
    with urllib.request.urlopen(f"{address}/predictions?coin_id=MyFirstCoin", timeout=10) as answer:
        (prediction,) = json.loads(answer.read())["predictions"]
    for promise, command in (
        ('"ok":true', "/models/preflight"),
        ('"progress_msg":"model1isready"', "/events"),
        ('"roc_auc":', "/models/1 "),
        ('"mean_pct":', "/models/1/card"),
        ('"active_model_id":', "/models/import"),
        (f'"id":{prediction["id"]},', "INSERT INTO"),
        (f'"probability":{prediction["probability"]},', "/api/predict "),
        ("1answersowed=1predictions+0leftout", "pumpcast watch"),
        ('"status":"healthy"', "/health"),
    ):
        (output,) = (output for code, output in said_of.items() if command in code)
        assert promise in output.replace(" ", ""), output
    assert services.poll() is None


def test_guide_to_packages_when_followed_then_a_pair_is_trained_uploaded_warmed_up_and_traded(
    services: subprocess.Popen[str], settings: dict[str, str], folder: Path
):
    blocks = []
    for block in blocks_of(GUIDE.read_text(encoding="utf-8")):
        # The libraries are there, and everything runs; a short training shows the same.
        code = re.sub(r"^(pip install .*|pumpcast up)\n", "", block.code, flags=re.MULTILINE)
        code = code.replace("--size tiny", "--size tiny --epochs 1 --timesteps 512")
        blocks.append(Block(line=block.line, code=code))
    env = settings | {"PATH": f"{Path(sys.prefix) / 'bin'}:{settings['PATH']}"}
    said = follow(blocks, env, folder)
    assert not [output for output in said if "urn:" in output or "FAILED" in output]
    said_of = {block.code: output for block, output in zip(blocks, said, strict=False)}
    for promise, command in (
        ("my_first is READY: its probe holds", "package check"),
        ("promises nothing", "package backtest"),
        ("my_first: READY, warm-up DONE", "package upload"),
        ('"lookback_rows_used":828', "/paper/ml-signal/my_first"),
        ('"auto_trade":true', "/paper/account/my_first"),
        ('"reason":', "/paper/signal "),
    ):
        (output,) = (output for code, output in said_of.items() if command in code)
        assert promise in output, output
    assert (folder / "my_first.svg").stat().st_size > 10_000
    assert services.poll() is None


def test_blocks_when_console_then_only_commands_are_kept():
    text = "<!-- tour:start -->\n```console\n$ one\nits output\n$ two\n```\n```bash\nthree\n```\n<!-- tour:end -->"
    assert [block.code for block in tour_of(text)] == ["one\ntwo\n", "three\n"]


def test_commands_of_the_readme_when_they_name_a_verb_then_pumpcast_has_it():
    code = re.findall(r"^```.*?^```|`[^`\n]+`", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    verbs = set(re.findall(r"\bpumpcast ([a-z]+)", "\n".join(code)))
    told = subprocess.run([*PUMPCAST, "--help"], capture_output=True, text=True, env=os.environ, check=True).stdout
    assert {"up", "simulate", "psql", "doctor"} <= verbs
    assert verbs <= set(re.findall(r"^  ([a-z]+) ", told, re.MULTILINE))
