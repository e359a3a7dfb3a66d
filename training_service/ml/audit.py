"""The leak audit: proofs, before anything is learnt, that a model cannot know what it is asked."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from shared.coin_metrics.columns import PRICE_COLUMNS
from shared.coin_metrics.rows import Ints
from shared.errors import JobFailed
from shared.features import Notice
from shared.labels import RuleTarget, Target, TimeTarget
from shared.labels.targets import MICROSECONDS_PER_MINUTE
from shared.scoring import roc_auc
from training_service.ml.dataset import Dataset
from training_service.ml.feature_laws import Laws, prove_laws
from training_service.ml.fit import Answers, native_scores
from training_service.ml.model import Recipe
from training_service.ml.model_types import make_estimator
from training_service.ml.purity import Naming
from training_service.ml.split import Split
from training_service.ml.tripwire import FEWEST_OF_A_CLASS, SUSPICIOUS_AUC, FeatureAuc, Tried, try_features

_TOLD = 5
# Of a rule's answer no more than one row in ten thousand wrong: the feature is the rule's column in other words.
_EXACT = 1e-4
# A merely easy rule has two errors in a thousand on real rows: so many of each answer do not hide them by luck.
_FEWEST_FOR_EXACT = 1000
_NOTABLE_AUC = 0.95
# A feature of AUC 0.92 sets 50 ones apart from 50 zeros without an error once in six million times.
_FEWEST_TO_SEPARATE = 50
_FEWEST_COINS = 10
# On real and simulated markets the purest half of the ones of any time target has at most 15 times the odds of a row,
# and the purest fifth where a rising price is asked about at most 21 times. Elsewhere a fifth can be sure: what is at
# its least value cannot but rise.
_NAMED_ODDS = 50
_NAMED_LEAST = 0.95
_NAMED_COVERAGE, _NAMED_COVERAGE_RISING = 0.5, 0.2
_PERMUTED_ROWS = 10_000
_PERMUTED_TREES = 20
_SIGMAS = 5.0
_PRICES = (*PRICE_COLUMNS, "market_cap_close")
_LATER = "which nothing known at that moment can: the column holds what was written later"


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitProof:
    """That no answer learnt from reaches into what it is measured on, counted from the times of the rows."""

    fit_rows: int
    calibration_rows: int
    holdout_rows: int
    purged_rows: int
    reaching_rows: int
    """Rows whose horizon reaches into a later part, and rows in two parts: 0, or the job has failed."""
    gap_to_calibration_minutes: float
    """From the last horizon of the fitting part to the first row of the next one."""
    gap_to_holdout_minutes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PermutedLabels:
    """What the same recipe makes of shuffled answers: nothing, or rows are shared between the parts."""

    auc: float | None
    """ROC AUC on the hold-out; None where it holds too few of one answer."""
    bound: float | None
    """Five standard errors: further from 0.5 the job fails."""
    fit_rows: int
    holdout_rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What was proved."""

    laws: Laws
    split: SplitProof
    strongest_features: tuple[FeatureAuc, ...]
    """The five that tell most alone, best first; none where the rows to fit on hold too few of one answer."""
    permuted: PermutedLabels
    notices: tuple[Notice, ...]

    def to_json(self) -> dict[str, Any]:
        """Give what was proved as it is stored."""
        found = asdict(self)
        del found["notices"]
        return found


def audit(data: Dataset, split: Split, recipe: Recipe, *, target: Target, horizon_us: int) -> Audit:
    """Prove the feature laws and the split, and try what single features and shuffled answers can tell.

    Args:
        data: the rows a model is made of.
        split: how they are divided.
        recipe: how the model is made.
        target: the question.
        horizon_us: how far a label looks ahead, microseconds; 0 when it does not.

    Raises:
        JobFailed: a feature breaks a law, alone gives the answer away, or rows are shared between the parts.

    """
    laws = prove_laws(data, random_state=recipe.random_state)
    proof = prove_split(data.timestamp, split, horizon_us=horizon_us)
    tried = try_features(
        data.features, data.answers, split.fit, data.coin, data.spec.names, random_state=recipe.random_state
    )
    return Audit(
        laws=laws,
        split=proof,
        strongest_features=(tried.aucs or ())[:_TOLD],
        permuted=permute_labels(data, split, recipe),
        notices=judge_features(tried, target, answers=data.answers[split.fit], coin=data.coin[split.fit]),
    )


