"""How much one forecast may cost: a file of a few kilobytes can describe a network that computes for hours."""

from shared.errors import PackageInvalid

MOST_MULTIPLICATIONS = 100_000_000_000
"""About two seconds of one core."""
MOST_NUMBERS = 64_000_000
"""Held at once: 256 MB."""


def check_work(*, sequences: int, places: int, d_model: int, ffn_dim: int, layers: int, heads: int) -> None:
    """Refuse an encoder of so many layers over sequences of so many places if a forecast takes too much time or memory.

    A layer multiplies 4·d² for each place in its projections, 2·d·ffn in its network, and 2·d for each pair of places.

    >>> check_work(sequences=28, places=63, d_model=128, ffn_dim=512, layers=3, heads=4)
    >>> check_work(sequences=64, places=8185, d_model=8, ffn_dim=8, layers=2, heads=1)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    shared.errors.PackageInvalid: A forecast takes 137,606,481,920 multiplications, 100,000,000,000 are allowed; ...
    """
    multiplications = sequences * places * layers * (4 * d_model**2 + 2 * d_model * ffn_dim + 2 * places * d_model)
    if multiplications > MOST_MULTIPLICATIONS:
        raise PackageInvalid(
            f"A forecast takes {multiplications:,} multiplications, {MOST_MULTIPLICATIONS:,} are allowed; "
            "make patches longer, or the network smaller"
        )
    # Of many sequences the weights of attention are held for all places and heads at once.
    numbers = sequences * places * max(ffn_dim, 3 * d_model, heads * places)
    if numbers > MOST_NUMBERS:
        raise PackageInvalid(
            f"A forecast holds {numbers:,} numbers at once, {MOST_NUMBERS:,} are allowed; "
            "make patches longer, or the network smaller"
        )
