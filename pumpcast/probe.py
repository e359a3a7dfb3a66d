"""Looking at what listens from outside: is a port free, does it answer."""

import http.client
import socket
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.util import find_spec
from typing import Final
from urllib.parse import urlsplit

from prediction_service.settings import PredictionSettings
from shared.binding import is_loopback
from shared.settings import ServiceSettings, read_settings
from shared.web.keys import parse_keys
from streamlit_ui.settings import AppSettings
from training_service.settings import TrainingSettings

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # nosec B104 # noqa: S104 - compared with, not bound to


INSTALL_APP = "pip install 'pumpcast[ui]'"
ALIVE: Final = "/api/health/live"
READY: Final = "/api/health/ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Where one of the two APIs or the app listens."""

    name: str
    setting: str
    """The variable that sets its port."""
    bind_host: str
    port: int
    path: str
    """What answers 200 once it is ready."""
    key: str = ""
    """Key that the readiness probe shows; empty where none is known."""

    @property
    def host(self) -> str:
        """Give the address to reach it at from this machine."""
        return _EVERYWHERE.get(self.bind_host, self.bind_host)

    @property
    def url(self) -> str:
        """Give the address without a path."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    def port_is_free(self) -> bool:
        """Tell whether it could listen now."""
        family = socket.AF_INET6 if ":" in self.bind_host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.bind_host, self.port))
                probe.listen(1)
            except OSError:
                return False
        return True

    def trouble(self) -> str | None:
        """Give what keeps it from being ready, None when it is, or when it lives and only a key would tell more."""
        try:
            status, told = self._ask(self.path)
            if status == http.HTTPStatus.UNAUTHORIZED and not self.key:
                status, told = self._ask(ALIVE)
        except (OSError, http.client.HTTPException) as error:
            return f"{self.url} does not answer ({type(error).__name__})"
        return None if status == http.HTTPStatus.OK else f"{self.url}{self.path} answers {status}: {told}"

    def hides_readiness(self) -> bool:
        """Tell whether it says only to a key that nobody gave here whether it is ready."""
        is_api = self.path in {ALIVE, READY}
        return is_api and not self.key and self._ask(READY)[0] == http.HTTPStatus.UNAUTHORIZED

    def _ask(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=3)
        try:
            connection.request("GET", path, headers={"X-API-Key": self.key} if self.key else {})
            answer = connection.getresponse()
            return answer.status, answer.read(300).decode(errors="replace")
        finally:
            connection.close()


def apis() -> tuple[Listener, Listener]:
    """Give both APIs as the environment sets them."""
    training, prediction = read_settings(TrainingSettings), read_settings(PredictionSettings)
    key = _key(prediction, (read_settings(AppSettings).ui_api_key, prediction.training_service_api_key))
    return (
        _api("training API", training, training.training_api_port, key),
        _api("prediction API", prediction, prediction.prediction_api_port, key),
    )


def _key(settings: ServiceSettings, known: tuple[str, ...]) -> str:
    """Give the first key that opens the APIs, as far as API_KEYS are known here; empty: none does."""
    digests = {entry.digest for entry in parse_keys(settings.api_keys)}
    opening = (key for key in known if key and (not digests or sha256(key.encode()).hexdigest() in digests))
    return next(opening, "")


def addressed_apis() -> tuple[Listener, Listener]:
    """Give both APIs where the environment says that others find them."""
    settings, (training, prediction) = read_settings(AppSettings), apis()
    return addressed(training, settings.training_service_api_url), addressed(prediction, settings.api_base_url)


def addressed(listener: Listener, address: str) -> Listener:
    """Give an API at the address of another machine or container, and as it is when the address is of this one."""
    parts = urlsplit(address)
    if parts.scheme != "http" or parts.hostname is None or is_loopback(parts.hostname):
        return listener
    return replace(listener, bind_host=parts.hostname, port=parts.port or http.client.HTTP_PORT)


def app() -> Listener | None:
    """Give the app as the environment sets it; None where its libraries are not installed."""
    settings = read_settings(AppSettings)
    if find_spec("streamlit") is None:
        return None
    return Listener(
        name="app", setting="STREAMLIT_PORT", bind_host=settings.bind_host, port=settings.streamlit_port,
        path="/_stcore/health",
    )  # fmt: skip


def _api(name: str, settings: ServiceSettings, port: int, key: str) -> Listener:
    setting = f"{name.split(maxsplit=1)[0].upper()}_API_PORT"
    # Without a key only the sign of life may be asked for.
    path = ALIVE if settings.api_keys and not key else READY
    return Listener(name=name, setting=setting, bind_host=settings.bind_host, port=port, path=path, key=key)
