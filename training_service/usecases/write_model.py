"""From finished work to a model file, proved by reading it as the prediction service will."""

import hashlib
from dataclasses import asdict, dataclass, replace

import numpy as np

from shared.artifact import read_artifact, verify, write_artifact
from shared.coin_metrics.read import moment
from shared.contracts.artifact import GoldenWindow, Histogram, Manifest
from shared.contracts.model_request import CreateModel
from shared.errors import ArtifactInvalid, JobFailed
from shared.features import FEATURES_VERSION, Notice
from shared.labels import Target
from shared.signature import fingerprint_of_signer
from training_service.ml.audit import Audit
from training_service.ml.card import CardParts, build_card
from training_service.ml.crossval import CrossValidation
from training_service.ml.dataset import Dataset
from training_service.ml.figures import Figures
from training_service.ml.fit import feature_importance
from training_service.ml.golden import answer_windows, draw_windows, histogram_of, histograms
from training_service.ml.importance import permutation_importance
from training_service.ml.in_place import rows_of
from training_service.ml.model import Made, Recipe
from training_service.ml.profile import Profile, profile
from training_service.ml.returns import Costs
from training_service.ml.scored import Scored
from training_service.ml.search import Found
from training_service.ml.split import Index, Split
from training_service.ml.verdict import judge
from training_service.usecases.jobs import to_warnings
from training_service.usecases.run_key import code_version, libraries_present
from training_service.usecases.steps import Steps
from training_service.usecases.task import Trained, TrainTask


@dataclass(frozen=True, slots=True, kw_only=True)
class Portrait:
    """What is told of the rows."""

    windows: tuple[GoldenWindow, ...]
    """With open probabilities."""
    profile: Profile
    histograms: dict[str, Histogram]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Everything that is known of a model when it is written."""

    asked: CreateModel
    target: Target
    recipe: Recipe
    """With the hyper-parameters that were found, where they were searched for."""
    costs: Costs
    data: Dataset
    """Its raw rows are gone by now."""
    split: Split
    portrait: Portrait
    audit: Audit
    cross: CrossValidation | None
    found: Found | None
    measured: Made
    """The model that the figures belong to."""
    made: Made
    """The model that is stored: another one when it was fitted again on all rows."""
    figures: Figures
    scored: Scored
    """What `measured` says of all rows of the hold-out's stretch of time."""
    run_key: str
    data_sha256: str


def draw_portrait(data: Dataset, split: Split, *, learnt: Index, asked: CreateModel) -> Portrait:
    """Take what is told of the rows, `learnt` those the stored model is fitted and calibrated on."""
    return Portrait(
        windows=draw_windows(data, split.holdout, random_state=asked.random_state),
        profile=profile(data),
        histograms=histograms(data, learnt),
    )


def write_model(task: TrainTask, work: Work, steps: Steps) -> Trained:
    """Write the model file, verify it, and give the columns of its row."""
    steps.at("card", "importance and data profile")
    parts = _card_parts(task, work)
    steps.at("write artifact", f"{len(work.made.onnx)} bytes of model")
    data, made, figures = work.data, work.made, work.figures
    counts = _counts(work)
    metrics = {
        **figures.to_metrics(),
        "counts": counts,
        "labels": {**asdict(data.readings), "base_rate": data.readings.base_rate},
        "export_difference": made.parity,
        "audit": work.audit.to_json(),
    }
    manifest = _manifest(task, work, metrics, counts)
    sha256 = write_artifact(task.path, manifest=manifest, onnx=made.onnx, signing_key=task.signing_key)
    try:
        verify(read_artifact(task.path.read_bytes(), sha256=sha256))
    except ArtifactInvalid as error:
        raise JobFailed(f"the model file does not pass its own checks: {error.message}") from error
    decision = figures.decision
    return Trained(
        sha256=sha256,
        features=data.spec.names,
        params=dict(work.recipe.parameters),
        training_accuracy=decision.accuracy,
        training_f1=decision.f1,
        training_precision=decision.precision,
        training_recall=decision.recall,
        roc_auc=figures.roc_auc,
        mcc=decision.mcc,
        fpr=decision.fpr,
        fnr=decision.fnr,
        confusion_matrix=asdict(decision),
        decision_threshold=made.decision_threshold,
        alert_threshold=made.alert_threshold,
        simulated_profit_pct=figures.simulated_profit_pct,
        expected_value_pct=figures.expected_value_pct,
        cv_scores=None if work.cross is None else work.cross.scores,
        cv_overfitting_gap=None if work.cross is None else work.cross.overfitting_gap,
        feature_importance=dict(parts.gain),
        metrics=metrics,
        card=build_card(replace(parts, lineage={**parts.lineage, "seconds": steps.end()})),
        run_key=work.run_key,
        warnings=tuple(to_warnings([*data.notices, *_notices(work), *_judged(work)])),
    )


