"""Imported models: bring, set, switch, how they do, what was live when."""

from datetime import datetime

from shared.contracts.model_settings import ChangeSettings
from shared.contracts.prediction import (
    ActiveModel,
    ActiveModels,
    AvailableModels,
    ImportedModel,
    ImportModel,
    ModelChanged,
    RenameModel,
)
from shared.contracts.promotions import Because, Challenge, Promote, Promotion, PromotionPage
from shared.contracts.statistics import ModelStatistics, ServiceStatistics
from streamlit_ui.client.transport import Service


def list_available(prediction: Service, *, include_imported: bool = False) -> AvailableModels:
    """Give the models of the training service that can be imported."""
    return prediction.get("/models/available", AvailableModels, include_imported=include_imported)


def import_model(prediction: Service, wanted: ImportModel) -> ImportedModel:
    """Bring a model and let it predict from now on."""
    return prediction.send("POST", "/models/import", ImportedModel, body=wanted)


def list_active(prediction: Service, *, include_inactive: bool = False) -> ActiveModels:
    """Give the imported models, newest first."""
    return prediction.get("/models/active", ActiveModels, include_inactive=include_inactive)


def get_active(prediction: Service, active_id: int) -> ActiveModel:
    """Give one imported model."""
    return prediction.get(f"/models/{active_id}", ActiveModel)


def activate(prediction: Service, active_id: int) -> ModelChanged:
    """Let a model predict every row from now on."""
    return prediction.send("POST", f"/models/{active_id}/activate", ModelChanged)


def deactivate(prediction: Service, active_id: int) -> ModelChanged:
    """Let a model predict no longer."""
    return prediction.send("POST", f"/models/{active_id}/deactivate", ModelChanged)


def delete_active(prediction: Service, active_id: int) -> ModelChanged:
    """Remove a model and its file; its predictions stay."""
    return prediction.send("DELETE", f"/models/{active_id}", ModelChanged)


def rename_active(prediction: Service, active_id: int, name: str | None) -> ActiveModel:
    """Give a model a name of its own, or that of its training again."""
    return prediction.send("PATCH", f"/models/{active_id}/rename", ActiveModel, body=RenameModel(name=name))


def change_settings(prediction: Service, active_id: int, change: ChangeSettings) -> ActiveModel:
    """Set what a model answers and what is sent of it."""
    return prediction.send("PATCH", f"/models/{active_id}/settings", ActiveModel, body=change)


def promote(prediction: Service, active_id: int, wanted: Promote) -> Promotion:
    """Let a shadow go live in the place of the live one of its line."""
    return prediction.send("POST", f"/models/{active_id}/promote", Promotion, body=wanted)


def roll_back(prediction: Service, active_id: int, reason: str | None = None) -> Promotion:
    """Undo the latest promotion of a model."""
    return prediction.send("POST", f"/models/{active_id}/rollback", Promotion, body=Because(reason=reason))


def get_challenge(prediction: Service, active_id: int) -> Challenge:
    """Give a shadow beside the live model of its line, on the same rows."""
    return prediction.get(f"/models/{active_id}/challenge", Challenge)


def list_promotions(
    prediction: Service, *, active_model_id: int | None = None, line: str | None = None, cursor: str | None = None,
    limit: int = 100,
) -> PromotionPage:  # fmt: skip
    """Give what was live when, by whom and why, newest first."""
    return prediction.get(
        "/promotions", PromotionPage, active_model_id=active_model_id, line=line, cursor=cursor, limit=limit
    )


def get_statistics(
    prediction: Service, active_id: int, *, since: datetime | None = None, until: datetime | None = None
) -> ModelStatistics:
    """Give how good a model is live, beside its hold-out figures."""
    return prediction.get(f"/models/{active_id}/statistics", ModelStatistics, date_from=since, date_to=until)


def get_service_statistics(prediction: Service) -> ServiceStatistics:
    """Give the whole service: books, outcomes, messages, workers."""
    return prediction.get("/stats", ServiceStatistics)
