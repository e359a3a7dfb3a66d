"""A stand-in of the training API: a real HTTP server whose models, files and faults a test sets."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from shared.contracts.artifact import Manifest
from tests.support.models import make_model
from tests.support.serving import served_routes


@dataclass(slots=True)
class TrainingStub:
    """What the training service has, and how it fails."""

    address: str = ""
    models: dict[int, dict[str, Any]] = field(default_factory=dict)
    files: dict[int, bytes] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    """Paths asked for."""
    keys: list[str | None] = field(default_factory=list)
    """Authorization headers shown."""
    fail_with: int | None = None
    """Answer every request with this status."""
    garbage: bytes | None = None
    """Answer every request for metadata with this body."""
    lie: Callable[[bytes], AsyncIterator[bytes]] | None = None
    """Answers with these bytes, HTTP and all, when asked for a file."""

    @property
    def url(self) -> str:
        return f"{self.address}/api"

    def add(self, folder: Path, *, model_id: int = 1, **shape: Any) -> Manifest:
        """Have a model ready; `shape` goes to `make_model`."""
        path = folder / "training" / f"{model_id}.zip"
        manifest, digest = make_model(path, model_id=model_id, **shape)
        self.files[model_id] = path.read_bytes()
        self.models[model_id] = metadata(manifest, digest)
        return manifest

    async def list_models(self, request: web.Request) -> web.StreamResponse:
        offset, limit = int(request.query["offset"]), int(request.query["limit"])
        wanted = [model for model in self.models.values() if model["status"] == request.query["status"]]
        return self._answer(request, {"models": wanted[offset : offset + limit], "total": len(wanted)})

    async def get_model(self, request: web.Request) -> web.StreamResponse:
        model = self.models.get(int(request.match_info["id"]))
        return self._answer(request, model)

    async def download(self, request: web.Request) -> web.StreamResponse:
        refused = self._refused(request)
        if refused is not None:
            return refused
        content = self.files[int(request.match_info["id"])]
        if self.lie is not None:
            return await self._lie(request, self.lie(content))
        return web.Response(body=content)

    async def _lie(self, request: web.Request, pieces: AsyncIterator[bytes]) -> web.StreamResponse:
        transport = request.transport
        assert transport is not None
        async for piece in pieces:
            if transport.is_closing():
                break
            transport.write(piece)
            # Who listens no longer must show before the next piece.
            await asyncio.sleep(0.001)
        transport.close()
        return web.Response()

    def _answer(self, request: web.Request, body: Any) -> web.StreamResponse:
        refused = self._refused(request)
        if refused is not None:
            return refused
        if self.garbage is not None:
            return web.Response(body=self.garbage, content_type="application/json")
        if body is None:
            return web.json_response({"status": 404}, status=404)
        return web.json_response(body)

    def _refused(self, request: web.Request) -> web.Response | None:
        self.seen.append(request.path)
        self.keys.append(request.headers.get("Authorization"))
        return None if self.fail_with is None else web.json_response({}, status=self.fail_with)


def metadata(manifest: Manifest, digest: str) -> dict[str, Any]:
    """Give what GET /models/{id} of the training API says of a model."""
    target = manifest.target
    timed = target.kind == "time"
    return {
        "id": manifest.model_id, "job_id": None, "name": manifest.name, "model_type": manifest.model_type,
        "status": "READY",
        "is_deleted": False, "description": None, "target_variable": target.target_var,
        "target_operator": None if timed else target.operator, "target_value": None if timed else target.target_value,
        "future_minutes": target.future_minutes if timed else None,
        "price_change_percent": target.min_percent_change if timed else None,
        "target_direction": target.direction if timed else None,
        "label_mode": target.label_mode if timed else None,
        "label_resolution": target.label_resolution if timed else None,
        "train_start": "2026-01-01T00:00:00Z", "train_end": "2026-02-01T00:00:00Z",
        "features": list(manifest.features), "phases": None, "params": {"n_estimators": 10}, "training_accuracy": 0.8,
        "training_f1": 0.4, "training_precision": 0.5, "training_recall": 0.3, "roc_auc": 0.7, "mcc": 0.2, "fpr": 0.1,
        "fnr": 0.6, "confusion_matrix": {"tp": 1, "tn": 2, "fp": 3, "fn": 4},
        "decision_threshold": manifest.decision_threshold, "alert_threshold": manifest.alert_threshold,
        "simulated_profit_pct": 0.1, "expected_value_pct": None, "cv_scores": None, "cv_overfitting_gap": None,
        "feature_importance": {}, "metrics": {}, "warnings": [], "model_file_path": "/somewhere/else.zip",
        "model_file_sha256": digest, "created_at": "2026-02-01T00:00:00Z",
    }  # fmt: skip


@asynccontextmanager
async def training_stub() -> AsyncIterator[TrainingStub]:
    """Run a stand-in of the training API."""
    stub = TrainingStub()
    routes = [
        web.get("/api/models", stub.list_models),
        web.get(r"/api/models/{id:\d+}", stub.get_model),
        web.get(r"/api/models/{id:\d+}/download", stub.download),
    ]
    async with served_routes(routes) as address:
        stub.address = address
        yield stub
