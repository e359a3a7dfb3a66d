"""Boosted trees of XGBoost."""

import json
import math
from collections.abc import Mapping
from typing import Any

from training_service.ml.export import INPUT, OPSET, assemble_trees, refuse_giant, tree_ensemble
from training_service.ml.model_types.kind import THREADS, ModelType, Parameter, Range, Value

STEPS_FROM_ROWS = 50_000
"""Features are cut into at most 1,024 steps; so many rows place them as well as all."""


def _make(parameters: Mapping[str, Value], random_state: int) -> Any:
    from xgboost import QuantileDMatrix, XGBClassifier, train

    class Boosted(XGBClassifier):
        """An XGBClassifier that finds the steps of its features on a part of many rows, in a fraction of the time."""

        def fit(self, features: Any, answers: Any) -> Any:
            every = len(features) // STEPS_FROM_ROWS
            if every < 2:  # noqa: PLR2004 - all of them
                return super().fit(features, answers)
            matrix = {"nthread": self.n_jobs, "max_bin": self.max_bin}
            part = QuantileDMatrix(features[::every], answers[::every], **matrix)
            rows = QuantileDMatrix(features, answers, ref=part, **matrix)
            booster = train(self.get_xgb_params(), rows, num_boost_round=self.get_num_boosting_rounds())
            self.load_model(booster.save_raw())
            return self

    return Boosted(
        **parameters, objective="binary:logistic", tree_method="hist", random_state=random_state, n_jobs=THREADS
    )


def _export(native: Any, width: int) -> bytes:
    booster = native.get_booster()
    refuse_giant(sum(tree.count('"nodeid"') for tree in booster.get_dump(dump_format="json")), native.n_estimators)
    ensemble = tree_ensemble(_convert(native, width))
    _set_intercept(ensemble, booster)
    return assemble_trees(ensemble, width)


def _convert(native: Any, width: int) -> Any:
    from onnxmltools import convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType
    from xgboost import XGBClassifier

    # The converter knows the library's own class alone.
    plain = XGBClassifier(n_estimators=native.n_estimators)
    plain.load_model(native.get_booster().save_raw())
    return convert_xgboost(plain, initial_types=[(INPUT, FloatTensorType([None, width]))], target_opset=OPSET)


def _set_intercept(ensemble: Any, booster: Any) -> None:
    # The converter writes a probability where log-odds belong when the first tree is a single leaf of 0.
    raw = json.loads(booster.save_config())["learner"]["learner_model_param"]["base_score"]
    share = float(raw.strip("[]").split(",")[0])
    for attribute in list(ensemble.attribute):
        if attribute.name == "base_values":
            ensemble.attribute.remove(attribute)
    from onnx.helper import make_attribute

    ensemble.attribute.append(make_attribute("base_values", [math.log(share / (1 - share))]))


KIND = ModelType(
    name="xgboost",
    title="XGBoost",
    description="Trees that correct each other; usually the better one.",
    parameters={
        "n_estimators": Parameter(
            default=100, whole=True, low=1, high=3000, meaning="number of trees", search=Range(low=50, high=400)
        ),
        "max_depth": Parameter(
            default=6, whole=True, low=1, high=16, meaning="deepest level of a tree", search=Range(low=2, high=9)
        ),
        "learning_rate": Parameter(
            default=0.1, low=0.0001, high=1, meaning="how much of each tree is taken",
            search=Range(low=0.01, high=0.3, log=True),
        ),
        "subsample": Parameter(
            default=0.8, low=0, high=1, above_low=True, meaning="share of the rows a tree sees",
            search=Range(low=0.5, high=1),
        ),
        "colsample_bytree": Parameter(
            default=0.8, low=0, high=1, above_low=True, meaning="share of the features a tree sees",
            search=Range(low=0.4, high=1),
        ),
        "min_child_weight": Parameter(
            default=5, low=0, high=1_000_000, meaning="weight a leaf keeps", search=Range(low=1, high=100, log=True)
        ),
        "gamma": Parameter(default=0, low=0, high=1_000_000, meaning="loss a split must save"),
        "reg_alpha": Parameter(default=0, low=0, high=1_000_000, meaning="L1 penalty on leaves"),
        "reg_lambda": Parameter(
            default=1, low=0, high=1_000_000, meaning="L2 penalty on leaves", search=Range(low=0.1, high=20, log=True)
        ),
        "scale_pos_weight": Parameter(default=1, low=0.001, high=10_000, meaning="weight of the positive rows"),
        "max_bin": Parameter(default=256, whole=True, low=2, high=1024, meaning="steps a feature is cut into"),
    },
    make=_make,
    export=_export,
)  # fmt: skip
