"""What may not be there (any more)."""

from collections.abc import Callable
from http import HTTPStatus
from typing import ParamSpec, TypeVar

from streamlit_ui.client.transport import Refused

P = ParamSpec("P")
Answer = TypeVar("Answer")


def if_there(ask: Callable[P, Answer], *args: P.args, **kwargs: P.kwargs) -> Answer | None:
    """Ask for one thing; None where the service has no such thing."""
    try:
        return ask(*args, **kwargs)
    except Refused as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return None
