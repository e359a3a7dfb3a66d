"""From a request to the rows a model is made of: load, label, features; the first steps of a job and of preflight."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from shared.coin_metrics.load import TrainingRows, Wanted, load
from shared.coin_metrics.sample import CoinSample
from shared.contracts.model_request import CreateModel
from shared.features import FeatureSpec, Notice
from shared.labels import Target, TimeTarget
from shared.labels.horizon import GRADUATED_PCT
from training_service.ml.dataset import Dataset, LabelledRows, add_features, label_rows, refuse_one_answer
from training_service.usecases.doubts import few_notices, window_notices

_LEAVING = "bonding_curve_pct"
OPTIONAL_COLUMNS = (_LEAVING, "virtual_sol_reserves")


def load_rows(
    asked: CreateModel,
    spec: FeatureSpec,
    target: Target,
    *,
    dsn: str,
    max_rows: int,
    patience_seconds: float | None = None,
) -> TrainingRows:
    """Read the rows of the window, the histories before it and the horizon behind it."""
    return load(dsn, replace(_wanted(asked, spec, target), max_rows=max_rows, patience_seconds=patience_seconds))


def load_presence(
    asked: CreateModel,
    spec: FeatureSpec,
    target: Target,
    *,
    dsn: str,
    max_rows: int,
    patience_seconds: float,
    numbers: frozenset[str] = frozenset(),
) -> TrainingRows:
    """Read the same rows for a look at them: numbers of the target and of `numbers`, else whether there is one."""
    wanted = _wanted(asked, spec, target)
    valued = tuple(name for name in wanted.columns if name in {target.target_var, *numbers})
    is_level = _LEAVING in wanted.columns and _LEAVING not in valued
    return load(
        dsn,
        replace(
            wanted,
            columns=valued,
            presence_of=tuple(name for name in wanted.columns if name not in valued),
            levels={_LEAVING: GRADUATED_PCT} if is_level else {},
            optional_columns=() if is_level else (_LEAVING,),
            max_rows=max_rows,
            patience_seconds=patience_seconds,
        ),
    )


def label_loaded(loaded: TrainingRows, asked: CreateModel, target: Target) -> LabelledRows:
    """Label the rows and choose those of the window and phases."""
    return label_rows(
        loaded.rows,
        loaded.in_window,
        target=target,
        phases=None if asked.phases is None else tuple(asked.phases),
        clock_us=loaded.clock_us,
        last_seen=loaded.last_seen,
        untracked_phases=loaded.untracked_phases,
    )


def build_dataset(
    loaded: TrainingRows,
    asked: CreateModel,
    spec: FeatureSpec,
    target: Target,
    *,
    tell: Callable[[str], None] = lambda _detail: None,
) -> Dataset:
    """Label the rows, build their features and keep those whose answer is known; `tell` hears of the features."""
    labelled = label_loaded(loaded, asked, target)
    refuse_one_answer(labelled, test_size=asked.test_size)
    tell(f"{len(spec.names)} of {labelled.readings.rows} rows")
    data = add_features(labelled, spec)
    few = few_notices(rows=len(data), positives=int(data.answers.sum()), coins=len(np.unique(data.coin)))
    doubts = (*window_notices(asked, spec, loaded), *few)
    return replace(data, notices=(*sample_notices(loaded), *data.notices, *doubts))


def sample_notices(loaded: TrainingRows) -> tuple[Notice, ...]:
    """Tell of coins that were left out because the request says so."""
    sampled = loaded.sampled
    if sampled is None:
        return ()
    message = (
        f"sample_by_coin {sampled.share:g} kept {sampled.kept} of the {sampled.present} coins of the window, "
        "each with all of its rows"
    )
    return (Notice(code="sampled_by_coin", message=message),)


def _wanted(asked: CreateModel, spec: FeatureSpec, target: Target) -> Wanted:
    return Wanted(
        start=asked.train_start,
        end=asked.train_end,
        horizon_minutes=target.future_minutes if isinstance(target, TimeTarget) else 0,
        history_rows=spec.history_needed() - 1,
        columns=tuple(dict.fromkeys((*spec.base_columns, target.target_var))),
        optional_columns=OPTIONAL_COLUMNS,
        sample=CoinSample(share=asked.sample_by_coin or 1.0, random_state=asked.random_state),
    )
