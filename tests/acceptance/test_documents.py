"""Every command of README and docs/*.md does what it says: all bash blocks run, in order, against one running stack."""

import json
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.documents import ROOT, Block, Document, documents
from tests.support.processes import PUMPCAST, environment, place

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PATIENCE: Final = 300
# What a reader sees, and which setting moves it.
PORTS: Final = {
    "8001": "TRAINING_API_PORT", "8000": "PREDICTION_API_PORT", "8501": "STREAMLIT_PORT",
    "9101": "TRAINING_METRICS_PORT", "9100": "PREDICTION_METRICS_PORT",
}  # fmt: skip
DONE: Final = "block done"
LEFT_OUT: Final = {".git", ".venv", ".env", "var", "build"}
# The same with less work.
SHORTER: Final = (("--size tiny", "--size tiny --epochs 1 --timesteps 512"),)
# What blocks must say, and where; more than that they end with 0 and show no problem.
PROMISES: Final = {
    "README.md": (
        ('"ok":true', "/models/preflight"),
        ('"progress_msg":"model1isready"', "/events"),
        ('"roc_auc":', "/models/1 "),
        ('"mean_pct":', "/models/1/card"),
        ('"active_model_id":', "/models/import"),
        ('"coin_id":"MyFirstCoin"', "INSERT INTO"),
        ('"probability":', "/api/predict "),
        ("1answersowed=1predictions+0leftout", "pumpcast watch"),
        ('"status":"healthy"', "/health"),
    ),
    "docs/PACKAGES.md": (
        ("my_firstisREADY:itsprobeholds", "package check"),
        ("promisesnothing", "package backtest"),
        ("my_first:READY,warm-upDONE", "package upload"),
        ('"lookback_rows_used":828', "/paper/ml-signal/my_first"),
        ('"auto_trade":true', "/paper/account/my_first"),
        ('"reason":', "/paper/signal "),
    ),
}
# Where a problem is what is shown.
PROBLEMS_SHOWN: Final = {"docs/API.md", "docs/TROUBLESHOOTING.md", "docs/SECURITY.md", "docs/OBSERVABILITY.md"}


def script_of(blocks: list[Block], ports: dict[str, str]) -> str:
    """Give one bash session that ends at the first command that fails and tells of each block that did not."""
    parts = ["set -eo pipefail"]
    for block in blocks:
        code = re.sub(rf"(?<=127\.0\.0\.1:)({'|'.join(PORTS)})\b", lambda port: ports[PORTS[port[0]]], block.code)
        for long, short in SHORTER:
            code = code.replace(long, short)
        parts += [code, f"echo; echo '{DONE} {block.line}'"]
    return "\n".join(parts)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with place() as path:
        # A checkout to stand in, with its environment; what commands write stays here.
        for entry in ROOT.iterdir():
            if entry.name not in LEFT_OUT and not entry.name.startswith("."):
                (path / entry.name).symlink_to(entry)
        (path / ".env.example").symlink_to(ROOT / ".env.example")
        (path / ".venv").symlink_to(sys.prefix)
        yield path


@pytest.fixture(scope="module")
def settings(folder: Path) -> dict[str, str]:
    found = environment(folder)
    return found | {"PATH": f"{Path(sys.prefix) / 'bin'}:{found['PATH']}", "PYTHONSAFEPATH": ""}


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


def follow(document: Document, settings: dict[str, str], folder: Path) -> tuple[list[str], list[str]]:
    """Run the blocks of a document in one session; give what each said, and what went wrong."""
    blocks = [block for block in document.blocks if block.language == "bash"]
    # Ends itself, so that what was said until then is known.
    done = subprocess.run(
        ["timeout", str(PATIENCE), "bash", "-c", script_of(blocks, settings)], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=settings, cwd=folder, check=False,
    )  # fmt: skip
    said = re.split(rf"\n?{DONE} \d+\n", done.stdout)
    if done.returncode:
        failed = blocks[min(len(said), len(blocks)) - 1]
        return said, [f"{document.name}:{failed.line} ends with {done.returncode}: {said[-1][-1500:]}"]
    faults = []
    for block, output in zip(blocks, said, strict=False):
        # curl is content with any answer.
        if ("urn:pumpcast" in output or "Traceback" in output) and document.name not in PROBLEMS_SHOWN:
            faults.append(f"{document.name}:{block.line} shows a problem: {output[-1500:]}")
    for promise, command in PROMISES.get(document.name, ()):
        spoken = [output for block, output in zip(blocks, said, strict=False) if command in block.code]
        if not any(promise in re.sub(r"\s", "", output) for output in spoken):
            faults.append(f"{document.name}: {command} does not say {promise}: {spoken}")
    return said, faults


def test_documents_when_followed_then_every_block_does_what_it_says(
    services: subprocess.Popen[str], settings: dict[str, str], folder: Path
):
    faults = []
    for document in documents():
        if any(block.language == "bash" for block in document.blocks):
            faults += follow(document, settings, folder)[1]
            assert services.poll() is None, f"{document.name} ended the services"
    assert not faults, "\n\n".join(faults)
    address = f"http://127.0.0.1:{settings['PREDICTION_API_PORT']}/api"
    with urllib.request.urlopen(f"{address}/predictions?coin_id=MyFirstCoin", timeout=10) as answer:
        assert len(json.loads(answer.read())["predictions"]) == 1
    assert (folder / "my_first.svg").stat().st_size > 10_000


def test_script_when_made_then_addresses_are_those_of_this_stack_and_blocks_are_told():
    blocks = [Block(line=7, language="bash", code="curl http://127.0.0.1:8000/api/health\n")]
    script = script_of(blocks, dict.fromkeys(PORTS.values(), "1234"))
    assert script == "set -eo pipefail\ncurl http://127.0.0.1:1234/api/health\n\necho; echo 'block done 7'"
