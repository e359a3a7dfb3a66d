"""Settings of the app, read once from the environment and `.env`."""

import hashlib
import hmac
from functools import cache
from typing import Final, Literal

from pydantic import Field

from shared.binding import LOOPBACK_NAMES
from shared.settings import BasePart, Part, Port, TrainingAddressPart, WebPart, read_settings

KEY: Final = r"^[!-~]*$"
"""What a key may be made of: it is sent in a header."""


class PredictionAddressPart(Part):
    """Where the prediction service answers."""

    api_base_url: str = Field(
        "http://127.0.0.1:8000/api", pattern=r"^https?://", description="Where the app finds the prediction API"
    )


class AppSettings(BasePart, WebPart, PredictionAddressPart, TrainingAddressPart):
    """What the app reads."""

    streamlit_port: Port = Field(8501, description="Port of the app")
    ui_api_key: str = Field(
        "",
        pattern=KEY,
        description="Key the app shows to both APIs, whoever opens it; empty: it asks when they want one",
    )
    ui_language: Literal["", "en", "de"] = Field("", description="Language of the app at first; empty: the browser's")
    model_package_max_forecast_mb: int = Field(512, ge=1, description="Largest forecast_model.pt of an upload, MiB")
    model_package_max_ppo_mb: int = Field(32, ge=1, description="Largest ppo_policy.zip of an upload, MiB")

    @property
    def wants_login(self) -> bool:
        """Tell whether everybody needs a key of their own, so that nothing is asked or taken for somebody without."""
        return bool(self.api_keys) and not self.ui_api_key

    def has_key(self, key: str) -> bool:
        """Tell whether a key is one of API_KEYS, whatever it may do."""
        digest = hashlib.sha256(key.encode()).hexdigest().encode()
        # All are compared, so that the time does not tell which one was near.
        return sum(hmac.compare_digest(entry.rpartition(":")[2].encode(), digest) for entry in self.api_keys) > 0

    @property
    def cookie(self) -> str:
        """Give the name of the cookie of a login: cookies of one host are shared by all its ports."""
        return f"pumpcast_{self.streamlit_port}"

    @property
    def host_names(self) -> tuple[str, ...]:
        """Give the Host names that are answered."""
        return tuple(dict.fromkeys(name.lower() for name in (*LOOPBACK_NAMES, self.bind_host, *self.allowed_hosts)))


@cache
def app_settings() -> AppSettings:
    """Give the settings."""
    return read_settings(AppSettings)
