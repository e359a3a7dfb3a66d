"""A kind of model as a file that is put among the others: a logistic curve, missing values taken as 0."""

from training_service.ml.export import INPUT, OUTPUT, assemble
from training_service.ml.model_types.kind import ModelType, Parameter


def _make(parameters, random_state):
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    zeros = SimpleImputer(strategy="constant", fill_value=0, keep_empty_features=True)
    return make_pipeline(zeros, LogisticRegression(**parameters, random_state=random_state))


def _export(native, width):
    from onnx import helper, numpy_helper

    curve = native[-1]
    weights = numpy_helper.from_array(curve.coef_.T.astype("float32"), "weights")
    intercept = numpy_helper.from_array(curve.intercept_.astype("float32"), "intercept")
    zero = numpy_helper.from_array(curve.intercept_.astype("float32") * 0, "zero")
    nodes = [
        helper.make_node("IsNaN", [INPUT], ["missing"]),
        helper.make_node("Where", ["missing", "zero", INPUT], ["filled"]),
        helper.make_node("Gemm", ["filled", "weights", "intercept"], ["log_odds"]),
        helper.make_node("Sigmoid", ["log_odds"], [OUTPUT]),
    ]
    return assemble(nodes, [weights, intercept, zero], width)


KIND = ModelType(
    name="logistic",
    title="Logistic curve",
    description="One weight a feature.",
    parameters={
        "C": Parameter(default=1, low=0, high=1000, above_low=True, meaning="how little weights are held back")
    },
    make=_make,
    export=_export,
)
