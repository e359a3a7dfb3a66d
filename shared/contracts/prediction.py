"""Wire models of the prediction API: imported models and their predictions."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from shared.contracts.fields import CoinId, Id, Moment, Name, PathId, Probability, SendMode
from shared.contracts.promotions import AutoPromotion, Line, Mode, Reason

Outcome = Literal["tp", "fp", "tn", "fn", "unresolved"]
MOST_MODELS = 100


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class _Answer(BaseModel):
    model_config = ConfigDict(protected_namespaces=(), from_attributes=True)


class ImportModel(_Request):
    """Which model of the training service to bring here."""

    model_id: Id
    mode: Mode = Field("live", description="shadow: its predictions are stored and scored, never sent")
    line: Line | None = Field(None, description="Models of one line take each other's place; null: none")
    reason: Reason | None = None


class ImportedModel(_Answer):
    """A model that was brought here and is active."""

    active_model_id: int
    model_id: int
    model_name: str
    local_path: str


class RenameModel(_Request):
    """The name a model has here; null takes the training name again."""

    name: Name | None


class ModelChanged(_Answer):
    """What was done to an imported model."""

    success: Literal[True] = True
    message: str
    active_model_id: int


class AvailableModel(_Answer):
    """A model of the training service that can be imported."""

    id: int
    name: str
    model_type: str
    description: str | None
    target_variable: str
    target_operator: str | None
    target_value: float | None
    future_minutes: int | None
    price_change_percent: float | None
    target_direction: str | None
    features: list[str]
    phases: list[int] | None
    train_start: AwareDatetime
    train_end: AwareDatetime
    training_accuracy: float | None
    training_f1: float | None
    training_precision: float | None
    training_recall: float | None
    roc_auc: float | None
    mcc: float | None
    decision_threshold: float | None
    alert_threshold: float | None
    created_at: AwareDatetime
    active_model_id: int | None = Field(None, description="Set when it is imported already")


class AvailableModels(_Answer):
    """What can be imported."""

    models: list[AvailableModel]
    total: int


class ActiveModel(_Answer):
    """An imported model with its settings."""

    id: int
    model_id: int
    model_name: str
    custom_name: str | None
    name: str = Field(description="custom_name, else model_name")
    model_type: str
    target_variable: str
    target_operator: str | None
    target_value: float | None
    future_minutes: int | None
    price_change_percent: float | None
    target_direction: str | None
    features: list[str]
    phases: list[int] | None
    params: dict[str, Any] | None
    local_model_path: str
    model_file_sha256: str
    is_active: bool
    activated_at: AwareDatetime | None
    deactivated_at: AwareDatetime | None
    decision_threshold: float
    alert_threshold: float
    send_modes: list[SendMode]
    cooldown_negative_seconds: int
    cooldown_positive_seconds: int
    cooldown_alert_seconds: int
    coin_filter_mode: Literal["all", "whitelist"]
    coin_whitelist: list[str]
    mode: Mode
    line: str | None = Field(description="Models of one line take each other's place")
    auto_promotion: AutoPromotion | None = Field(description="What it must show to go live by itself")
    created_at: AwareDatetime
    updated_at: AwareDatetime
    total_predictions: int
    last_prediction_at: AwareDatetime | None


class ActiveModels(_Answer):
    """Imported models, newest first."""

    models: list[ActiveModel]
    total: int


def _distinct(items: list[int]) -> list[int]:
    return list(dict.fromkeys(items))


class Predict(_Request):
    """A question to the models about one coin; nothing of it is stored."""

    coin_id: CoinId
    model_ids: Annotated[list[Id], Field(min_length=1, max_length=MOST_MODELS), AfterValidator(_distinct)] | None = (
        Field(None, description="Ids of the training service; null: all active models")
    )
    timestamp: Moment | None = Field(None, description="As of then: no later row is used; null: the newest row")


class PredictedBy(_Answer):
    """The answer of one model."""

    model_id: int
    active_model_id: int
    model_name: str
    prediction: Literal[0, 1]
    probability: float
    threshold: float = Field(description="prediction is 1 from this probability on")
    is_alert: bool


class Predicted(_Answer):
    """The answers of all models asked, for one row of the coin."""

    coin_id: str
    timestamp: AwareDatetime = Field(description="Time of the row that was used")
    predictions: list[PredictedBy]
    total_models: int


class PredictionFilter(_Request):
    """Which predictions to list, newest first."""

    coin_id: CoinId | None = None
    model_id: PathId | None = Field(None, description="Id of the training service")
    active_model_id: PathId | None = None
    prediction: Literal["0", "1"] | None = None
    is_alert: bool | None = None
    min_probability: Probability | None = None
    max_probability: Probability | None = None
    phase_id: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    date_from: Moment | None = Field(None, description="Least data_timestamp")
    date_to: Moment | None = Field(None, description="Greatest data_timestamp")
    outcome: Literal["tp", "fp", "tn", "fn", "unresolved", "pending"] | None = None
    cursor: Annotated[str, Field(max_length=100)] | None = Field(None, description="next_cursor of the page before")
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


class Prediction(_Answer):
    """What a model said about one row."""

    id: int
    coin_id: str
    data_timestamp: AwareDatetime
    model_id: int
    active_model_id: int
    prediction: Literal[0, 1]
    probability: float
    threshold: float = Field(description="prediction is 1 from this probability on")
    is_alert: bool
    phase_id_at_time: int | None
    prediction_duration_ms: float | None
    created_at: AwareDatetime
    outcome: Outcome | None
    actual_change_pct: float | None
    highest_change_pct: float | None
    lowest_change_pct: float | None
    evaluated_at: AwareDatetime | None


class PredictionPage(_Answer):
    """A page of predictions, newest first; next_cursor is null on the last one."""

    predictions: list[Prediction]
    next_cursor: str | None


class LatestPredictions(_Answer):
    """The newest prediction of each model for one coin."""

    predictions: list[Prediction]


class HistoryFilter(_Request):
    """Which part of a coin's history to show."""

    active_model_id: PathId | None = Field(None, description="Only the predictions of this one")
    date_from: Moment | None = None
    date_to: Moment | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = Field(300, description="At most so many rows, the newest of them")


class HistoryRow(_Answer):
    """One row of a coin; null is missing."""

    timestamp: AwareDatetime
    phase_id_at_time: int | None
    price_open: float | None
    price_high: float | None
    price_low: float | None
    price_close: float | None
    volume_sol: float | None
    market_cap_close: float | None
    buy_volume_sol: float | None
    sell_volume_sol: float | None
    num_buys: int | None
    num_sells: int | None
    bonding_curve_pct: float | None
    virtual_sol_reserves: float | None
    unique_wallets: int | None
    is_koth: bool | None


class CoinHistory(_Answer):
    """Rows of a coin and what models said about them, oldest first."""

    coin_id: str
    rows: list[HistoryRow]
    predictions: list[Prediction]
