"""Model files that are kept for ever: `python -m tests.support.old_artifacts` adds those of the present format.

Files that are there are never written anew: that they still load and answer the same is what they are kept for.
"""

import asyncio
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared.artifact import read_artifact, verify
from shared.contracts.artifact import FORMAT
from shared.db import open_pool
from tests.support.database import insert_rows, remove, test_server
from tests.support.training import learnable_rows, model_file, train, training_settings

FOLDER: Final = Path(__file__).resolve().parents[1] / "artifacts"
EXPECTED: Final = "expected.json"
ROWS: Final = 16
_RULE: Final[dict[str, Any]] = {
    "use_time_based_prediction": False, "target_var": "num_buys", "operator": ">", "target_value": 3.0,
    "future_minutes": ..., "min_percent_change": ...,
}  # fmt: skip
_TINY: Final[dict[str, Any]] = {"n_estimators": 4, "max_depth": 2}
KINDS: Final[dict[str, dict[str, Any]]] = {
    "random_forest-time": {"model_type": "random_forest"},
    "random_forest-rule": {"model_type": "random_forest", **_RULE},
    "xgboost-time": {"model_type": "xgboost"},
    "xgboost-rule": {"model_type": "xgboost", **_RULE},
    "xgboost-uncalibrated": {"model_type": "xgboost", "calibrate": False},
}
"""What the requests ask for."""


def asked_rows(width: int) -> NDArray[np.float32]:
    """Give rows of features to ask, some values missing."""
    random = np.random.default_rng(11)
    rows = (random.gamma(2.0, 3.0, (ROWS, width)) * random.choice([-1.0, 1.0, 1.0], (ROWS, width))).astype(np.float32)
    rows[random.random(rows.shape) < 0.1] = np.nan
    return rows


def answers(content: bytes, rows: NDArray[np.float32]) -> list[float]:
    """Prove a model file and give what it says of rows."""
    return [float(one) for one in verify(read_artifact(content)).probabilities(rows)]


async def _make(dsn: str, home: Path, missing: dict[str, dict[str, Any]]) -> None:
    rows = learnable_rows()
    for number, row in enumerate(rows):
        row["num_buys"] = int(row["buy_volume_sol"]) if number % 7 else number % 9
    pool = await open_pool(dsn, application="tests")
    try:
        async with pool.acquire() as connection:
            await insert_rows(connection, rows)
        for name, changes in missing.items():
            asked = {"params": _TINY, "random_state": 1, **changes}
            job, model = await train(pool, training_settings(dsn, home), name=name, **asked)
            assert model is not None, job["error_msg"]
            keep(name, model_file(model))
    finally:
        await pool.close()


def keep(name: str, content: bytes) -> None:
    """Add a file and what it says."""
    path = FOLDER / EXPECTED
    known = json.loads(path.read_text()) if path.exists() else {}
    file = f"format{FORMAT}-{name}.zip"
    rows = asked_rows(len(read_artifact(content).manifest.features))
    # Kept as well: numbers by chance are the same with the same library only.
    asked = [[None if np.isnan(value) else float(value) for value in row] for row in rows]
    known[file] = {"rows": asked, "probabilities": answers(content, rows)}
    (FOLDER / file).write_bytes(content)
    path.write_text(json.dumps(known) + "\n")


def main() -> None:
    """Make what is missing."""
    FOLDER.mkdir(exist_ok=True)
    missing = {name: asked for name, asked in KINDS.items() if not (FOLDER / f"format{FORMAT}-{name}.zip").exists()}
    folder = Path(tempfile.mkdtemp(prefix="pumpcast-artifacts-"))
    try:
        with test_server(folder / "server") as server, server.fresh() as name:
            asyncio.run(_make(server.dsn(name), folder / "home", missing))
    finally:
        remove(folder / "server")
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
