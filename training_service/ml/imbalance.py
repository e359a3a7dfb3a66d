"""When one answer is so rare that accuracy means little."""

from shared.features import Notice

_RARE, _COMMON = 0.10, 0.90


def imbalance_notices(base_rate: float) -> tuple[Notice, ...]:
    """Tell when fewer than 10 % or more than 90 % of the rows of a window are positive.

    >>> [notice.code for notice in imbalance_notices(0.09)], imbalance_notices(0.5)
    (['label_imbalance'], ())
    """
    if _RARE <= base_rate <= _COMMON:
        return ()
    message = f"{base_rate:.2%} of the rows are positive: accuracy alone says little"
    return (Notice(code="label_imbalance", message=message),)
