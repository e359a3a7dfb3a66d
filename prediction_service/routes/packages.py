"""Routes of packages: uploaded, listed, warmed up, put away, removed."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, status
from starlette.requests import ClientDisconnect

from prediction_service.deps import CallerDep, InstancesDep, PoolDep, SettingsDep, UploadsDep
from prediction_service.store import packages
from prediction_service.store.packages import Package as StoredPackage
from prediction_service.usecases import packages as package_usecases
from prediction_service.usecases.package_body import Body
from prediction_service.usecases.upload import upload_package
from shared.contracts.packages import (
    MOST_PACKAGES,
    Package,
    PackageDetails,
    Packages,
    UploadedPackage,
    UploadOptions,
)
from shared.errors import Malformed
from shared.web.deadlines import own_time

router = APIRouter(tags=["packages"])

LARGEST_OFFSET = 1_000_000
LARGEST_BODY = 1 << 35
"""Above what the settings allow at most: they are what counts, file by file."""
_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["name", "forecast_model", "ppo_model"],
                    "additionalProperties": False,
                    "properties": {
                        "name": {
                            "type": "string", "minLength": 1, "maxLength": 200,
                            "description": "For people; the id is made of it",
                        },
                        "forecast_model": {
                            "type": "string", "format": "binary", "description": "The forecaster, a .pt file",
                        },
                        "ppo_model": {
                            "type": "string", "format": "binary", "description": "The policy, a stable-baselines3 .zip",
                        },
                        "manifest": {
                            "type": "string", "format": "binary",
                            "description": "JSON of a manifest, in part or whole; the rest is taken from the files",
                        },
                    },
                },
                "encoding": {
                    "forecast_model": {"contentType": "application/octet-stream"},
                    "ppo_model": {"contentType": "application/zip"},
                    "manifest": {"contentType": "application/json"},
                },
            }
        },
    }
}  # fmt: skip


@router.get("/model-packages", summary="Packages, newest first")
async def list_packages(
    pool: PoolDep,
    limit: Annotated[int, Query(ge=1, le=MOST_PACKAGES, description="Most entries to give")] = 100,
    offset: Annotated[int, Query(ge=0, le=LARGEST_OFFSET, description="Entries to skip")] = 0,
) -> Packages:
    found, total = await packages.list_page(pool, limit=limit, offset=offset)
    return Packages(packages=[Package(**asdict(one)) for one in found], total=total)


@router.get("/model-packages/{package_id}", summary="One package with its manifest and what its warm-up found")
async def show_package(pool: PoolDep, package_id: str) -> PackageDetails:
    return _details(await package_usecases.get_package(pool, package_id))


@router.post(
    "/model-packages/upload",
    summary="Upload a forecaster and a policy; strict waits until their files were validated",
    status_code=status.HTTP_201_CREATED,
    max_body_size=LARGEST_BODY,
    dependencies=[Depends(own_time)],
    openapi_extra=_FORM,
)
async def upload(
    pool: PoolDep,
    settings: SettingsDep,
    uploads: UploadsDep,
    caller: CallerDep,
    request: Request,
    options: Annotated[UploadOptions, Query()],
) -> UploadedPackage:
    length = request.headers.get("content-length", "")
    body = Body(
        stream=request.stream(),
        content_type=request.headers.get("content-type"),
        content_length=int(length) if length.isdecimal() and length.isascii() else None,
    )
    try:
        added = await upload_package(pool, settings, uploads, body, strict=options.strict, by=caller)
    except ClientDisconnect:
        raise Malformed("The body ended too early: send it again") from None
    return UploadedPackage.model_validate(added, from_attributes=True)


@router.post("/model-packages/{package_id}/warmup", summary="Warm a package up again; 409 while candles are missing")
async def warm_up(pool: PoolDep, package_id: str) -> PackageDetails:
    return _details(await package_usecases.request_warmup(pool, package_id))


@router.post("/model-packages/{package_id}/archive", summary="Put a package away: no signals, no trades")
async def archive(pool: PoolDep, instances: InstancesDep, package_id: str) -> PackageDetails:
    archived = await package_usecases.archive(pool, package_id)
    instances.forget(archived.id)
    return _details(archived)


@router.post("/model-packages/{package_id}/restore", summary="Take an archived package back")
async def restore(pool: PoolDep, package_id: str) -> PackageDetails:
    return _details(await package_usecases.restore(pool, package_id))


@router.delete(
    "/model-packages/{package_id}",
    summary="Remove a package without open positions; the history of its account stays",
    status_code=status.HTTP_204_NO_CONTENT,
)
async def delete(pool: PoolDep, settings: SettingsDep, instances: InstancesDep, package_id: str) -> None:
    instances.forget(await package_usecases.delete(pool, settings, package_id))


def _details(package: StoredPackage) -> PackageDetails:
    return PackageDetails(**asdict(package))
