"""A request in the making: what the form shows, how it becomes a body, and what is wrong with it."""

import base64
import binascii
import json
import zlib
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from shared.contracts.model_request import CreateModel, TuneModel
from streamlit_ui.app_pages import form_faults
from streamlit_ui.client.transport import Fault

Body = dict[str, Any]
"""The request as JSON, what equals its default left out."""
MOST_BYTES = 65_536
"""Of a body in an address."""
_NEEDED = ("name", "model_type", "features", "train_start", "train_end")
_TIMED = ("future_minutes", "min_percent_change", "direction", "label_mode", "label_resolution")
_RULE = ("operator", "target_value")
_SEARCH = ("trials", "search_space")
FIRST_RULE = (">=", 20.0)
"""What a rule starts with."""
FIRST_CHANGE = (10, 30.0)
"""Minutes and percent that a question about the future starts with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What the form shows: also what is hidden at the moment, such as the rule beside a question about the future."""

    wanted: TuneModel
    """All fields, unchecked."""
    is_search: bool = False
    """Hyper-parameters are searched for."""
    source: str = field(default="", compare=False)
    """Where it came from, as job:3."""

    def changed(self, **values: Any) -> "Draft":
        """Give it with other values."""
        return replace(self, wanted=self.wanted.model_copy(update=values))

    def body(self) -> Body:
        """Give the request."""
        wanted = self.wanted
        unused = {*(_RULE if wanted.use_time_based_prediction else _TIMED), *(() if self.is_search else _SEARCH)}
        found: Body = {}
        for name, info in TuneModel.model_fields.items():
            value = getattr(wanted, name)
            usual = info.get_default(call_default_factory=True)
            if name in _NEEDED or (name not in unused and value != usual) or (self.is_search and name == "trials"):
                found[name] = _written(value)
        return found


def new_draft(**values: Any) -> Draft:
    """Give a draft with some values, the others as usual."""
    return Draft(wanted=TuneModel.model_construct(**_filled(values)))


def read(body: Any, *, source: str = "") -> Draft:
    """Take a request into the form; raises ValidationError where it is none."""
    is_search = isinstance(body, dict) and ("trials" in body or "search_space" in body)
    checked = (TuneModel if is_search else CreateModel).model_validate(body)
    values = {name: getattr(checked, name) for name in type(checked).model_fields}
    return Draft(wanted=TuneModel.model_construct(**_filled(values)), is_search=is_search, source=source)


def check(body: Body) -> tuple[CreateModel | None, tuple[Fault, ...]]:
    """Give the request a body amounts to, or what is wrong with it."""
    try:
        return (TuneModel if "trials" in body else CreateModel).model_validate(body), ()
    except ValidationError as error:
        return None, form_faults.of_validation(error)


def pack(body: Body) -> str:
    """Write a body so that an address can hold it."""
    text = json.dumps(body, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    return base64.urlsafe_b64encode(zlib.compress(text.encode(), 9)).decode().rstrip("=")


def unpack(code: str) -> Body | None:
    """Read a body out of an address; None where there is none."""
    try:
        data = base64.urlsafe_b64decode(code + "=" * (-len(code) % 4))
        found = json.loads(zlib.decompressobj().decompress(data, MOST_BYTES))
    except (binascii.Error, zlib.error, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _filled(values: dict[str, Any]) -> dict[str, Any]:
    minutes, change = FIRST_CHANGE
    operator, value = FIRST_RULE
    usual = {"future_minutes": minutes, "min_percent_change": change, "operator": operator, "target_value": value}
    return {**values, **{name: other for name, other in usual.items() if values.get(name) is None}}


def _written(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, dict):
        return {name: one.model_dump() if hasattr(one, "model_dump") else one for name, one in value.items()}
    return value
