"""Settings of the training service."""

from typing import Annotated

from pydantic import Field

from shared.settings import HEX_KEY, Port, ServiceSettings


class TrainingSettings(ServiceSettings):
    """Everything the training API and its worker read."""

    training_api_port: Port = Field(8001, description="Port of the training API")
    training_metrics_port: Port = Field(9101, description="Metrics of the worker; taken: the next free one")
    job_poll_interval: Annotated[float, Field(gt=0, le=3600)] = Field(
        5, description="Seconds between two looks at the queue"
    )
    max_concurrent_jobs: Annotated[int, Field(ge=1, le=64)] = Field(2, description="Jobs one worker runs at once")
    max_training_rows: Annotated[int, Field(ge=1)] = Field(5_000_000, description="More rows than this are refused")
    artifact_signing_key: str = Field(
        "", pattern=HEX_KEY, description="Ed25519 private key (hex) that signs model files; empty: none"
    )
