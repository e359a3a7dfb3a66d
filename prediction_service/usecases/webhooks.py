"""Set up and remove webhook endpoints."""

import base64
import secrets

import structlog

from prediction_service.clients.addresses import check_url, trusts
from prediction_service.settings import PredictionSettings
from prediction_service.store import active_models, endpoints
from prediction_service.store.endpoints import Endpoint
from shared.contracts.webhook import NewWebhook
from shared.db import Pool, transaction
from shared.errors import Conflict, Invalid, NotFound

log = structlog.get_logger(__name__)

SECRET_BYTES = 32


async def create_endpoint(pool: Pool, settings: PredictionSettings, new: NewWebhook) -> Endpoint:
    """Write an endpoint with a new secret."""
    trusted = trusts(
        new.url, allow_private=settings.webhook_allow_private, allowed_hosts=settings.webhook_allowed_hosts
    )
    check_url(new.url, trusted=trusted)
    async with transaction(pool) as connection:
        if new.active_model_ids:
            known = {model.id for model in await active_models.list_all(connection)}
            unknown = [str(number) for number in new.active_model_ids if number not in known]
            if unknown:
                raise Invalid(f"No active model has the id {', '.join(unknown[:10])}", pointer="/active_model_ids")
        return await endpoints.insert(
            connection,
            url=new.url,
            headers=new.headers,
            secret=_new_secret(),
            active_model_ids=new.active_model_ids,
            send_modes=list(new.send_modes),
            enabled=new.enabled,
            expires_after_seconds=new.expires_after_seconds,
        )


async def delete_endpoint(pool: Pool, endpoint_id: int) -> None:
    """Remove an endpoint; what was not yet sent to it never is."""
    async with transaction(pool) as connection:
        endpoint = await endpoints.get(connection, endpoint_id)
        if endpoint is None:
            raise NotFound(f"There is no webhook {endpoint_id}")
        if endpoint.is_builtin:
            raise Conflict(f"Webhook {endpoint_id} is that of N8N_WEBHOOK_URL: unset it and start the service again")
        await endpoints.delete(connection, endpoint_id)


async def sync_builtin(pool: Pool, settings: PredictionSettings) -> None:
    """Keep the built-in endpoint in step with N8N_WEBHOOK_URL.

    Its secret is made once and never shown here: no answer of a creation could show it. Rotating it will.
    """
    if not settings.n8n_webhook_url:
        await endpoints.retire_builtin(pool)
        return
    try:
        check_url(settings.n8n_webhook_url, trusted=True)
    except Invalid as error:
        log.error("N8N_WEBHOOK_URL cannot be sent to", error=error.message)  # noqa: TRY400 - the message says it all
        await endpoints.retire_builtin(pool)
        return
    await endpoints.put_builtin(pool, url=settings.n8n_webhook_url, new_secret=_new_secret())


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
