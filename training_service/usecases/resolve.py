"""What a request amounts to, as far as it alone and the settings of its model type say."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.contracts.model_request import CreateModel, TuneModel
from shared.db import Pool
from shared.features import FeatureSpec, Notice
from shared.labels import Target
from training_service.ml.model_types import ModelType, Value, find_kind, resolve_parameters
from training_service.ml.space import check_space
from training_service.store import models


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A request with everything that it leaves open filled in."""

    asked: CreateModel
    kind: ModelType
    spec: FeatureSpec
    target: Target
    params: Mapping[str, Value]
    notices: tuple[Notice, ...]


async def resolve_request(pool: Pool, asked: CreateModel) -> Resolved:
    """Check what the request alone shows; `Invalid` says what is wrong and where."""
    kind = find_kind(asked.model_type)
    target = asked.target().to_target()
    spec, notices = FeatureSpec.resolve(
        asked.features,
        use_engineered=asked.use_engineered_features,
        windows=asked.feature_engineering_windows,
        target=target,
    )
    defaults = await models.type_defaults(pool, asked.model_type)
    params = resolve_parameters(asked.model_type, {**defaults, **asked.params})
    if isinstance(asked, TuneModel):
        check_space(asked.model_type, {name: part.model_dump() for name, part in asked.search_space.items()})
    return Resolved(asked=asked, kind=kind, spec=spec, target=target, params=params, notices=notices)
