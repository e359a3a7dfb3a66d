"""How a service is doing, and how it is set up."""

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, Field


class HealthReport(BaseModel):
    """What `/health` answers."""

    status: Literal["healthy", "degraded"]
    service: str
    db_connected: bool
    uptime_seconds: float
    start_time: AwareDatetime
    last_error: str | None
    listener: Literal["listen", "polling"] | None = Field(
        None, description="Only where rows are waited for: how the live worker hears of them; null: none does"
    )
    lag_seconds: float | None = Field(
        None, description="Only there: how long the live worker has been behind the newest row; 0: not at all"
    )
    disk_free_bytes: int
    model_store: Literal["writable", "missing", "read_only"]
    migrations: Literal["current", "pending", "unknown"]
    details: dict[str, Any]


class Alive(BaseModel):
    """The process runs."""

    status: Literal["alive"] = "alive"


class Ready(BaseModel):
    """The service can work."""

    status: Literal["ready"] = "ready"


class Setting(BaseModel):
    """One setting of a running service."""

    name: str = Field(description="The environment variable")
    value: bool | int | float | str | list[str] | None = Field(
        description="What it is; of a secret: `set`, `not set`, or its address without user and password"
    )
    default: bool | int | float | str | list[str] | None = Field(description="What it is where nobody sets it")
    origin: Literal["default", "environment", "file"] = Field(description="Where it comes from; file: .env")
    is_changed: bool = Field(description="It is not the default")
    is_secret: bool = Field(description="Its value never leaves the service")
    description: str


class Configuration(BaseModel):
    """How a service is set up, without its secrets."""

    service: str
    version: str
    settings: list[Setting]
