"""Warnings of a job: what was foretold at its acceptance, and what its work has found."""

from collections.abc import Iterable

from training_service.usecases.doubts import DOUBTS

Warnings = Iterable[dict[str, str]]

_FORETOLD = {
    "will_fail", "not_preflighted",
    # The work tells these itself where they still hold.
    "sampled_by_coin", "all_null_feature", "tracking_answers", "label_imbalance", *DOUBTS,
}  # fmt: skip


def join_warnings(foretold: Warnings, found: Warnings) -> list[dict[str, str]]:
    """Give both, each once; what the work itself would have told is its own to say.

    >>> before = [{"code": "few_rows", "message": "9 rows"}, {"code": "target_in_features", "message": "volume_sol"}]
    >>> join_warnings(before, [{"code": "low_f1", "message": "0.1"}, {"code": "low_f1", "message": "0.1"}])
    [{'code': 'target_in_features', 'message': 'volume_sol'}, {'code': 'low_f1', 'message': '0.1'}]
    """
    joined = [*(warning for warning in foretold if warning["code"] not in _FORETOLD), *found]
    return [warning for at, warning in enumerate(joined) if warning not in joined[:at]]
