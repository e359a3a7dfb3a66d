"""What would end a job after its rows are divided, told from their answers alone."""

import numpy as np

from training_service.ml.crossval import learnable_folds, refuse_fold
from training_service.ml.dataset import Answered
from training_service.ml.model import refuse_rows
from training_service.ml.search import scorable_folds
from training_service.ml.split import Split


def refuse_folds(
    data: Answered, split: Split, *, folds: int, trials: int, validates: bool, resamples: bool, horizon_us: int
) -> None:
    """Raise the JobFailed with which a search, the cross-validation or the fit would end, in the order of a job.

    Args:
        data: the rows whose answer is known.
        split: how they are divided.
        folds: of the cross-validation.
        trials: of the search; 0: none.
        validates: there is a cross-validation.
        resamples: SMOTE is asked for, and its failure is to end the job.
        horizon_us: how far a label looks ahead, microseconds.

    """
    before = np.concatenate([split.fit, split.calibration])
    if trials:
        for fold in scorable_folds(data, before, folds=folds, horizon_us=horizon_us):
            if resamples:
                refuse_fold(fold, data.answers)
    if validates and resamples:
        for fold in learnable_folds(data, before, folds=folds, horizon_us=horizon_us):
            refuse_fold(fold, data.answers)
    if resamples:
        refuse_rows(data.answers[split.fit])
