"""What is wrong with a request, in the language of who reads it; what is unknown is said as it came."""

import re
from typing import Final

from streamlit_ui.client.transport import Fault
from streamlit_ui.formats import number, plain
from streamlit_ui.session import t

_KNOWN: Final = (
    (re.compile(r"must be later than train_start"), "fault_order"),
    (re.compile(r"is longer than the training window of (?P<minutes>[\d.]+) minutes"), "fault_longer"),
    (re.compile(r"must be one line of printable characters that neither starts nor ends with a blank"), "fault_line"),
    (re.compile(r"List should have at least 1 item after validation, not 0"), "fault_empty"),
    (re.compile(r"needs alerts_per_day"), "fault_alerts_per_day"),
    (re.compile(r"expected_value needs a question about price_close or market_cap_close going up.*"), "fault_trade"),
)


def words(fault: Fault) -> str:
    """Say it."""
    for pattern, name in _KNOWN:
        if (found := pattern.fullmatch(fault.detail)) is not None:
            values = {key: number(float(value)) for key, value in found.groupdict().items()}
            return t(f"train.{name}", **values)
    return plain(fault.detail)
