"""`make prometheus`: see that promtool is there, fetch Debian's where it is not, and say when its tests are skipped."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from pumpcast.console import tell

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "deploy" / "prometheus" / "alerts.yml"
FETCHED = ROOT / ".tools" / "prometheus"
FETCH_SECONDS = 300
_METRIC = re.compile(r"\b((?:ml|process|python|scrape)_\w+|up|ALERTS)\b")
_QUOTED = re.compile(r'"[^"]*"')
_IN_BRACES = re.compile(r"\{[^}]*\}")
_SUFFIX = re.compile(r"_(bucket|sum|count)$")
# Made by Prometheus itself.
BY_PROMETHEUS = {"up", "ALERTS", "scrape_duration_seconds"}
VARIABLES = {"$__rate_interval": "1m", "$job_type": ".*", "$model": ".*", "$job": ".*"}


def program(name: str) -> str | None:
    """Give the path of promtool or prometheus; None when it is not to be had."""
    beside = FETCHED / "usr" / "bin" / name
    return shutil.which(name) or (str(beside) if beside.is_file() else None)


def metrics_in(expression: str) -> set[str]:
    """Name the metrics of an expression, histograms by their family.

    >>> sorted(metrics_in('rate(ml_a_seconds_bucket{job="ml_b"}[5m]) / up'))
    ['ml_a_seconds', 'up']
    """
    bare = _IN_BRACES.sub("", _QUOTED.sub('""', expression))
    return {_SUFFIX.sub("", name) for name in _METRIC.findall(bare)}


def filled(expression: str) -> str:
    """Put a value in the place of each variable of a dashboard."""
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


def main() -> None:
    """See and fetch; without it all other tests still run."""
    if program("promtool") is None and shutil.which("apt-get") and shutil.which("dpkg-deb"):
        FETCHED.mkdir(parents=True, exist_ok=True)
        for command in (["apt-get", "download", "prometheus"], ["sh", "-c", "dpkg-deb -x prometheus_*.deb ."]):
            tell(f"$ {' '.join(command)}")
            subprocess.run(command, cwd=FETCHED, check=False, timeout=FETCH_SECONDS, stdin=subprocess.DEVNULL)
    found = program("promtool")
    if found is None:
        tell("NO PROMTOOL: the tests of the alert rules by Prometheus itself will be skipped; install prometheus")
        return
    subprocess.run([found, "--version"], check=False, stderr=sys.stderr)


if __name__ == "__main__":
    main()
