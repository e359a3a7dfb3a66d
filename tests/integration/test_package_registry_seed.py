"""The package that comes with the project is added once; what is left over on the disk is swept."""

import asyncio
import hashlib
import json
from functools import partial
from pathlib import Path

import pytest

from prediction_service.app import build
from prediction_service.settings import PredictionSettings
from prediction_service.usecases import seed as seed_usecase
from prediction_service.usecases.seed import prepare, seed
from prediction_service.usecases.upload import Uploads, sweep
from shared.db import Pool
from tests.support.serving import Api, api_of
from tests.support.uploading import files_below, parts, upload

SEEDED = "SELECT id, is_builtin, status, warmup_status FROM model_packages ORDER BY id"


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """Give the folder of a demonstration."""
    folder = tmp_path / "demo"
    folder.mkdir()
    (folder / "forecast_model.pt").write_bytes(b"forecast")
    (folder / "ppo_policy.zip").write_bytes(b"policy")
    (folder / "manifest.json").write_text(json.dumps({"market": {"symbol": "SIMUSDT"}}))
    return folder


async def seeded(pool: Pool) -> list[tuple[object, ...]]:
    return [tuple(row) for row in await pool.fetch(SEEDED)]


async def test_seed_when_two_apis_start_then_there_is_one_demonstration_to_be_validated(
    pool: Pool, configured: PredictionSettings, demo: Path
):
    await asyncio.gather(*(seed(pool, configured, Uploads(), demo) for _ in range(4)))
    await seed(pool, configured, Uploads(), demo)
    assert await seeded(pool) == [("ppo_v1", True, "UPLOADED", "PENDING")]
    assert files_below(configured.packages_folder) == [
        "ppo_v1", "ppo_v1/forecast_model.pt", "ppo_v1/manifest.json", "ppo_v1/ppo_policy.zip"
    ]  # fmt: skip
    row = await pool.fetchrow("SELECT * FROM model_packages")
    assert (row["forecast_sha256"], row["ppo_bytes"]) == (hashlib.sha256(b"forecast").hexdigest(), 6)
    assert row["manifest"] == {"market": {"symbol": "SIMUSDT"}}


async def test_seed_when_it_was_deleted_then_it_stays_away(
    pool: Pool, api: Api, configured: PredictionSettings, demo: Path
):
    await seed(pool, configured, Uploads(), demo)
    assert (await api.call("DELETE", "/model-packages/ppo_v1"))[0] == 204
    await seed(pool, configured, Uploads(), demo)
    assert (await seeded(pool), files_below(configured.packages_folder)) == ([], [])


async def test_seed_when_its_files_are_missing_then_nothing_is_remembered(
    pool: Pool, configured: PredictionSettings, demo: Path
):
    manifest = demo / "manifest.json"
    manifest.rename(demo / "away")
    await seed(pool, configured, Uploads(), demo)
    assert await seeded(pool) == []
    (demo / "away").rename(manifest)
    await seed(pool, configured, Uploads(), demo)
    assert len(await seeded(pool)) == 1


async def test_seed_when_an_own_package_has_its_id_then_that_one_is_kept(
    pool: Pool, api: Api, configured: PredictionSettings, demo: Path
):
    assert (await upload(api, parts("PPO v1")))[1]["id"] == "ppo_v1"
    before = files_below(configured.packages_folder)
    await seed(pool, configured, Uploads(), demo)
    assert await seeded(pool) == [("ppo_v1", False, "UPLOADED", "PENDING")]
    assert (configured.packages_folder / "ppo_v1" / "ppo_policy.zip").read_bytes() == b"ppo"
    assert files_below(configured.packages_folder) == before


async def test_sweep_when_folders_have_no_row_then_only_marked_ones_go(
    pool: Pool, api: Api, configured: PredictionSettings
):
    root = configured.packages_folder
    await upload(api)
    for name in ("orphan", "of_the_user", "of another kind"):
        (root / name).mkdir()
        (root / name / "forecast_model.pt").write_bytes(b"x")
    for name in ("orphan", "my_model"):
        (root / name / ".unsettled").touch()
    (root / ".incoming" / "of_a_killed_upload").mkdir()
    await sweep(pool, configured)
    assert sorted(path.name for path in root.iterdir()) == [".incoming", "my_model", "of another kind", "of_the_user"]
    assert list((root / ".incoming").iterdir()) == []
    assert sorted(path.name for path in (root / "my_model").iterdir()) == [
        "forecast_model.pt", "manifest.json", "ppo_policy.zip"
    ]  # fmt: skip


async def test_start_when_the_folder_of_packages_cannot_be_written_then_all_else_works(
    pool: Pool, configured: PredictionSettings, demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "a_file").touch()
    blocked = configured.model_copy(update={"model_packages_dir": tmp_path / "a_file"})
    monkeypatch.setattr(seed_usecase, "seed", partial(seed, folder=demo))
    await prepare(pool, blocked, Uploads())
    async with api_of(build(blocked)) as api:
        status, refused = await upload(api)
        assert (status, refused["detail"]) == (503, "The folder of packages cannot be written: Not a directory")
        assert (await api.get("/model-packages"))[1]["total"] == 0
    # It is added once that was put right.
    await prepare(pool, configured, Uploads())
    assert len(await seeded(pool)) == 1
