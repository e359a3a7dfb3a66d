"""Routes of predictions: asked for on demand, listed, and beside a coin's rows."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from prediction_service.deps import ModelsDep, PoolDep
from prediction_service.store import predictions
from prediction_service.store.predictions import Filter
from prediction_service.usecases.predict import predict as ask
from shared.coin_metrics.columns import BASE_FEATURES
from shared.coin_metrics.read import moment, tail
from shared.coin_metrics.rows import NO_PHASE, CoinRows
from shared.contracts.fields import CoinId, PathId
from shared.contracts.prediction import (
    CoinHistory,
    HistoryFilter,
    HistoryRow,
    LatestPredictions,
    Predict,
    Predicted,
    PredictedBy,
    Prediction,
    PredictionFilter,
    PredictionPage,
)
from shared.errors import NotFound
from shared.web.cursor import read_cursor, write_cursor

router = APIRouter(tags=["predictions"])

CoinPath = Annotated[CoinId, Path()]
KIND = "predictions"
MOST_PREDICTIONS = 10_000
_COUNTS = frozenset({"num_buys", "num_sells", "unique_wallets"})
_FIRST, _LAST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)


@router.post("/predict", summary="Ask models about one coin; nothing is stored, no filter counts")
async def predict(pool: PoolDep, models: ModelsDep, body: Predict) -> Predicted:
    found = await ask(pool, models, coin_id=body.coin_id, model_ids=body.model_ids, at=body.timestamp)
    answers = [
        PredictedBy(
            model_id=one.active.model_id,
            active_model_id=one.active.id,
            model_name=one.active.name,
            prediction=1 if one.prediction else 0,
            probability=one.probability,
            threshold=one.threshold,
            is_alert=one.is_alert,
        )
        for one in found.answers
    ]
    return Predicted(coin_id=found.coin_id, timestamp=found.timestamp, predictions=answers, total_models=len(answers))


@router.get("/predictions", summary="Predictions, newest first")
async def list_predictions(pool: PoolDep, wanted: Annotated[PredictionFilter, Query()]) -> PredictionPage:
    before = None if wanted.cursor is None else read_cursor(KIND, wanted.cursor)
    given = wanted.model_dump(exclude={"cursor", "limit", "prediction"})
    chosen = Filter(**given, prediction=None if wanted.prediction is None else int(wanted.prediction), before_id=before)
    found = await predictions.list_page(pool, chosen, most=wanted.limit + 1)
    page = found[: wanted.limit]
    cursor = write_cursor(KIND, page[-1].id) if len(found) > len(page) else None
    return PredictionPage(predictions=_shown(page), next_cursor=cursor)


@router.get("/predictions/latest/{coin_id}", summary="The newest prediction of each model for a coin")
async def list_latest(pool: PoolDep, coin_id: CoinPath, model_id: PathId | None = None) -> LatestPredictions:
    found = await predictions.list_latest(pool, coin_id, model_id=model_id)
    if not found:
        by = "" if model_id is None else f" by model {model_id}"
        raise NotFound(f"There is no prediction for coin {coin_id!r}{by}")
    return LatestPredictions(predictions=_shown(found))


@router.get("/predictions/{prediction_id:int}", summary="One prediction")
async def get_prediction(pool: PoolDep, prediction_id: PathId) -> Prediction:
    found = await predictions.get(pool, prediction_id)
    if found is None:
        raise NotFound(f"There is no prediction {prediction_id}")
    return Prediction.model_validate(found)


@router.get("/coins/{coin_id}/history", summary="Rows of a coin and the predictions for them, oldest first")
async def get_history(pool: PoolDep, coin_id: CoinPath, wanted: Annotated[HistoryFilter, Query()]) -> CoinHistory:
    rows = await tail(pool, coin_id, at=wanted.date_to, rows=wanted.limit)
    shown = [row for row in _rows(rows) if wanted.date_from is None or row.timestamp >= wanted.date_from]
    found = await predictions.list_of_coin(
        pool,
        coin_id,
        date_from=shown[0].timestamp if shown else wanted.date_from or _FIRST,
        date_to=wanted.date_to or _LAST,
        active_model_id=wanted.active_model_id,
        most=MOST_PREDICTIONS,
    )
    if len(rows) == 0 and not found:
        raise NotFound(f"There is neither a row nor a prediction of coin {coin_id!r}")
    return CoinHistory(coin_id=coin_id, rows=shown, predictions=_shown(found))


def _shown(found: Sequence[predictions.Prediction]) -> list[Prediction]:
    return [Prediction.model_validate(one) for one in found]


def _rows(rows: CoinRows) -> list[HistoryRow]:
    columns = {name: [_value(name, value) for value in rows.values[name].tolist()] for name in BASE_FEATURES}
    times = [moment(time) for time in rows.timestamp.tolist()]
    phases = [None if phase == NO_PHASE else phase for phase in rows.phase.tolist()]
    return [
        HistoryRow(
            timestamp=time,
            phase_id_at_time=phase,
            **{name: values[index] for name, values in columns.items()},
        )
        for index, (time, phase) in enumerate(zip(times, phases, strict=True))
    ]


def _value(name: str, value: float) -> Any:
    if math.isnan(value):
        return None
    if name == "is_koth":
        return bool(value)
    return int(value) if name in _COUNTS else value
