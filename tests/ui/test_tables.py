"""What is written in the language of the session, whatever the browser's is: numbers of tables and charts, terms."""

import json

import altair as alt
import pandas as pd
import pyarrow as pa
import pytest

from shared.contracts.training import Warned
from streamlit_ui import charts, formats, session, tables
from streamlit_ui.app_pages import catalogue
from tests.support.ui_models import listed, model, types
from tests.ui.conftest import Fakes, Open


def _speak(monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    for module in (tables, formats, charts, session):
        monkeypatch.setattr(module, "language", lambda: language)


@pytest.mark.parametrize(
    ("pattern", "value", "english", "german"),
    [
        ("%.3f", 1234.5, "1,234.500", "1.234,500"),
        ("%+.2f %%", 0.5, "+0.50 %", "+0,50 %"),
        ("%+.2f %%", -0.5, "-0.50 %", "-0,50 %"),
        ("%.6g", 0.00012, "0.00012", "0,00012"),
        ("%d", 7, "7", "7"),
        ("localized", 1234.5678, "1,234.5678", "1.234,5678"),
        ("percent", 0.1234, "12.34 %", "12,34 %"),
    ],
)
def test_number_when_written_then_with_the_separators_of_the_language(
    pattern: str, value: float, english: str, german: str, monkeypatch: pytest.MonkeyPatch
):
    for language, shown in (("en", english), ("de", german)):
        _speak(monkeypatch, language)
        assert tables.writer(pattern)(value) == shown


def test_table_when_german_then_commas_are_shown_and_the_values_are_still_numbers(fakes: Fakes, open_page: Open):
    fakes.training.get("/model-types", types())
    fakes.training.get("/models", listed(model(7), model(8, cv_scores=None)))
    table = open_page("models", lang="de").dataframe[0]
    assert table.value["precision"].tolist() == [60.0, 60.0]
    shown = pa.ipc.open_stream(table.proto.arrow_data.styler.display_values).read_pandas()
    assert set(shown["precision"]) == {"60,0 %"}
    # A format of the column would win over what is shown.
    assert "format" not in json.loads(table.proto.columns)["precision"]["type_config"]


@pytest.mark.parametrize(("language", "decimal", "thousands"), [("en", ".", ","), ("de", ",", ".")])
def test_chart_when_drawn_then_its_numbers_are_of_the_language(
    language: str, decimal: str, thousands: str, monkeypatch: pytest.MonkeyPatch
):
    _speak(monkeypatch, language)
    chart = alt.Chart(pd.DataFrame({"a": [0.5]})).mark_bar().encode(x="a:Q").to_dict()
    number = chart["config"]["locale"]["number"]
    assert (number["decimal"], number["thousands"]) == (decimal, thousands)


def test_terms_when_known_then_in_the_language_else_as_the_service_says(monkeypatch: pytest.MonkeyPatch):
    _speak(monkeypatch, "de")
    assert catalogue.unit("SOL per minute") == "SOL je Minute"
    assert catalogue.unit("moons") == "moons"
    assert catalogue.warning(Warned(code="few_coins", message="3 *coins*")) == r"**Wenige Coins**: 3 \*coins\*"
    assert catalogue.warning(Warned(code="brand_new", message="so it is")) == "so it is"
