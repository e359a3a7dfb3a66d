"""Bring models here, let them predict, stop them, remove them."""

import asyncio
from dataclasses import dataclass
from typing import Any

from prediction_service.clients.training import TrainingClient
from prediction_service.settings import PredictionSettings
from prediction_service.store import active_models, positions, promotions
from prediction_service.store.active_models import ActiveModel, NewActiveModel
from prediction_service.store.promotions import LOCAL, Asked
from prediction_service.usecases import lines, model_files
from prediction_service.usecases.model_files import Fetched
from shared.coin_metrics.columns import BASE_FEATURES
from shared.coin_metrics.read import layout
from shared.contracts.artifact import RuleTargetSpec, TimeTargetSpec
from shared.contracts.prediction import ImportModel
from shared.contracts.training import Model
from shared.db import Connection, ConnectionLost, Pool, PostgresError, transaction
from shared.errors import Conflict, NotFound, UpstreamFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A model that is here now."""

    active_model_id: int
    model_id: int
    model_name: str
    local_path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Available:
    """A model of the training service."""

    model: Model
    active_model_id: int | None
    """Set when it is here already."""


async def list_available(pool: Pool, training: TrainingClient, *, include_imported: bool) -> list[Available]:
    """Give the models that the training service has ready."""
    ready = await training.ready_models()
    imported = await active_models.imported(pool)
    found = [Available(model=model, active_model_id=imported.get(model.id)) for model in ready]
    return [one for one in found if include_imported or one.active_model_id is None]


async def import_model(
    pool: Pool, training: TrainingClient, settings: PredictionSettings, *, wanted: ImportModel, by: str
) -> Imported:
    """Fetch a model, prove that it works here, and let it predict from now on; or leave nothing behind."""
    model_id = wanted.model_id
    _refuse_imported(model_id, await active_models.id_of_model(pool, model_id))
    model = await training.model(model_id)
    if model.is_deleted or model.status != "READY":
        state = "deleted" if model.is_deleted else model.status
        raise Conflict(f"Model {model_id} is {state}: only READY models can be imported")
    if model.model_file_sha256 is None:
        raise Conflict(f"Model {model_id} has no file: train it again")
    sha256, keys = model.model_file_sha256, settings.artifact_public_key
    async with model_files.fetch(training, settings, model_id=model_id, sha256=sha256, public_keys=keys) as fetched:
        await _check_columns(pool, model_id, fetched)
        return await _install(pool, settings, model, fetched, wanted=wanted, by=by)


async def _check_columns(pool: Pool, model_id: int, fetched: Fetched) -> None:
    table = await layout(pool, fetched.loaded.spec.base_columns)
    if table is not None and table.missing:
        raise Conflict(
            f"Model {model_id} needs columns that coin_metrics lacks: {', '.join(table.missing)}; it has "
            f"{', '.join(await _present(pool)) or 'none'}"
        )


async def _present(pool: Pool) -> list[str]:
    table = await layout(pool, BASE_FEATURES)
    return [] if table is None else [name for name in table.columns if name not in table.missing]


async def _install(
    pool: Pool, settings: PredictionSettings, model: Model, fetched: Fetched, *, wanted: ImportModel, by: str
) -> Imported:
    path = model_files.folder(settings) / model_files.file_name(model.id, fetched.sha256)
    placed = False
    try:
        async with transaction(pool) as connection:
            # Its lock lets one import of a model after the other see what the first one did.
            position = await positions.lock_and_capture(connection)
            _refuse_imported(model.id, await active_models.id_of_model(connection, model.id))
            new = _new(settings, model, fetched, wanted, path=str(path), position=position)
            await lines.check_place(
                connection, new.line, active_id=None, target=new.manifest["target"], is_live=new.mode == "live"
            )
            active_id = await _insert(connection, new)
            installed = await active_models.get(connection, active_id)
            assert installed is not None
            asked = Asked(by=by, reason=wanted.reason)
            await promotions.log(connection, "import", installed, asked, is_live=installed.is_live)
            await active_models.announce(connection)
            # Not in a thread: whoever is broken off meanwhile would not know that the file has moved.
            with model_files.writing():
                fetched.temporary.replace(path)
            placed = True
    except BaseException:
        if placed:
            path.unlink(missing_ok=True)
        raise
    return Imported(active_model_id=active_id, model_id=model.id, model_name=model.name, local_path=str(path))


async def _insert(connection: Connection, new: NewActiveModel) -> int:
    try:
        return await active_models.insert(connection, new)
    except (PostgresError, ValueError) as error:
        if isinstance(error, ConnectionLost) and not isinstance(error, ValueError):
            raise
        raise UpstreamFailed(
            f"Model {new.model_id} says of itself what no model can be ({type(error).__name__}): train it again"
        ) from error


def _new(
    settings: PredictionSettings,
    model: Model,
    fetched: Fetched,
    wanted: ImportModel,
    *,
    path: str,
    position: dict[str, Any],
) -> NewActiveModel:
    manifest = fetched.loaded.manifest
    time = manifest.target if isinstance(manifest.target, TimeTargetSpec) else None
    rule = manifest.target if isinstance(manifest.target, RuleTargetSpec) else None
    threshold = settings.default_alert_threshold
    return NewActiveModel(
        model_id=model.id,
        model_name=model.name,
        model_type=manifest.model_type,
        target_variable=manifest.target.target_var,
        target_operator=rule.operator if rule else None,
        target_value=rule.target_value if rule else None,
        future_minutes=time.future_minutes if time else None,
        price_change_percent=time.min_percent_change if time else None,
        target_direction=time.direction if time else None,
        features=list(manifest.features),
        phases=None if manifest.phases is None else list(manifest.phases),
        params=model.params,
        local_model_path=path,
        model_file_sha256=fetched.sha256,
        manifest=manifest.model_dump(mode="json"),
        decision_threshold=manifest.decision_threshold,
        alert_threshold=manifest.alert_threshold if threshold is None else threshold,
        activation=[{"from": position, "until": None}],
        mode=wanted.mode,
        line=wanted.line,
    )


def _refuse_imported(model_id: int, active_id: int | None) -> None:
    if active_id is not None:
        raise Conflict(f"Model {model_id} is imported already, as active model {active_id}")


async def activate(pool: Pool, active_id: int, asked: Asked = LOCAL) -> bool:
    """Let a model predict from now on; False when it does already."""
    async with transaction(pool) as connection:
        position, active = await lock_model(connection, active_id)
        if active.is_active:
            return False
        is_live = active.mode == "live"
        target = await active_models.target_of(connection, active_id)
        await lines.check_place(connection, active.line, active_id=active_id, target=target, is_live=is_live)
        activation = [*active.activation, {"from": position, "until": None}]
        with lines.one_live(active.line):
            await active_models.set_active(connection, active_id, is_active=True, activation=activation)
        await promotions.log(connection, "activate", active, asked, is_live=is_live)
        await active_models.announce(connection)
    return True


async def deactivate(pool: Pool, active_id: int, asked: Asked = LOCAL) -> bool:
    """Let a model predict no longer what commits from now on; False when it does not anyway."""
    async with transaction(pool) as connection:
        position, active = await lock_model(connection, active_id)
        if not active.is_active:
            return False
        activation = [
            {**interval, "until": position} if interval["until"] is None else interval for interval in active.activation
        ]
        await active_models.set_active(connection, active_id, is_active=False, activation=activation)
        await promotions.log(connection, "deactivate", active, asked, is_live=False)
        await active_models.announce(connection)
    return True


async def rename(pool: Pool, active_id: int, custom_name: str | None) -> None:
    """Give a model a name of its own here."""
    async with transaction(pool) as connection:
        await lock_model(connection, active_id)
        await active_models.rename(connection, active_id, custom_name)
        await active_models.announce(connection)


async def delete(pool: Pool, settings: PredictionSettings, active_id: int, asked: Asked = LOCAL) -> None:
    """Remove a model and its file; its predictions stay."""
    async with transaction(pool) as connection:
        _, active = await lock_model(connection, active_id)
        await active_models.delete(connection, active_id)
        await promotions.log(connection, "delete", active, asked, is_live=False)
        await active_models.announce(connection)
        # Before the commit, while nobody can import the same file; one that is lost for nothing is fetched again.
        with model_files.writing():
            await asyncio.to_thread(model_files.path_of(settings, active).unlink, missing_ok=True)


async def lock_model(connection: Connection, active_id: int) -> tuple[dict[str, Any], ActiveModel]:
    """Hold up all other changes of models and the answering, and give what is visible in coin_metrics and the model."""
    position = await positions.lock_and_capture(connection)
    active = await active_models.get(connection, active_id)
    if active is None:
        raise NotFound(f"There is no active model {active_id}: GET /models/active lists all")
    return position, active
