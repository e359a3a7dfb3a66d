"""The curve every pump.fun coin is traded on until it graduates: virtual SOL × virtual tokens stays constant."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

VIRTUAL_SOL: Final = 30.0
VIRTUAL_TOKENS: Final = 1.073e9
SUPPLY_TOKENS: Final = 1e9
GRADUATION_SOL: Final = 85.0
FEE: Final = 0.01
INVARIANT: Final = VIRTUAL_SOL * VIRTUAL_TOKENS


def price(reserves: Floats) -> Floats:
    """Give the price in SOL per token at virtual SOL reserves; any shape, float64, NaN stays NaN.

    With x SOL and y = k / x tokens the marginal price is x / y = x² / k.

    >>> price(np.array([30.0, 115.0])).round(10)
    array([2.800e-08, 4.108e-07])
    """
    return reserves**2 / INVARIANT


def tokens_sold(reserves: Floats) -> Floats:
    """Give how many tokens the curve has handed out at virtual SOL reserves; any shape, float64, NaN stays NaN.

    >>> tokens_sold(np.array([30.0, 60.0]))
    array([0.000e+00, 5.365e+08])
    """
    return VIRTUAL_TOKENS - INVARIANT / reserves


def percent(reserves: Floats) -> Floats:
    """Give the way to graduation in percent, 0 to 100, at virtual SOL reserves; any shape, float64, NaN stays NaN.

    >>> percent(np.array([30.0, 72.5, 115.0]))
    array([  0.,  50., 100.])
    """
    return np.clip((reserves - VIRTUAL_SOL) / GRADUATION_SOL * 100, 0, 100)


def buy(reserves: Floats, spent: Floats) -> Floats:
    """Give the reserves after buyers spent SOL, fee included; the curve stops at graduation. Same shape, NaN stays NaN.

    >>> buy(np.array([30.0, 114.0]), np.array([10.0, 10.0]))
    array([ 39.9, 115. ])
    """
    return np.minimum(reserves + spent * (1 - FEE), VIRTUAL_SOL + GRADUATION_SOL)


def sell(reserves: Floats, tokens: Floats) -> Floats:
    """Give the reserves after holders sold tokens; nobody can sell more than there is. Same shape, NaN stays NaN.

    The fee of a sale is taken from what the seller receives, so it does not move the curve.

    >>> sell(np.array([60.0, 60.0]), np.array([5.365e8, 2.1e8])).round(2)
    array([30.  , 43.12])
    """
    return INVARIANT / (INVARIANT / reserves + np.minimum(tokens, tokens_sold(reserves)))
