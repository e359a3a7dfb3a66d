"""Signals of packages."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from prediction_service.deps import InstancesDep, PoolDep, SettingsDep
from prediction_service.usecases.signals import get_signal
from shared.contracts.fields import NO_NUL
from shared.contracts.signals import PackageSignal, SignalFilter

router = APIRouter(tags=["packages"])

ModelId = Annotated[
    str, Path(min_length=1, max_length=150, pattern=NO_NUL, description="Id of a package, or paper_ and the id")
]


@router.get("/paper/ml-signal/{model_id}", summary="What a package says of a market now; the first time warms it up")
async def get_package_signal(
    pool: PoolDep, instances: InstancesDep, settings: SettingsDep, model_id: ModelId,
    wanted: Annotated[SignalFilter, Query()],
) -> PackageSignal:  # fmt: skip
    return await get_signal(pool, instances, settings.packages_folder, model_id, wanted)
