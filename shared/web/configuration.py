"""The route that shows how a service is set up, without its secrets."""

import os
import re
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request

from shared.contracts.health import Configuration, Setting
from shared.settings import ServiceSettings, is_secret

SET, NOT_SET = "set", "not set"
# One @ at most, and nothing before it that ends a host: a password with such signs in it must not pass for one.
_DATABASE = re.compile(r"(postgres(?:ql)?://)(?:[^@/?#]*@)?([A-Za-z0-9.-]+(?::\d+)?(?:/[\w-]*)?)(?:\?[^@]*)?")
_PLAIN_ADDRESS = re.compile(r"[a-z]+://([A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\])(:\d+)?(/[\w./-]*)?")

Shown = bool | int | float | str | list[str] | None


def configuration_router(service: str) -> APIRouter:
    """Give the route `/configuration`."""
    router = APIRouter(tags=["health"])

    @router.get("/configuration", summary="Every setting, without secrets")
    async def configuration(request: Request) -> Configuration:
        return describe(service, request.app.version, request.app.state.settings)

    return router


def describe(service: str, version: str, settings: ServiceSettings) -> Configuration:
    """Say what each setting is and where it comes from."""
    found = []
    for name, field in sorted(type(settings).model_fields.items()):
        held = getattr(settings, name)
        value = shown(name.upper(), held)
        found.append(
            Setting(
                name=name.upper(),
                value=value,
                default=_written(field.default),
                origin=_origin(name, settings),
                is_changed=held != field.default,
                is_secret=is_secret(name.upper()) or value == SET,
                description=field.description or "",
            )
        )
    return Configuration(service=service, version=version, settings=found)


def shown(name: str, value: Any) -> Shown:
    """Give what may leave of a value: of a secret only that there is one, of an address nothing that may be one."""
    if is_secret(name):
        database = _DATABASE.fullmatch(value) if isinstance(value, str) else None
        if database:
            return f"{database[1]}{database[2]}"
        return SET if value else NOT_SET
    written = _written(value)
    if isinstance(written, list):
        return [_without_credentials(one) for one in written]
    return _without_credentials(written) if isinstance(written, str) else written


def _without_credentials(text: str) -> str:
    return SET if "://" in text and not _PLAIN_ADDRESS.fullmatch(text) else text


def _written(value: Any) -> Shown:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Path():
            return str(value)
        case tuple() | list():
            return [str(one) for one in value]
    raise TypeError(f"no way to write a setting of {type(value).__name__}")


def _origin(name: str, settings: ServiceSettings) -> Any:
    if name not in settings.model_fields_set:
        return "default"
    given = {variable.lower() for variable, value in os.environ.items() if value}
    return "environment" if name in given else "file"
