"""The README's five-minute tour does what it says, line by line."""

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
PATIENCE = 240
# What the README's reader sees, and which setting moves it.
PORTS = {"8001": "TRAINING_API_PORT", "8000": "PREDICTION_API_PORT"}
DONE = "tour block done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block of the tour."""

    line: int
    code: str


def blocks_of(text: str) -> list[Block]:
    """Give the console and bash blocks between the marks; of a console block what stands behind its prompts."""
    start, end = text.index("<!-- tour:start -->"), text.index("<!-- tour:end -->")
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
        code = re.sub(r"(?<=127\.0\.0\.1:)(8000|8001)\b", lambda port: ports[PORTS[port[0]]], block.code)
        parts += [code, f"echo '{DONE} {block.line}'"]
    return "\n".join(parts)


@pytest.fixture
def folder() -> Iterator[Path]:
    with place() as path:
        # The tour activates the environment of the checkout it stands in.
        (path / ".venv").symlink_to(sys.prefix)
        yield path


@pytest.fixture
def settings(folder: Path) -> dict[str, str]:
    return environment(folder)


@pytest.fixture
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


def test_tour_when_followed_then_every_block_does_what_it_says(
    services: subprocess.Popen[str], settings: dict[str, str], folder: Path
):
    blocks = blocks_of(README.read_text(encoding="utf-8"))
    assert len(blocks) >= 5
    script = script_of(blocks, settings)
    done = subprocess.run(
        ["bash", "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=settings, cwd=folder, timeout=PATIENCE, check=False,
    )  # fmt: skip
    said = re.split(rf"{DONE} \d+\n", done.stdout)
    assert done.returncode == 0, f"line {blocks[len(said) - 1].line} of the README failed: {said[-1][-2000:]}"
    # curl is content with any answer: none of them may be a problem.
    assert "urn:" not in done.stdout
    assert "FAILED" not in done.stdout
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


def test_blocks_when_console_then_only_commands_are_kept():
    text = "<!-- tour:start -->\n```console\n$ one\nits output\n$ two\n```\n```bash\nthree\n```\n<!-- tour:end -->"
    assert [block.code for block in blocks_of(text)] == ["one\ntwo\n", "three\n"]


def test_commands_of_the_readme_when_they_name_a_verb_then_pumpcast_has_it():
    code = re.findall(r"^```.*?^```|`[^`\n]+`", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    verbs = set(re.findall(r"\bpumpcast ([a-z]+)", "\n".join(code)))
    told = subprocess.run([*PUMPCAST, "--help"], capture_output=True, text=True, env=os.environ, check=True).stdout
    assert {"up", "simulate", "psql", "doctor"} <= verbs
    assert verbs <= set(re.findall(r"^  ([a-z]+) ", told, re.MULTILINE))