def _card_parts(task: TrainTask, work: Work) -> CardParts:
    asked, data, split, measured = work.asked, work.data, work.split, work.measured
    permutation = permutation_importance(
        measured.scorer,
        rows_of(data.features, split.holdout),
        data.answers[split.holdout],
        data.spec.names,
        trees=int(work.recipe.parameters.get("n_estimators") or 1),
        random_state=asked.random_state,
    )
    lineage = {
        "request": task.request,
        "run_key": work.run_key,
        "data_sha256": work.data_sha256,
        "first_row": moment(int(data.timestamp.min())),
        "last_row": moment(int(data.timestamp.max())),
        "code_version": code_version(),
        "features_version": FEATURES_VERSION,
        "fingerprint": data.spec.fingerprint,
        "libraries": libraries_present(),
        "signed_by": fingerprint_of_signer(task.signing_key) if task.signing_key else None,
    }
    return CardParts(
        made=measured,
        figures=work.figures,
        audit=work.audit,
        profile=work.portrait.profile,
        gain=feature_importance(work.made.native, data.spec.names),
        permutation=permutation,
        costs=work.costs,
        alert_by=measured.alert_by,
        alerts_per_day=asked.alerts_per_day,
        cross=work.cross,
        counts=_counts(work),
        lineage=lineage,
        trials=None if work.found is None else work.found.trials,
        sampling=None
        if asked.sample_by_coin is None
        else {"sample_by_coin": asked.sample_by_coin, "random_state": asked.random_state},
    )


def _manifest(task: TrainTask, work: Work, metrics: dict[str, object], counts: dict[str, int]) -> Manifest:
    asked, data, made = work.asked, work.data, work.made
    return Manifest(
        model_id=task.model_id,
        name=task.name,
        model_type=asked.model_type,
        features=data.spec.names,
        features_version=FEATURES_VERSION,
        fingerprint=data.spec.fingerprint,
        target=asked.target(),
        phases=None if asked.phases is None else tuple(asked.phases),
        decision_threshold=made.decision_threshold,
        alert_threshold=made.alert_threshold,
        calibration=made.calibration,
        metrics={**metrics, "roc_auc": work.figures.roc_auc},
        histograms=work.portrait.histograms,
        # Of rows that no model of this job has seen: on those it learnt from, its probabilities are further apart.
        score_histogram=histogram_of(work.scored.probabilities),
        train_start=asked.train_start,
        train_end=asked.train_end,
        counts=counts,
        libraries=libraries_present(),
        onnx_sha256=hashlib.sha256(made.onnx).hexdigest(),
        golden=answer_windows(work.portrait.windows, made.scorer),
    )


def _counts(work: Work) -> dict[str, int]:
    data, split = work.data, work.split
    return {
        "rows": data.readings.rows,
        "resolved": data.readings.resolved,
        "unresolved": data.readings.rows - data.readings.resolved,
        "resolved_without_observation": data.readings.resolved_without_observation,
        "positives": data.readings.positives,
        "coins": len(np.unique(data.coin)),
        "fit_rows": len(split.fit),
        "calibration_rows": len(split.calibration),
        "holdout_rows": len(split.holdout),
        "purged_rows": split.purged,
    }


def _judged(work: Work) -> list[Notice]:
    return judge(
        work.figures,
        base_rate=work.data.readings.base_rate or 0.0,
        target=work.target,
        cross=work.cross,
    )


def _notices(work: Work) -> list[Notice]:
    notices = [*work.audit.notices, *work.made.notices]
    if work.asked.use_timeseries_split and work.cross is None:
        notices.append(
            Notice(
                code="no_cross_validation",
                message="no fold holds both answers: the window is too short to cross-validate",
            )
        )
    folds = work.asked.cv_splits if work.cross is None else work.cross.scores["folds"]
    if folds < work.asked.cv_splits:
        message = (
            f"{folds} of the {work.asked.cv_splits} folds asked for were scored: the others hold too few rows "
            "or one answer only"
        )
        notices.append(Notice(code="fewer_folds", message=message))
    if work.found is not None and work.cross is not None:
        message = (
            f"the hyper-parameters are the best of {len(work.found.trials)} trials on the very folds of cv_scores, "
            "which therefore flatter them; the hold-out took no part"
        )
        notices.append(Notice(code="tuned_on_folds", message=message))
    if work.asked.refit:
        message = "the stored model was fitted on all rows; the figures are those of the model before"
        notices.append(Notice(code="refitted", message=message))
    return notices
