"""From answers to rows: of the table predictions, and of the outbox."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prediction_service.runtime.answers import Answers
from prediction_service.store.active_models import ActiveModel
from prediction_service.store.endpoints import Endpoint
from prediction_service.store.predictions import NewPredictions
from prediction_service.usecases.cooldowns import CooldownBatch, has_cooldown, kind_of
from prediction_service.usecases.deliveries import OnePrediction, RowPredictions, wanted
from shared.coin_metrics.read import Batch, microseconds, moment
from shared.coin_metrics.rows import NO_PHASE


def prediction_records(
    answers: Sequence[Answers], rows: Batch, *, created_at: datetime, duration_ms: float
) -> NewPredictions:
    """Give what is to be written of a batch, all models of a row side by side, which spares the index work."""
    counts = [len(given.rows) for given in answers]
    index = _joined([given.rows for given in answers], np.int64)
    order = np.argsort(index, kind="stable")
    index = index[order]

    def of_models(values: Sequence[float], dtype: type) -> Any:
        return np.repeat(np.array(values, dtype), counts)[order]

    return NewPredictions(
        coins=rows.mint,
        coin=index,
        active_model_id=of_models([given.model.active_id for given in answers], np.int64),
        model_id=of_models([given.model.model_id for given in answers], np.int64),
        data_timestamp=rows.timestamp[index],
        prediction=_joined([given.prediction for given in answers], np.bool_)[order],
        probability=_joined([given.probability for given in answers], np.float64)[order],
        threshold=of_models([given.model.loaded.manifest.decision_threshold for given in answers], np.float64),
        is_alert=_joined([given.alert for given in answers], np.bool_)[order],
        phase=rows.phase[index],
        duration_ms=duration_ms,
        created_at=microseconds(created_at),
    )


def _joined(parts: Sequence[NDArray[Any]], dtype: type) -> NDArray[Any]:
    return np.concatenate([np.empty(0, dtype), *parts])


def rows_with_predictions(
    answers: Sequence[Answers],
    rows: Batch,
    *,
    targets: Sequence[Endpoint],
    actives: Mapping[int, ActiveModel],
    price_column: int,
    missed: int,
    paused: CooldownBatch,
) -> list[RowPredictions]:
    """Give what all models said of rows that may be sent; those up to the id `missed` waited in an outage."""
    due: set[int] = set()
    for given in answers:
        active = actives[given.model.active_id]
        mask = wanted(targets, active, prediction=given.prediction, is_alert=given.alert)
        if has_cooldown(active):
            due.update(_rested(given, rows, mask, paused))
        else:
            due.update(given.rows[mask].tolist())
    by_row: dict[int, list[OnePrediction]] = {index: [] for index in sorted(due)}
    for given in answers if due else ():
        active = actives[given.model.active_id]
        for index, probability, prediction, alert in zip(
            given.rows.tolist(),
            given.probability.tolist(),
            given.prediction.tolist(),
            given.alert.tolist(),
            strict=True,
        ):
            if index in due:
                by_row[index].append(
                    OnePrediction(
                        active=active,
                        prediction=int(prediction),
                        probability=probability,
                        is_alert=alert,
                    )
                )
    return [
        RowPredictions(
            coin_id=rows.mint[index],
            timestamp=moment(int(rows.timestamp[index])),
            price_close=_price(float(rows.values[index, price_column])),
            phase_id=None if rows.phase[index] == NO_PHASE else int(rows.phase[index]),
            predictions=tuple(predictions),
            caught_up_late=bool(rows.id[index] <= missed),
        )
        for index, predictions in by_row.items()
    ]


def _rested(given: Answers, rows: Batch, mask: NDArray[np.bool_], paused: CooldownBatch) -> Iterator[int]:
    """Give the rows whose cooldown was over before this batch; those of the batch itself are heeded later."""
    for index, prediction, alert in zip(
        given.rows[mask].tolist(), given.prediction[mask].tolist(), given.alert[mask].tolist(), strict=True
    ):
        kind = kind_of(prediction=prediction, is_alert=alert)
        if paused.over(given.model.active_id, rows.mint[index], kind, moment(int(rows.timestamp[index]))):
            yield index


def _price(value: float) -> float | None:
    return value if value == value and abs(value) != float("inf") else None  # noqa: PLR0124 - NaN is not itself
