"""Settings of the app, read once from the environment and `.env`."""

from functools import cache
from typing import Final, Literal

from pydantic import Field

from shared.settings import BasePart, CommaList, Part, Port, TrainingAddressPart, read_settings

LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


class PredictionAddressPart(Part):
    """Where the prediction service answers."""

    api_base_url: str = Field(
        "http://127.0.0.1:8000/api", pattern=r"^https?://", description="Where the app finds the prediction API"
    )


class AppSettings(BasePart, PredictionAddressPart, TrainingAddressPart):
    """What the app reads."""

    bind_host: str = Field("127.0.0.1", description="Address the services listen on")
    allowed_hosts: CommaList = Field((), description="Further Host names that are answered, by comma")
    streamlit_port: Port = Field(8501, description="Port of the app")
    ui_api_key: str = Field(
        "", description="Key the app shows to both APIs, whoever opens it; empty: it asks when they want one"
    )
    ui_language: Literal["", "en", "de"] = Field("", description="Language of the app at first; empty: the browser's")
    model_package_max_forecast_mb: int = Field(512, ge=1, description="Largest forecast_model.pt of an upload, MiB")
    model_package_max_ppo_mb: int = Field(32, ge=1, description="Largest ppo_policy.zip of an upload, MiB")

    @property
    def cookie(self) -> str:
        """Give the name of the cookie of a login: cookies of one host are shared by all its ports."""
        return f"pumpcast_{self.streamlit_port}"

    @property
    def host_names(self) -> tuple[str, ...]:
        """Give the Host names that are answered."""
        return tuple(dict.fromkeys(name.lower() for name in (*LOOPBACK, self.bind_host, *self.allowed_hosts)))


@cache
def app_settings() -> AppSettings:
    """Give the settings."""
    return read_settings(AppSettings)
