"""Ask both APIs thousands of things, with keys and without: `make fuzz`; what was answered is printed by status."""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.support.fuzzing import CASES, COUNTS, WITH_KEYS

CASES_OF_EACH: Final = 5000
_FILES: Final = {
    "training": Path("tests/integration/test_training_fuzz.py"),
    "prediction": Path("tests/integration/test_prediction_fuzz.py"),
}
_SERVER_ERROR: Final = 500
# Routes without input have one case, others fewer than asked for where there are no more.
_ROUTES_WITH_INPUT: Final = {"training": 19, "prediction": 40}
_PATIENCE_SECONDS: Final = 3600


def main() -> None:
    """Run what was asked for; exit code 1 when a check failed, there were fewer cases, or an answer was 5xx."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=CASES_OF_EACH, help="of each API and mode")
    parser.add_argument("--api", choices=_FILES, action="append", help="only this one")
    options = parser.parse_args()
    good = True
    for api in options.api or _FILES:
        for with_keys in (False, True):
            good &= _run(api, with_keys=with_keys, cases=options.cases)
    raise SystemExit(0 if good else 1)


def _run(api: str, *, with_keys: bool, cases: int) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        counts = Path(folder) / "counts.json"
        environment = {
            **os.environ, COUNTS: str(counts), CASES: str(math.ceil(cases / _ROUTES_WITH_INPUT[api])),
            WITH_KEYS: "1" if with_keys else "",
        }  # fmt: skip
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout", str(_PATIENCE_SECONDS)]
        command.append(str(_FILES[api]))
        ended = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
        answers = {int(status): count for status, count in json.loads(counts.read_text()).items()}
    ours = sum(count for status, count in answers.items() if status >= _SERVER_ERROR)
    told = ", ".join(f"{status}: {count}" for status, count in sorted(answers.items()))
    mode = "keys" if with_keys else "no keys"
    print(f"{api}, {mode}: {sum(answers.values())} cases, {ours} x 5xx; {told}", flush=True)  # noqa: T201
    if ended.returncode:
        sys.stderr.write(ended.stdout)
    return not ended.returncode and not ours and sum(answers.values()) >= cases


if __name__ == "__main__":
    main()
