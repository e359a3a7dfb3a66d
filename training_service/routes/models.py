"""Routes of models."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response, status
from fastapi.responses import FileResponse

from shared.contracts.fields import PathId
from shared.contracts.model_request import CreateModel, TuneModel
from shared.contracts.training import ChangeModel, CreatedJob, Model, ModelKind, ModelList, ModelStatus
from shared.errors import NotFound
from shared.web.deadlines import own_time
from training_service.deps import Limit, Offset, PoolDep, PreflightDep
from training_service.routes.ranges import narrow_range
from training_service.store import models
from training_service.usecases import jobs as job_usecases
from training_service.usecases import models as model_usecases

router = APIRouter(prefix="/models", tags=["models"])

Search = Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$", description="Part of the name")]


@router.post(
    "/tune", summary="Ask for a model whose hyper-parameters are searched for", status_code=status.HTTP_201_CREATED
)
async def tune_model(
    request: Request, response: Response, pool: PoolDep, looks: PreflightDep, body: TuneModel
) -> CreatedJob:
    created = await job_usecases.enqueue(pool, looks, request=body, request_id=request.state.request_id)
    response.headers["Location"] = f"/api/queue/{created.job_id}"
    return created


@router.post("/create", summary="Ask for a model", status_code=status.HTTP_201_CREATED)
async def create_model(
    request: Request, response: Response, pool: PoolDep, looks: PreflightDep, body: CreateModel
) -> CreatedJob:
    created = await job_usecases.enqueue(pool, looks, request=body, request_id=request.state.request_id)
    response.headers["Location"] = f"/api/queue/{created.job_id}"
    return created


@router.get("", summary="Models, newest first")
async def list_models(
    pool: PoolDep,
    status: ModelStatus | None = None,
    model_type: ModelKind | None = None,
    is_deleted: bool = False,
    search: Search = None,
    limit: Limit = 100,
    offset: Offset = 0,
) -> ModelList:
    rows, total = await models.list_page(
        pool, status=status, model_type=model_type, is_deleted=is_deleted, search=search, limit=limit, offset=offset
    )
    return ModelList(models=[Model.model_validate(dict(row)) for row in rows], total=total)


@router.get("/{model_id:int}", summary="One model, deleted or not")
async def get_model(pool: PoolDep, model_id: PathId) -> Model:
    row = await models.get(pool, model_id)
    if row is None:
        raise NotFound(f"There is no model {model_id}")
    return Model.model_validate(dict(row))


@router.patch("/{model_id:int}", summary="Change name or description")
async def change_model(pool: PoolDep, model_id: PathId, body: ChangeModel) -> Model:
    return Model.model_validate(dict(await model_usecases.change_model(pool, model_id, change=body)))


@router.delete("/{model_id:int}", summary="Delete a model; its file stays", status_code=status.HTTP_204_NO_CONTENT)
async def delete_model(pool: PoolDep, model_id: PathId) -> None:
    await model_usecases.delete_model(pool, model_id)


@router.get(
    "/{model_id:int}/download",
    summary="The model file",
    response_class=FileResponse,
    dependencies=[Depends(own_time)],
    responses={
        200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}},
        206: {"description": "The part asked for with Range"},
        416: {"description": "The file has fewer bytes than Range asks for"},
        304: {"description": "The file is the one named in If-None-Match"},
    },
)
async def download_model(
    request: Request, pool: PoolDep, model_id: PathId, if_none_match: Annotated[str | None, Header()] = None
) -> Response:
    # A service heals its lost copy of a deleted model; nobody else has a use for it.
    file = await model_usecases.open_model_file(pool, model_id, with_deleted=request.state.scope in {None, "service"})
    headers = {"ETag": f'"{file.sha256}"', "Cache-Control": "no-cache"}
    if if_none_match is not None and _names(if_none_match, file.sha256):
        return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=headers)
    answer = FileResponse(
        file.path, media_type="application/zip", filename=file.path.name, headers=headers, stat_result=file.stat
    )
    narrow_range(request, size=file.stat.st_size, validators=(answer.headers["etag"], answer.headers["last-modified"]))
    return answer


def _names(condition: str, sha256: str) -> bool:
    tags = [tag.strip().removeprefix("W/").strip('"') for tag in condition.split(",")]
    return sha256 in tags or "*" in tags
