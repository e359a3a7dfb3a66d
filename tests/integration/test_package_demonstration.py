"""The package that comes with the project: small, valid, and marked as what it is."""

import asyncio
import hashlib
from importlib.resources import files
from pathlib import Path
from zipfile import ZipFile

import pytest

from prediction_service.runtime.packages import demo
from prediction_service.usecases.package_checks import validate_files
from pumpcast.market.candles import INTERVAL_SECONDS, SYMBOL
from pumpcast.packages.folder import FILES, read_given
from shared.contracts.packages import Digests

FOLDER = Path(str(files(demo)))


@pytest.fixture(scope="module")
def given():
    return read_given(FOLDER)


def test_demonstration_then_below_a_megabyte_and_says_what_it_is(given):
    assert sum((FOLDER / name).stat().st_size for name in FILES) < 1_000_000
    assert given["description"].startswith("Demonstration: trained on simulated candles only")
    assert given["market"] == {
        "interval_seconds": INTERVAL_SECONDS, "warmup_bars": 1500, "symbol": SYMBOL, "source": "candles"
    }  # fmt: skip
    assert len(given["report"]["verdict"]) == 3
    with ZipFile(FOLDER / "ppo_policy.zip") as archive:
        assert "system_info.txt" not in archive.namelist()


def test_demonstration_when_checked_like_an_upload_then_ready_and_its_probe_holds(given):
    manifest = asyncio.run(validate_files(FOLDER, given))
    assert manifest.inferred == []
    assert manifest.probe is not None
    assert manifest.sha256 == Digests(
        forecast_model=hashlib.sha256((FOLDER / "forecast_model.pt").read_bytes()).hexdigest(),
        ppo_model=hashlib.sha256((FOLDER / "ppo_policy.zip").read_bytes()).hexdigest(),
    )
