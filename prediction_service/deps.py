"""What routes are given."""

from typing import Annotated, cast

from fastapi import Depends, Request

from prediction_service.clients.training import TrainingClient
from prediction_service.runtime.packages.instances import Instances
from prediction_service.settings import PredictionSettings
from prediction_service.usecases.predict import LoadedModels
from prediction_service.usecases.upload import Uploads
from shared.db import Pool


def _pool(request: Request) -> Pool:
    return cast("Pool", request.app.state.pool)


def _settings(request: Request) -> PredictionSettings:
    return cast("PredictionSettings", request.app.state.settings)


def _training(request: Request) -> TrainingClient:
    return cast("TrainingClient", request.app.state.training)


def _models(request: Request) -> LoadedModels:
    return cast("LoadedModels", request.app.state.models)


def _instances(request: Request) -> Instances:
    return cast("Instances", request.app.state.instances)


def _uploads(request: Request) -> Uploads:
    return cast("Uploads", request.app.state.uploads)


def _caller(request: Request) -> str:
    return str(request.state.key_name or "local")


PoolDep = Annotated[Pool, Depends(_pool)]
SettingsDep = Annotated[PredictionSettings, Depends(_settings)]
TrainingDep = Annotated[TrainingClient, Depends(_training)]
CallerDep = Annotated[str, Depends(_caller)]
"""Name of the key; local where no keys are set."""
ModelsDep = Annotated[LoadedModels, Depends(_models)]
UploadsDep = Annotated[Uploads, Depends(_uploads)]
InstancesDep = Annotated[Instances, Depends(_instances)]
"""Packages that are loaded in this process."""
