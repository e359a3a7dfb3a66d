"""A worker whose jobs are held where their names say, see `held_child`."""

import sys

from tests.support import held_child
from training_service import worker
from training_service.usecases import fitting

if __name__ == "__main__":
    fitting.COMMAND = (sys.executable, "-m", held_child.__name__)
    worker.main()
