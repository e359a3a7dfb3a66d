"""A drawn page as a person has it: its words, its figures, its buttons."""

from typing import Final

from streamlit.testing.v1 import AppTest

_KINDS: Final = ("title", "subheader", "markdown", "caption", "info", "success", "warning", "error")


def all_words(test: AppTest, *more: str) -> str:
    """Give what stands on a page beside tables, a line each; `more` are kinds of elements that count as well."""
    assert not test.exception, test.exception
    found = [str(one.value) for kind in (*_KINDS, *more) for one in getattr(test, kind)]
    return "\n".join([*found, *(f"{one.label}: {one.value} {one.delta}" for one in test.metric)])


def figures(test: AppTest) -> dict[str, str]:
    """Give the figures by their names."""
    assert not test.exception, test.exception
    return {one.label: str(one.value) for one in test.metric}


def press(test: AppTest, *keys: str) -> AppTest:
    """Press buttons together: without a browser a dialog is drawn only where what opens it is pressed as well."""
    for key in keys:
        test.button(key=key).click()
    return test.run()
