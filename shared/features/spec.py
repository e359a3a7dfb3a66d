"""Which features there are, what they need, and which ones a model asked for."""

import difflib
import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from shared.coin_metrics.columns import BASE_FEATURES
from shared.errors import Invalid, UnknownFeature
from shared.features.families import DEFAULT_WINDOWS, FAMILY
from shared.labels import RuleTarget, Target

FEATURES_VERSION = 1
LONGEST_WINDOW = 200
MOST_WINDOWS = 10
MOST_TOLD = 5

# On the bonding curve each of these follows from each other, so any of them answers a rule about another.
CURVE_LEVEL = frozenset({"price_close", "market_cap_close", "virtual_sol_reserves", "bonding_curve_pct"})
# The first is the sum of the others, so any two of them answer a rule about the third.
VOLUME_SUM = frozenset({"volume_sol", "buy_volume_sol", "sell_volume_sol"})
# (bought - sold) / (bought + sold) of the row itself: with one of those three it gives the other two.
IMBALANCE = "order_book_imbalance_1"
# (high - low) / close of the row itself: with two of these it gives the third.
SPREAD_SHARE = "price_range_1"
SPREAD = CURVE_LEVEL | {"price_high", "price_low"}

_ENGINEERED = re.compile(rf"({'|'.join(FAMILY)})_([1-9][0-9]{{0,2}})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something done that the user did not ask for in these words; never done silently."""

    code: str
    message: str


@lru_cache(maxsize=256)
def _parsed(name: str) -> tuple[str, int] | None:
    """Give family and window of an engineered name, (name, 0) of a base name, None of any other."""
    if name in BASE_FEATURES:
        return name, 0
    match = _ENGINEERED.fullmatch(name)
    if match is None or int(match[2]) > LONGEST_WINDOW:
        return None
    return match[1], int(match[2])


@lru_cache(maxsize=256)
def _families(names: tuple[str, ...]) -> Mapping[str, tuple[tuple[int, int], ...]]:
    found: dict[str, list[tuple[int, int]]] = {}
    for at, name in enumerate(names):
        family, window = _parsed(name) or (name, 0)
        if window:
            found.setdefault(family, []).append((window, at))
    return MappingProxyType({family: tuple(sorted(windows)) for family, windows in found.items()})


def _check_known(names: Iterable[str], windows: Iterable[int]) -> None:
    unknown = [name for name in names if _parsed(name) is None]
    if not unknown:
        return
    candidates = [*BASE_FEATURES, *(f"{family}_{window}" for family in FAMILY for window in windows)]
    told = []
    for name in unknown[:MOST_TOLD]:
        near = difflib.get_close_matches(name[:80], candidates, n=3)
        told.append(f"{name[:80]!r}" + (f" (near: {', '.join(near)})" if near else ""))
    more = f" and {len(unknown) - MOST_TOLD} more" if len(unknown) > MOST_TOLD else ""
    raise UnknownFeature(
        f"Unknown features: {', '.join(told)}{more}. GET /features lists all; engineered ones are <family>_<w>, "
        f"w from 1 to {LONGEST_WINDOW}.",
        pointer="/features",
    )


def _check_windows(windows: Sequence[int], pointer: str) -> None:
    wrong = [window for window in windows if not 1 <= window <= LONGEST_WINDOW]
    if wrong:
        raise Invalid(f"A window must be from 1 to {LONGEST_WINDOW} rows, not {wrong[0]}", pointer=pointer)
    if len(set(windows)) > MOST_WINDOWS:
        raise Invalid(f"At most {MOST_WINDOWS} different windows are allowed, not {len(set(windows))}", pointer=pointer)


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """The features of one model, in their order.

    Raises UnknownFeature for a name no formula belongs to, Invalid for no name, a repeated one or too many windows.

    >>> spec = FeatureSpec(("price_close", "price_roc_5", "volume_ratio_10"))
    >>> spec.base_columns, spec.history_needed(), spec.windows
    (('price_close', 'volume_sol'), 10, (5, 10))
    """

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        _check_known(self.names, DEFAULT_WINDOWS)
        if not self.names:
            raise Invalid("No feature is left to learn from", pointer="/features")
        if len(set(self.names)) < len(self.names):
            raise Invalid("A feature is named twice", pointer="/features")
        _check_windows(self.windows, "/features")

    @property
    def base_names(self) -> tuple[tuple[int, str], ...]:
        """Give column number and name of the features that are base columns themselves."""
        return tuple((at, name) for at, name in enumerate(self.names) if name in BASE_FEATURES)

    @property
    def engineered(self) -> Mapping[str, tuple[tuple[int, int], ...]]:
        """Give the windows of each family used, ascending, each with its column number: family → ((w, at), …)."""
        return _families(self.names)

    @property
    def windows(self) -> tuple[int, ...]:
        """Give the windows used by any feature, ascending."""
        return tuple(sorted({window for windows in self.engineered.values() for window, _ in windows}))

    @property
    def base_columns(self) -> tuple[str, ...]:
        """Give the columns of `coin_metrics` that are read, in the order of `BASE_FEATURES`."""
        used = {name for _, name in self.base_names}
        used.update(column for family in self.engineered for column in FAMILY[family].columns)
        return tuple(name for name in BASE_FEATURES if name in used)

    @property
    def fingerprint(self) -> str:
        """Give the sha256 in hex over names, windows and the version of the formulas."""
        text = json.dumps([FEATURES_VERSION, self.windows, self.names])
        return hashlib.sha256(text.encode()).hexdigest()

    def history_needed(self) -> int:
        """Give how many rows of a coin, the present one included, decide the features of its last row.

        At least 2 with an engineered feature, since a coin's first row is a case of its own; 1 without.
        """
        needed = 1
        for family, windows in self.engineered.items():
            needed = max(needed, 2, windows[-1][0] + FAMILY[family].reaches_back)
        return needed

    @classmethod
    def resolve(
        cls, features: Sequence[str], *, use_engineered: bool, windows: Sequence[int], target: Target
    ) -> tuple["FeatureSpec", tuple[Notice, ...]]:
        """Give the features of a request: those named, then every family × window when asked, without the target.

        Repeats collapse to the first. `target_var` is always taken out. For a rule target so is what answers the rule
        on the same row: price_close, market_cap_close, virtual_sol_reserves and bonding_curve_pct follow from each
        other on the bonding curve; and as volume_sol is buy_volume_sol + sell_volume_sol, two of them are taken out
        together when the third is the target. The engineered families hold ratios and differences over time, which do
        not give back the level of a row; two of them, over a window of 1, do so together with columns of the row, and
        are taken out where those are features: order_book_imbalance_1 beside a volume for a rule on another one,
        price_range_1 beside two of high, low and level for a rule on the third. Raises UnknownFeature (with near names)
        and Invalid (a wrong window, nothing left).

        >>> target = RuleTarget(target_var="price_close", operator=">", target_value=4e-8)
        >>> asked = ["volume_sol", "price_close", "market_cap_close"]
        >>> spec, notices = FeatureSpec.resolve(asked, use_engineered=True, windows=[5], target=target)
        >>> spec.names[:3], [notice.code for notice in notices]
        (('volume_sol', 'price_change_5', 'price_roc_5'), ['target_in_features', 'target_in_features'])
        """
        _check_windows(windows, "/feature_engineering_windows")
        _check_known(features, dict.fromkeys((*windows, *DEFAULT_WINDOWS)))
        wanted = dict.fromkeys(features)
        if use_engineered:
            wanted.update(dict.fromkeys(f"{family}_{window}" for family in FAMILY for window in windows))
        notices = []
        for name in [name for name in wanted if name == target.target_var]:
            del wanted[name]
            notices.append(
                Notice(
                    code="target_in_features",
                    message=f"{name} is what the model answers and was taken out of its features",
                )
            )
        for name in _transforms(wanted, target):
            del wanted[name]
            notices.append(
                Notice(
                    code="target_in_features",
                    message=f"{name} gives {target.target_var} of the same row away and was taken out of the features",
                )
            )
        return cls(tuple(wanted)), tuple(notices)


def _transforms(names: Collection[str], target: Target) -> list[str]:
    """Give the features that answer a rule target on the row itself."""
    if not isinstance(target, RuleTarget):
        return []
    if target.target_var in CURVE_LEVEL:
        found = [name for name in names if name in CURVE_LEVEL]
    elif target.target_var in VOLUME_SUM:
        found = [name for name in names if name in VOLUME_SUM]
        found = found if len(found) > 1 else []
    else:
        found = []
    left = {target.target_var, *names}.difference(found)
    if target.target_var in VOLUME_SUM and len(left & VOLUME_SUM) > 1:
        found.append(IMBALANCE)
    if target.target_var in SPREAD and {"price_high", "price_low"} <= left and left & CURVE_LEVEL:
        found.append(SPREAD_SHARE)
    return [name for name in found if name in names]
