"""How the services themselves are doing, and how they are set up."""

from http import HTTPStatus

from shared.contracts.health import Configuration, HealthReport
from streamlit_ui.client.transport import Service


def get_health(service: Service) -> HealthReport:
    """Give what works and what does not; a service without its database still says so."""
    return service.get_also("/health", HealthReport, status=HTTPStatus.SERVICE_UNAVAILABLE)


def get_configuration(service: Service) -> Configuration:
    """Give every setting of a service, without its secrets."""
    return service.get("/configuration", Configuration)
