"""Wire models of a model card's parts that describe its rows: the profile and the leak audit."""

from datetime import datetime

from pydantic import Field

from shared.contracts.training import Answer, JsonObject


class CardFeature(Answer):
    """How one feature is spread over the rows; null where no row has a value."""

    missing_share: float
    mean: float | None
    std: float | None
    min: float | None
    q01: float | None
    q25: float | None
    median: float | None
    q75: float | None
    q99: float | None
    max: float | None
    edges: list[float]
    counts: list[int]


class CardStretch(Answer):
    """The rows of one stretch of the window."""

    start: datetime
    minutes: int
    rows: int
    coins: int
    base_rate: float


class CardPhase(Answer):
    """The rows of one phase; null: without a phase."""

    phase: int | None
    rows: int
    base_rate: float


class CardProfile(Answer):
    """The rows whose answer is known."""

    rows: int
    coins: int
    sampled_rows: int = Field(description="Rows that quantiles and histograms are made of")
    features: dict[str, CardFeature]
    periods: list[CardStretch]
    phases: list[CardPhase]
    readings: JsonObject = Field(description="Counts and rates of the labels under both resolutions")


class CardLaws(Answer):
    """Rows whose features were computed again from their coin's past alone, bit for bit."""

    rows: int
    coins: int
    history_rows: int


class CardSplit(Answer):
    """The parts of the rows, and that no label reaches from one into a later one."""

    fit_rows: int
    calibration_rows: int
    holdout_rows: int
    purged_rows: int
    reaching_rows: int
    gap_to_calibration_minutes: float
    gap_to_holdout_minutes: float


class CardFeatureAuc(Answer):
    """What one feature alone knows of the answer."""

    name: str
    auc: float
    misjudged: float | None


class CardPermuted(Answer):
    """ROC AUC of the recipe on shuffled answers; further than the bound from 0.5 the job had failed."""

    auc: float | None
    bound: float | None
    fit_rows: int
    holdout_rows: int


class CardAudit(Answer):
    """The leak audit, passed."""

    laws: CardLaws
    split: CardSplit
    strongest_features: list[CardFeatureAuc]
    permuted: CardPermuted
