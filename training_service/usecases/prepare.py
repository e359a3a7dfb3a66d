"""From a request to the rows a model is made of: load, label, features."""

from shared.coin_metrics.load import TrainingRows, load_range
from shared.contracts.model_request import CreateModel
from shared.features import FeatureSpec
from shared.labels import Target, TimeTarget
from training_service.ml.dataset import Dataset, make_dataset

_OPTIONAL_COLUMNS = ("bonding_curve_pct", "virtual_sol_reserves")


def load_rows(asked: CreateModel, spec: FeatureSpec, target: Target, *, dsn: str, max_rows: int) -> TrainingRows:
    """Read the rows of the window, the histories before it and the horizon behind it."""
    return load_range(
        dsn,
        start=asked.train_start,
        end=asked.train_end,
        horizon_minutes=target.future_minutes if isinstance(target, TimeTarget) else 0,
        history_rows=spec.history_needed() - 1,
        columns=tuple(dict.fromkeys((*spec.base_columns, target.target_var))),
        optional_columns=_OPTIONAL_COLUMNS,
        max_rows=max_rows,
    )


def build_dataset(loaded: TrainingRows, asked: CreateModel, spec: FeatureSpec, target: Target) -> Dataset:
    """Label the rows, build their features and keep those whose answer is known."""
    return make_dataset(
        loaded.rows,
        loaded.in_window,
        spec=spec,
        target=target,
        phases=None if asked.phases is None else tuple(asked.phases),
        clock_us=loaded.clock_us,
        last_seen=loaded.last_seen,
        untracked_phases=loaded.untracked_phases,
    )
