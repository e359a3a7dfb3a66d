"""Set up, change and remove webhook endpoints, and give them new secrets."""

import base64
import secrets
from dataclasses import replace

import structlog

from prediction_service.clients.addresses import check_url, origin_of, trusts
from prediction_service.settings import PredictionSettings
from prediction_service.store import active_models, endpoints
from prediction_service.store.endpoints import UNSET, Endpoint, NewEndpoint
from shared.contracts.webhook import MASK, ChangeWebhook, NewWebhook
from shared.db import Connection, Pool, transaction
from shared.errors import Conflict, Invalid, NotFound

log = structlog.get_logger(__name__)

SECRET_BYTES = 32
MOST_ENDPOINTS = 100
ROTATION_HOURS = 24


async def create_endpoint(pool: Pool, settings: PredictionSettings, new: NewWebhook) -> Endpoint:
    """Write an endpoint with a new secret."""
    _check_address(settings, new.url)
    async with transaction(pool) as connection:
        if await endpoints.count(connection) >= MOST_ENDPOINTS:
            raise Conflict(f"There are {MOST_ENDPOINTS} webhooks, which is the most there can be: delete one first")
        await _check_models(connection, new.active_model_ids)
        endpoint = NewEndpoint(
            url=new.url,
            headers=new.headers,
            secret=_new_secret(),
            active_model_ids=new.active_model_ids,
            send_modes=list(new.send_modes),
            enabled=new.enabled,
            expires_after_seconds=new.expires_after_seconds,
            max_concurrency=new.max_concurrency,
        )
        return await endpoints.insert(connection, endpoint)


async def change_endpoint(
    pool: Pool, settings: PredictionSettings, endpoint_id: int, change: ChangeWebhook
) -> Endpoint:
    """Set what is named; what waits for the endpoint goes where it says then."""
    given = change.model_fields_set
    async with transaction(pool) as connection:
        endpoint = await lock_endpoint(connection, endpoint_id)
        changed = replace(endpoint, **{name: getattr(change, name) for name in given - {"headers"}})
        if changed.url != endpoint.url:
            if endpoint.is_builtin:
                raise Conflict(f"The address of webhook {endpoint_id} is that of N8N_WEBHOOK_URL: set that instead")
            _check_address(settings, changed.url)
        if change.enabled and endpoint.is_builtin and endpoint.disabled_reason == UNSET:
            raise Conflict(f"Webhook {endpoint_id} has no address: set N8N_WEBHOOK_URL and start the service again")
        _check_headers_stay(change.headers, endpoint, url=changed.url)
        if change.headers is not None:
            changed = replace(changed, headers=_unmasked(change.headers, endpoint.headers))
        if "active_model_ids" in given:
            await _check_models(connection, change.active_model_ids)
            ids = change.active_model_ids
            changed = replace(changed, active_model_ids=None if ids is None else frozenset(ids))
        if change.send_modes is not None:
            changed = replace(changed, send_modes=frozenset(change.send_modes))
        if change.enabled:
            changed = replace(changed, disabled_reason=None)
        if change.enabled or changed.url != endpoint.url:
            changed = replace(changed, failing_since=None)
        return await endpoints.update(connection, changed)


async def rotate_secret(pool: Pool, endpoint_id: int) -> tuple[Endpoint, str]:
    """Give an endpoint a new secret, the present one signs too for a day; also give a sentence about both."""
    async with transaction(pool) as connection:
        before = await lock_endpoint(connection, endpoint_id)
        rotated = await endpoints.rotate(connection, endpoint_id, new_secret=_new_secret(), hours=ROTATION_HOURS)
    assert rotated.previous_secret_expires_at is not None
    until = rotated.previous_secret_expires_at.isoformat(timespec="seconds").replace("+00:00", "Z")
    message = f"Until {until} the secret before signs beside the new one"
    # On the clock of the database, which has just written both.
    if before.previous_secret_expires_at and before.previous_secret_expires_at > rotated.updated_at:
        message += "; the one before that, which an earlier rotation had left valid, signs no more"
    log.info("secret of a webhook rotated", endpoint_id=endpoint_id)
    return rotated, message


async def lock_endpoint(connection: Connection, endpoint_id: int) -> Endpoint:
    """Give an endpoint, which nobody else changes until the end of the transaction."""
    endpoint = await endpoints.lock(connection, endpoint_id)
    if endpoint is None:
        raise NotFound(f"There is no webhook {endpoint_id}")
    return endpoint


def _check_address(settings: PredictionSettings, url: str) -> None:
    trusted = trusts(url, allow_private=settings.webhook_allow_private, allowed_hosts=settings.webhook_allowed_hosts)
    check_url(url, trusted=trusted)


async def _check_models(connection: Connection, ids: list[int] | None) -> None:
    if ids is None:
        return
    known = {model.id for model in await active_models.list_all(connection)}
    unknown = [str(number) for number in ids if number not in known]
    if unknown:
        raise Invalid(f"No active model has the id {', '.join(unknown[:10])}", pointer="/active_model_ids")


def _check_headers_stay(given: dict[str, str] | None, endpoint: Endpoint, *, url: str) -> None:
    """Refuse to take stored values of headers to another host: whoever names it has not shown to know them."""
    if origin_of(url) == origin_of(endpoint.url):
        return
    kept = endpoint.headers if given is None else [name for name, value in given.items() if value == MASK]
    if kept:
        raise Invalid(
            f"Stored values of headers do not go to another scheme, host or port: give {', '.join(sorted(kept))} anew, "
            "or leave them out of headers",
            pointer="/headers",
        )


def _unmasked(given: dict[str, str], stored: dict[str, str]) -> dict[str, str]:
    known = {name.lower(): value for name, value in stored.items()}
    for name, value in given.items():
        if value == MASK and name.lower() not in known:
            raise Invalid(f"There is no header {name!r} whose value {MASK} could keep", pointer="/headers")
    return {name: known[name.lower()] if value == MASK else value for name, value in given.items()}


async def delete_endpoint(pool: Pool, endpoint_id: int) -> None:
    """Remove an endpoint; what was not yet sent to it never is."""
    async with transaction(pool) as connection:
        endpoint = await lock_endpoint(connection, endpoint_id)
        if endpoint.is_builtin:
            raise Conflict(f"Webhook {endpoint_id} is that of N8N_WEBHOOK_URL: unset it and start the service again")
        await endpoints.delete(connection, endpoint_id)


async def sync_builtin(pool: Pool, settings: PredictionSettings) -> None:
    """Keep the built-in endpoint in step with N8N_WEBHOOK_URL.

    Its secret is made once and never shown: no answer of a creation could show it. Rotating shows the next one.
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
