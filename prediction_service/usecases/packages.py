"""What becomes of packages: warmed up again, put away, taken back, removed."""

import structlog

from prediction_service.settings import PredictionSettings
from prediction_service.store import packages, paper_accounts, paper_positions
from prediction_service.store.packages import Package
from prediction_service.store.paper_accounts import PREFIX
from prediction_service.usecases import package_files, package_market
from prediction_service.usecases.package_body import to_end
from shared.db import Connection, Executor, Pool, transaction
from shared.errors import Conflict, NotFound, PumpcastError, TooFewCandles
from shared.request_ids import current_request_id

log = structlog.get_logger(__name__)


async def get_package(executor: Executor, model_id: str) -> Package:
    """Give a package by its id, or by that of its account."""
    found = await packages.get(executor, model_id.removeprefix(PREFIX)) if "\0" not in model_id else None
    if found is None:
        raise _unknown(model_id)
    return found


async def request_warmup(pool: Pool, model_id: str) -> Package:
    """Let a package be warmed up again, as if for the first time; its files are checked first if they never were."""
    package = await get_package(pool, model_id)
    _refuse_archived(package)
    if package.validated_at is not None:
        # Before the validation nobody knows which candles it needs.
        await _refuse_too_few_candles(pool, package)
    async with transaction(pool) as connection:
        _refuse_archived(await _lock(connection, package.id))
        await packages.request_warmup(connection, package.id, request_id=current_request_id())
        await packages.announce(connection)
        return await get_package(connection, package.id)


async def archive(pool: Pool, model_id: str) -> Package:
    """Put a package away: it gives no signals, trades nothing, and keeps its files and account."""
    async with transaction(pool) as connection:
        package = await _lock(connection, model_id)
        if await packages.archive(connection, package.id):
            await packages.announce(connection)
        return await get_package(connection, package.id)


async def restore(pool: Pool, model_id: str) -> Package:
    """Take a package back as it was put away."""
    async with transaction(pool) as connection:
        package = await _lock(connection, model_id)
        if await packages.restore(connection, package.id):
            await packages.announce(connection)
        return await get_package(connection, package.id)


async def delete(pool: Pool, settings: PredictionSettings, model_id: str) -> str:
    """Remove a package with its files and give its id; its paper account and all its history stay."""
    package = await get_package(pool, model_id)
    root, package_id = settings.packages_folder, package.id
    try:
        async with transaction(pool) as connection:
            # The registry first, so that no sweep takes the mark for a left-over; the account next, as traders do.
            await packages.lock_registry(connection)
            await paper_accounts.lock(connection, PREFIX + package_id)
            await _lock(connection, package_id)
            await _refuse_in_use(connection, package_id)
            await to_end(package_files.mark, root, package_id)
            await packages.delete(connection, package_id)
            # A package that is called the same one day begins no trading that nobody asked for.
            await paper_accounts.stop_trading(connection, PREFIX + package_id)
            await packages.announce(connection)
    except BaseException:
        if await packages.get(pool, package_id) is not None:
            await to_end(package_files.unmark, root, package_id)
        raise
    try:
        await to_end(package_files.remove, root, package_id)
    except PumpcastError as error:
        # Its row is gone, and the next start tries again.
        log.warning("files of a package stay behind", package_id=package_id, error=error.message)
    return package_id


async def _refuse_in_use(connection: Connection, package_id: str) -> None:
    held = await paper_positions.count_open(connection, PREFIX + package_id)
    if held:
        positions = "1 open position" if held == 1 else f"{held} open positions"
        raise Conflict(f"Package {package_id} has {positions}: close them first, or archive it")
    if not await packages.try_hold_until_commit(connection, package_id):
        raise Conflict(f"Package {package_id} is being validated or warmed up: try again when that has ended")


async def _lock(connection: Connection, model_id: str) -> Package:
    found = await packages.lock(connection, model_id.removeprefix(PREFIX)) if "\0" not in model_id else None
    if found is None:
        raise _unknown(model_id)
    return found


async def _refuse_too_few_candles(pool: Pool, package: Package) -> None:
    wanted = await package_market.view_to_warm_up(pool, package)
    try:
        if wanted is None:
            raise package_market.no_candles(package_market.market_of(package))
        await package_market.candles(pool, wanted)
    except TooFewCandles as error:
        if package.warmup_status == "PENDING":
            await packages.wait_with(pool, package, error.message)
        raise


def _refuse_archived(package: Package) -> None:
    if package.status == "ARCHIVED":
        raise Conflict(f"Package {package.id} is archived: POST /model-packages/{package.id}/restore takes it back")


def _unknown(model_id: str) -> NotFound:
    return NotFound(f"There is no package {model_id[:150]!r}: GET /model-packages lists them")
