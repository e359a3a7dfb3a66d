"""What docs/SECURITY.md says is shown by tests that there are, and its numbers are those of the code."""

import re
from pathlib import Path

import pytest

from shared.settings import ServiceSettings
from shared.web import connections, deadlines, limits
from shared.web.app import MAX_BODY_BYTES

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "SECURITY.md").read_text()


def test_claims_when_read_then_each_names_tests_that_there_are():
    claims = re.findall(r"^\| (?!who\b).*\|(.*)\|$", TEXT.split("## Who could")[1].split("## Limits")[0], re.MULTILINE)
    named = [re.findall(r"`(tests/[\w/]+\.py)`", claim) for claim in claims[1:]]
    assert len(named) > 10
    assert all(named)
    for path in {path for paths in named for path in paths}:
        assert "def test_" in (ROOT / path).read_text(), path


@pytest.mark.parametrize(
    "told",
    [
        f"{connections.HEAD_SECONDS:g} s for headers",
        f"{deadlines.REQUEST_SECONDS:g} s for a request",
        f"{connections.WRITE_SECONDS:g} s for an answer to be taken",
        f"{connections.MOST_CONNECTIONS} connections",
        f"{connections.MOST_HEAD_BYTES >> 10} KiB of headers",
        f"{MAX_BODY_BYTES >> 20} MiB of body",
        f"{limits.MOST_ADDRESSES:,} counted addresses".replace(",", " "),
        f"`RATE_LIMIT_PER_MINUTE`, {ServiceSettings.model_fields['rate_limit_per_minute'].default}",
        f"idle ones end after {connections.KEEP_ALIVE_SECONDS} s",
    ],
)
def test_numbers_when_read_then_they_are_those_of_the_code(told: str):
    assert told in TEXT
