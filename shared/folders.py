"""The folders a service writes to."""

from pathlib import Path

from shared.errors import Unavailable


def make_folder(folder: Path) -> None:
    """Make a folder of the model store with all above it; one sentence when that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(
            f"The model store {folder} cannot be made ({error.strerror}): check MODEL_STORAGE_PATH and PUMPCAST_HOME"
        ) from error
