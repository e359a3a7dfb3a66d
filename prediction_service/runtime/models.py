"""Models in memory: loaded beside the running ones, then swapped in."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.artifact import Scorer, read_artifact, verify
from shared.contracts.artifact import Manifest, TimeTargetSpec
from shared.errors import ArtifactInvalid
from shared.features import FeatureSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A model that has passed every check and can answer."""

    manifest: Manifest
    spec: FeatureSpec
    scorer: Scorer

    @property
    def horizon_minutes(self) -> int:
        """Give after how many minutes its answers can be judged; 0 for a rule target."""
        target = self.manifest.target
        return target.future_minutes if isinstance(target, TimeTargetSpec) else 0

    @property
    def target(self) -> dict[str, Any]:
        """Give the question it answers, as JSON."""
        return self.manifest.target.model_dump(mode="json")


def load(path: Path, *, sha256: str, public_keys: Sequence[str] = ()) -> LoadedModel:
    """Read, check and load a model file; any doubt is an `ArtifactInvalid`."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ArtifactInvalid(f"the model file {path.name} cannot be read: {error.strerror}") from error
    artifact = read_artifact(content, sha256=sha256, public_keys=public_keys)
    scorer = verify(artifact)
    return LoadedModel(manifest=artifact.manifest, spec=FeatureSpec(artifact.manifest.features), scorer=scorer)
