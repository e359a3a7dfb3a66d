"""What a request can say besides: how it is validated, when it alerts, what a trade costs, how it runs."""

from typing import Any, Final

import streamlit as st

from shared.contracts.model_request import TRADED, CreateModel
from streamlit_ui.app_pages.training_fields import key, slot
from streamlit_ui.session import t

CHOICES: Final = ("share", "alerts_per_day", "expected_value")
_INT_MAX: Final = 2**31 - 1
_FIRST_ALERTS: Final = 20.0
_ALL: Final = 1.0


def validation(wanted: CreateModel) -> dict[str, Any]:
    """Draw how the model is validated and fitted."""
    values: dict[str, Any] = {}
    with st.grid(3, min_column_width=150):
        values["test_size"] = st.slider(
            t("train.test_size"), 0.05, 0.5, step=0.05, format="percent", key=key("test_size"), value=wanted.test_size,
            help=t("train.test_size_help"),
        )  # fmt: skip
        values["cv_splits"] = st.number_input(
            t("train.cv_splits"), 2, 20, step=1, key=key("cv_splits"), value=wanted.cv_splits,
            help=t("train.cv_splits_help"),
            disabled=not st.session_state.get(key("use_timeseries_split"), wanted.use_timeseries_split),
        )  # fmt: skip
        values["random_state"] = st.number_input(
            t("train.random_state"), 0, _INT_MAX, step=1, key=key("random_state"), value=wanted.random_state,
            help=t("train.random_state_help"),
        )  # fmt: skip
    slot("test_size", "cv_splits", "random_state")
    for name in ("use_timeseries_split", "calibrate", "refit", "use_smote"):
        values[name] = st.toggle(t(f"train.{name}"), getattr(wanted, name), key=key(name), help=t(f"train.{name}_help"))
    if values["use_smote"]:
        values["on_resample_error"] = st.segmented_control(
            t("train.on_resample_error"), ["fail", "skip"], format_func=lambda one: t(f"train.resample_{one}"),
            key=key("on_resample_error"), default=wanted.on_resample_error, required=True,
        )  # fmt: skip
    present = wanted.sample_by_coin or _ALL
    share = st.slider(
        t("train.sample_by_coin"), min(0.01, present), _ALL, step=0.01, format="percent",
        help=t("train.sample_by_coin_help"), key=key("sample_by_coin"), value=present,
    )  # fmt: skip
    values["sample_by_coin"] = None if share >= _ALL else share
    slot("sample_by_coin")
    return values


def alerts(wanted: CreateModel) -> dict[str, Any]:
    """Draw how the alert threshold is chosen, and what a trade costs."""
    values: dict[str, Any] = {"alerts_per_day": None}
    choice = st.segmented_control(
        t("train.alert_by"), CHOICES, format_func=lambda one: t(f"train.alert_{one}"), required=True,
        key=key("alert_by"), default=wanted.threshold_choice, help=t("train.alert_by_help"),
    )  # fmt: skip
    if choice == "alerts_per_day":
        present = float(wanted.alerts_per_day or _FIRST_ALERTS)
        values["alerts_per_day"] = st.number_input(
            t("train.alerts_per_day"), min_value=min(0.1, present), max_value=1_000_000.0, step=5.0, format="%.10g",
            width=220, key=key("alerts_per_day"), value=present,
        )  # fmt: skip
    # Left out where it follows from the rest.
    values["alert_threshold_by"] = "expected_value" if choice == "expected_value" else None
    slot("alert_threshold_by", "alerts_per_day")
    if choice == "expected_value":
        st.caption(t("train.alert_expected_note", columns=", ".join(TRADED)))
    return values | _costs(wanted)


def _costs(wanted: CreateModel) -> dict[str, Any]:
    with st.grid(3, min_column_width=150):
        fee = st.number_input(
            t("train.fee"), 0.0, 50.0, step=0.1, format="%.10g", key=key("fee_pct"), value=float(wanted.fee_pct),
            help=t("train.fee_help"),
        )  # fmt: skip
        slippage = st.number_input(
            t("train.slippage"), 0.0, 50.0, step=0.1, format="%.10g",
            key=key("slippage_pct"), value=wanted.slippage_pct, placeholder=t("train.slippage_curve"),
            help=t("train.slippage_help"),
        )  # fmt: skip
        size = st.number_input(
            t("train.trade_size"), min(0.001, wanted.trade_size_sol), 1000.0, step=0.1, format="%.10g",
            key=key("trade_size_sol"), value=float(wanted.trade_size_sol), help=t("train.trade_size_help"),
        )  # fmt: skip
    slot("fee_pct", "slippage_pct", "trade_size_sol")
    return {"fee_pct": fee, "slippage_pct": slippage, "trade_size_sol": size}


def running(wanted: CreateModel) -> dict[str, Any]:
    """Draw how the job runs and what is noted of it."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        priority = st.number_input(
            t("train.priority"), 0, 100, step=1, key=key("priority"), value=wanted.priority, width=150,
            help=t("train.priority_help"),
        )  # fmt: skip
        force = st.toggle(t("train.force"), wanted.force, key=key("force"), help=t("train.force_help"))
    description = st.text_area(
        t("train.description"), wanted.description or "", key=key("description"), max_chars=2000, height=80
    )
    slot("priority", "description")
    return {"priority": priority, "force": force, "description": description.strip() or None}
