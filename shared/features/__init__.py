"""Features of coins: what a model sees. One implementation for training and serving."""

from shared.features.build import build, build_last
from shared.features.families import DEFAULT_WINDOWS, Feature, catalogue
from shared.features.spec import FEATURES_VERSION, FeatureSpec, Notice

__all__ = [
    "DEFAULT_WINDOWS",
    "FEATURES_VERSION",
    "Feature",
    "FeatureSpec",
    "Notice",
    "build",
    "build_last",
    "catalogue",
]
