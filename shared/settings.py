"""Settings from the environment and `.env`, read once; each service builds its class from these parts."""

import os
import re
import sys
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.errors import SettingsInvalid

Port = Annotated[int, Field(ge=1, le=65535)]
HEX_KEY = r"^([0-9a-fA-F]{64})?$"
SECRET_FOLDERS = ("SECRETS_DIR", "CREDENTIALS_DIRECTORY")
"""Variables that name a folder whose files hold a setting each: of containers, and of systemd units."""
_SECRET = re.compile(r".*(KEYS?|DSN|WEBHOOK_URL|PASSWORD|SECRET|TOKEN)")


def comma_list(text: str) -> tuple[str, ...]:
    """Give the parts of a list; a file of secrets has a line for each."""
    return tuple(part.strip() for part in re.split(r"[,\n]", text) if part.strip())


def _comma_list(value: object) -> object:
    return comma_list(value) if isinstance(value, str) else value


CommaList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_comma_list)]


class Part(BaseSettings):
    """A part of the settings; names are the environment variables in lower case."""

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )


class BasePart(Part):
    """What every process reads: where things live and how it talks."""

    db_dsn: str = Field(
        "",
        pattern=r"^(postgres(ql)?://.+)?$",
        description="PostgreSQL ≥ 14, as postgresql://user:password@host:5432/name; empty: embedded",
    )
    pumpcast_home: Path = Field(Path("./var"), description="Everything pumpcast writes, the embedded database included")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least level that is logged")
    log_format: Literal["json", "text"] = Field("json", description="One JSON line an event, or text for people")
    model_storage_path: Path | None = Field(None, description="Model files; empty: models/ below PUMPCAST_HOME")

    @property
    def home(self) -> Path:
        """Give the absolute home folder."""
        return self.pumpcast_home.expanduser().resolve()

    def model_folder(self, service: Literal["training", "prediction"]) -> Path:
        """Give the folder of model files that belongs to one service alone."""
        return (self.model_storage_path or self.home / "models").expanduser().resolve() / service


class WebPart(Part):
    """What both APIs read."""

    bind_host: str = Field(
        "127.0.0.1", description="Address the services listen on; beyond loopback API_KEYS are needed"
    )
    allowed_hosts: CommaList = Field((), description="Further Host names that are answered, by comma")
    api_keys: CommaList = Field(
        (), description="name:scope:sha256hex by comma; scopes read, write, service; no name is auto or local"
    )


class ServiceSettings(BasePart, WebPart):
    """What every process of a service reads."""

    rate_limit_per_minute: Annotated[int, Field(ge=1)] = Field(
        1200, description="Requests of one key or address a minute; none are counted on loopback without keys"
    )
    cors_allowed_origins: CommaList = Field(
        (), description="Pages of other sites that may ask, as https://host by comma; empty: none"
    )


class TrainingAddressPart(Part):
    """Where the training service answers."""

    training_service_api_url: str = Field(
        "http://127.0.0.1:8001/api",
        pattern=r"^https?://",
        description="Where the prediction service finds the training API",
    )
    training_service_api_key: str = Field("", description="Key the prediction service shows to the training API")


S = TypeVar("S", bound=Part)


def is_secret(name: str) -> bool:
    """Tell whether the value of a variable must be shown to nobody."""
    return _SECRET.fullmatch(name) is not None


def read_settings(kind: type[S]) -> S:
    """Read the environment; a wrong value is a `SettingsInvalid`: variable, value unless secret, what is allowed."""
    try:
        return kind(_secrets_dir=_secrets_folder())
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            name = ".".join(str(part) for part in problem["loc"]).upper()
            shown = "…" if is_secret(name) else repr(problem["input"])
            lines.append(f"{name}={shown} is not allowed: {problem['msg']}")
        raise SettingsInvalid("; ".join(lines)) from error


def _secrets_folder() -> Path | None:
    given, of_systemd = (os.environ.get(name) for name in SECRET_FOLDERS)
    folder = given or of_systemd
    if given and not Path(given).is_dir():
        raise SettingsInvalid(f"SECRETS_DIR={given!r} is not allowed: there is no such folder")
    return Path(folder) if folder else None


def read_settings_or_exit(kind: type[S]) -> S:
    """Read the environment for a process that is starting; a wrong value ends it with one line and exit code 2."""
    try:
        return read_settings(kind)
    except SettingsInvalid as error:
        sys.stderr.write(error.message + "\n")
        raise SystemExit(2) from None