def prove_split(timestamp: Ints, split: Split, *, horizon_us: int) -> SplitProof:
    """Count the rows whose label looks into a later part, and those that lie in two parts; fail with their number."""
    calibration, holdout = int(timestamp[split.calibration].min()), int(timestamp[split.holdout].min())
    fit_known, calibration_known = timestamp[split.fit] + horizon_us, timestamp[split.calibration] + horizon_us
    for name, reaching in (
        ("fitting", fit_known >= min(calibration, holdout)),
        ("calibrating", calibration_known >= holdout),
    ):
        if reaching.any():
            raise JobFailed(
                f"{np.count_nonzero(reaching)} of the {len(reaching)} rows for {name} have labels that look into a "
                "later part: the split leaks"
            )
    uses = np.bincount(np.concatenate([split.fit, split.calibration, split.holdout]), minlength=len(timestamp))
    if uses.max() > 1:
        raise JobFailed(f"{np.count_nonzero(uses > 1)} rows are used twice by the split: what is measured was learnt")
    return SplitProof(
        fit_rows=len(split.fit),
        calibration_rows=len(split.calibration),
        holdout_rows=len(split.holdout),
        purged_rows=split.purged,
        reaching_rows=0,
        gap_to_calibration_minutes=(calibration - int(fit_known.max())) / MICROSECONDS_PER_MINUTE,
        gap_to_holdout_minutes=(holdout - int(calibration_known.max())) / MICROSECONDS_PER_MINUTE,
    )


def permute_labels(data: Dataset, split: Split, recipe: Recipe) -> PermutedLabels:
    """Fit a small model of the recipe on shuffled answers and measure it on the shuffled answers of the hold-out.

    At most 20 trees and 10,000 rows of each part, which takes a tenth of a second. A row of the hold-out that was
    learnt from is remembered with its shuffled answer, and only such a row can be.

    Raises:
        JobFailed: the ROC AUC is five standard errors or more away from 0.5.

    """
    random = np.random.default_rng(recipe.random_state)
    shuffled = random.permutation(data.answers)
    fit, holdout = (
        part if len(part) <= _PERMUTED_ROWS else random.choice(part, _PERMUTED_ROWS, replace=False)
        for part in (split.fit, split.holdout)
    )
    ones = int(shuffled[holdout].sum())
    zeros = len(holdout) - ones
    nothing = PermutedLabels(auc=None, bound=None, fit_rows=len(fit), holdout_rows=len(holdout))
    if min(ones, zeros) == 0 or len(np.unique(shuffled[fit])) == 1:
        return nothing
    parameters = dict(recipe.parameters)
    if isinstance(trees := parameters.get("n_estimators"), int):
        parameters["n_estimators"] = min(trees, _PERMUTED_TREES)
    native = make_estimator(recipe.model_type, parameters, random_state=recipe.random_state)
    if "n_jobs" in native.get_params(deep=False):
        # On so few rows a second thread waits more than it works.
        native.set_params(n_jobs=1)
    native.fit(data.features[fit], shuffled[fit].astype(np.int64))
    auc = roc_auc(native_scores(native, data.features[holdout]), shuffled[holdout])
    bound = _SIGMAS * auc_error(ones, zeros)
    if auc is None:
        return nothing
    if abs(auc - 0.5) >= bound:
        raise JobFailed(
            f"a model fitted on shuffled answers has ROC AUC {auc:.3f} on the hold-out, where {0.5 - bound:.3f} to "
            f"{0.5 + bound:.3f} is chance: rows of the hold-out take part in the fit"
        )
    return PermutedLabels(auc=auc, bound=bound, fit_rows=len(fit), holdout_rows=len(holdout))


def auc_error(ones: int, zeros: int) -> float:
    """Give the standard error of the ROC AUC of scores that know nothing: √((a + b + 1) / (12·a·b)).

    Source:
        H. Mann and D. Whitney, On a Test of Whether One of Two Random Variables is Stochastically Larger, 1947.

    >>> round(auc_error(100, 900), 4)
    0.0304
    """
    return math.sqrt((ones + zeros + 1) / (12 * ones * zeros))


