"""Fixtures of several files: homes with an embedded server, files of rows, the prediction API."""

import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from prediction_service.app import build
from prediction_service.settings import PredictionSettings
from prediction_service.usecases import seed
from shared import embedded
from shared.cluster import stop_abandoned
from tests.support import live
from tests.support.embedded import settings, temporary_folder
from tests.support.receiver import Receiver, receiver
from tests.support.serving import Api, api_of
from tests.support.training_stub import TrainingStub, training_stub


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give an empty folder; a server that a failed test left in it is stopped."""
    with temporary_folder() as path:
        yield path
        stop_abandoned(path / "postgres")


@pytest.fixture(scope="session")
def made_home() -> Iterator[Path]:
    """Give a home whose database was made and stopped, to be copied."""
    with temporary_folder() as path:
        with embedded.database(settings(path)):
            pass
        yield path


@pytest.fixture
def home(made_home: Path, folder: Path) -> Iterator[Path]:
    """Give a home with a database that is not running."""
    copied = folder / "home"
    # Unlike shutil, cp keeps the owner.
    subprocess.run(["cp", "-a", str(made_home), str(copied)], check=True)
    yield copied
    stop_abandoned(copied / "postgres")


@pytest.fixture(params=["parquet", "csv"])
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[pa.Table], Path]:
    """Write a table into a file of either kind, one after the other."""

    def write(table: pa.Table) -> Path:
        path = tmp_path / f"rows.{request.param}"
        if request.param == "parquet":
            pq.write_table(table, path)
        else:
            pacsv.write_csv(table, path)
        return path

    return write


@pytest.fixture
async def training() -> AsyncIterator[TrainingStub]:
    """Give a stand-in of the training service."""
    async with training_stub() as stub:
        yield stub


@pytest.fixture
async def there() -> AsyncIterator[Receiver]:
    """Give a receiver of webhooks."""
    async with receiver() as found:
        yield found


@pytest.fixture
def configured(database: str, tmp_path: Path, training: TrainingStub) -> PredictionSettings:
    """Give settings of a prediction service that knows both of them."""
    return live.settings(
        database, tmp_path, webhook_allowed_hosts=["127.0.0.1"],
        training_service_api_url=training.url, training_service_api_key="secret",
    )  # fmt: skip


@pytest.fixture(autouse=True)
def no_demonstration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start APIs without the package that comes with the project: its files would be copied each time."""

    async def leave_out(*_: object) -> None:
        pass

    monkeypatch.setattr(seed, "seed", leave_out)


@pytest.fixture
async def api(configured: PredictionSettings) -> AsyncIterator[Api]:
    """Serve the prediction API."""
    async with api_of(build(configured)) as client:
        yield client
