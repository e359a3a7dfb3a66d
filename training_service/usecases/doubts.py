"""What a window makes doubtful, told by preflight before a job and by the job of the rows that it has read."""

import numpy as np

from shared.coin_metrics.load import TrainingRows
from shared.coin_metrics.read import microseconds, moment
from shared.contracts.model_request import CreateModel
from shared.features import FeatureSpec, Notice

FEW_ROWS, FEW_POSITIVES, FEW_COINS = 1000, 50, 10
DOUBTS = frozenset({"window_not_over", "no_history", "few_rows", "few_coins"})


def window_notices(asked: CreateModel, spec: FeatureSpec, loaded: TrainingRows) -> list[Notice]:
    """Tell of a window that is not over yet, and of one without rows before it."""
    clock, notices = moment(loaded.clock_us), []
    if asked.train_end > clock:
        message = (
            f"coin_metrics ends at {clock.isoformat()}, before train_end {asked.train_end.isoformat()}: "
            "of the rows still to come, those are learnt from that are there when the job reads"
        )
        notices.append(Notice(code="window_not_over", message=message))
    has_past = bool(np.any(loaded.rows.timestamp < microseconds(asked.train_start)))
    if spec.history_needed() > 1 and not has_past:
        message = (
            f"no coin of the window has a row before train_start, although features look back up to "
            f"{spec.history_needed() - 1} rows: the first rows of each coin see a shorter past than live ones"
        )
        notices.append(Notice(code="no_history", message=message))
    return notices


def few_notices(*, rows: int, positives: int, coins: int) -> list[Notice]:
    """Tell of few rows with a known answer, and of few coins that they are of."""
    notices = []
    if rows < FEW_ROWS or min(positives, rows - positives) < FEW_POSITIVES:
        message = f"{rows} rows with a known answer, {positives} of them positive, are few: figures will be shaky"
        notices.append(Notice(code="few_rows", message=message))
    if coins < FEW_COINS:
        message = f"{coins} coins are few to learn from: others may be different"
        notices.append(Notice(code="few_coins", message=message))
    return notices
