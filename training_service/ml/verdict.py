"""What a user should know about the figures of a model."""

from shared.features import Notice
from shared.labels import RuleTarget, Target
from training_service.ml.crossval import CrossValidation
from training_service.ml.figures import Figures
from training_service.ml.imbalance import imbalance_notices
from training_service.ml.returns import BIRTH_RESERVES_SOL

_TOO_ACCURATE = 0.95
_TOO_SHARP = 0.99
_BARELY = 0.55
_LOW_F1 = 0.5
_GAP = 0.1


def judge(
    figures: Figures, *, base_rate: float, target: Target, cross: CrossValidation | None = None, where: str = "hold-out"
) -> list[Notice]:
    """Give the warnings that the figures call for; `base_rate` is that of all rows, `where` names those measured."""
    notices = [*imbalance_notices(base_rate)]
    f1, auc = figures.decision.f1, figures.roc_auc
    notices.extend(_too_good(figures, target, where))
    if auc is None:
        notices.append(
            _notice("one_class_holdout", f"the {where} holds one answer only: ROC AUC and MCC have no value")
        )
    elif auc < _BARELY:
        notices.append(_notice("barely_learned", f"ROC AUC on the {where} is {auc:.3f}, chance has 0.5"))
    if f1 is None or f1 < _LOW_F1:
        notices.append(_notice("low_f1", f"F1 on the {where} is {0.0 if f1 is None else f1:.3f}, below {_LOW_F1}"))
    notices.extend(_assumed(figures))
    if cross is not None and cross.overfitting_gap > _GAP:
        notices.append(
            _notice(
                "overfitting",
                f"accuracy falls by {cross.overfitting_gap:.2f} from the rows learnt to those that follow: "
                "take fewer or flatter trees, or more rows",
            )
        )
    return notices


def _assumed(figures: Figures) -> list[Notice]:
    """Tell when the slippage of some trades is a guess."""
    money = figures.money
    if money is None or not money.assumed_reserves:
        return []
    trades, assumed = money.every_alert.trades, money.assumed_reserves
    message = (
        f"virtual_sol_reserves is missing for {assumed} of the {trades} alerts traded ({assumed / trades:.0%}): their "
        f"slippage is that of a curve with {BIRTH_RESERVES_SOL:g} SOL; give slippage_pct to choose it yourself"
    )
    return [_notice("reserves_unknown", message)]


def _too_good(figures: Figures, target: Target, where: str) -> list[Notice]:
    """Tell of a model that errs almost never.

    The job does not fail: each feature alone was tested, and what several of them say together about the same row (a
    rule) or about an easy question is not wrong, only seldom worth a model.
    """
    accuracy, auc, told, notices = figures.decision.accuracy, figures.roc_auc, [], []
    if accuracy is not None and accuracy > _TOO_ACCURATE:
        trivial = max(figures.base_rate, 1 - figures.base_rate)
        told.append(f"accuracy is {accuracy:.1%}; always giving the more frequent answer would have {trivial:.1%}")
    if auc is not None and auc >= _TOO_SHARP and isinstance(target, RuleTarget):
        message = (
            f"ROC AUC on the {where} is {auc:.4f}: the features together give {target.target_var} of the same row "
            "away, so the model repeats the rule"
        )
        notices.append(_notice("target_in_features", message))
    elif auc is not None and auc >= _TOO_SHARP:
        told.append(
            f"ROC AUC on the {where} is {auc:.4f}, which no market allows: look for a column that was filled in later"
        )
    return [*([_notice("suspiciously_accurate", "; ".join(told))] if told else []), *notices]


def _notice(code: str, message: str) -> Notice:
    return Notice(code=code, message=message)