def judge_features(tried: Tried, target: Target, *, answers: Answers, coin: Ints) -> tuple[Notice, ...]:
    """Fail for a feature that gives the answer away, say which come near, and what could not be judged.

    `answers` and `coin` are those of the rows that were tried.
    """
    notices: list[Notice] = []
    counts = np.bincount(answers, minlength=2)
    rarer = int(counts.min())
    if isinstance(target, RuleTarget):
        notices.extend(_judge_rule(one, target, rarer=rarer) for one in tried.aucs or () if one.auc >= _NOTABLE_AUC)
        needed, what = _FEWEST_FOR_EXACT, f"a feature that is {target.target_var} in other words"
    else:
        rises = _is_rising_price(target)
        naming = {one.name: one for one in tried.naming if _is_naming(one, rises=rises)}
        notices.extend(
            _judge_future(one, proves=rises or one.name in naming)
            for one in tried.aucs or ()
            if one.auc >= _NOTABLE_AUC
        )
        if naming:
            one = max(naming.values(), key=lambda each: each.coverage)
            raise JobFailed(
                f"the feature {one.name} alone names {one.coverage:.0%} of the positive rows: {one.ones} of {one.rows} "
                f"rows with such a value are positive, {_LATER}; leave {one.name} out"
            )
        coins = len(np.unique(coin[answers == int(counts.argmin())]))
        if tried.exact and rises and rarer >= _FEWEST_TO_SEPARATE and coins >= _FEWEST_COINS:
            raise JobFailed(
                f"the feature {tried.exact[0]} alone tells the answer of all {len(answers)} rows to fit on, {rarer} of "
                f"the rarer one, without an error, {_LATER}; leave {tried.exact[0]} out"
            )
        needed, what = 2 * FEWEST_OF_A_CLASS, "a feature that holds the answer"
    if rarer < needed:
        known = f" ({', '.join(tried.exact[:_TOLD])} err on none)" if tried.exact else ""
        message = (
            f"the rows to fit on hold {rarer} of the rarer answer{known}: {what} is found for sure from {needed} on, "
            "so look at the features yourself"
        )
        notices.append(Notice(code="features_not_audited", message=message))
    return tuple(notices)


def _judge_rule(one: FeatureAuc, target: RuleTarget, *, rarer: int) -> Notice:
    """Fail for a feature that never errs, else say that it comes near.

    A rule is about the present, and its column's neighbours legitimately come near: only what never errs repeats it.
    """
    known = _known(one)
    if one.misjudged is not None and one.misjudged <= _EXACT and rarer >= _FEWEST_FOR_EXACT:
        raise JobFailed(
            f"the feature {known} and no error: it is {target.target_var} in other words; leave {one.name} out"
        )
    return Notice(code="target_in_features", message=f"{known}: the rule about {target.target_var} is nearly its own")


def _judge_future(one: FeatureAuc, *, proves: bool) -> Notice:
    """Fail for a feature that knows what is to come, else say that it comes near.

    Rare falls, and great rises of what is seldom so low, are told by the height of a value alone, on real rows with a
    ROC AUC of up to 0.993: there only a feature that names ones without zeros is proof.
    """
    known = _known(one)
    if one.auc >= SUSPICIOUS_AUC and proves:
        raise JobFailed(f"the feature {known}, {_LATER}; leave {one.name} out")
    return Notice(code="suspicious_feature", message=f"{known}: make sure that its column is not filled in later")


def _is_naming(one: Naming, *, rises: bool) -> bool:
    """Tell whether some values of a feature come with ones only, though it may say nothing of the other rows."""
    covered = one.coverage >= (_NAMED_COVERAGE_RISING if rises else _NAMED_COVERAGE)
    return covered and one.coins >= _FEWEST_COINS and one.lowest >= _NAMED_LEAST and one.odds >= _NAMED_ODDS


def _is_rising_price(target: TimeTarget) -> bool:
    return target.direction == "up" and target.target_var in _PRICES


def _known(one: FeatureAuc) -> str:
    return f"{one.name} alone tells the answer with ROC AUC {one.auc:.4f}"
